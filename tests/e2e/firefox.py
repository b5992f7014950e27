"""Firefox ESR, driven over its own Marionette protocol: a length, a colon and a JSON array over TCP."""

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import av
import numpy as np

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox") or ""
PREFERENCES: dict[str, bool | int | str] = {
    # Sound without an output device, a microphone without an input device, and both without a question.
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.loopback": True,
    # Nothing but the server under test is asked for anything.
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "devtools.jsonview.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.systemAddon.update.enabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}


RECORD = """
const element = [...document.querySelectorAll("audio")].find((one) => !one.paused && !one.muted);
if (!element) throw new Error("nothing plays");
const recorder = new MediaRecorder(element.mozCaptureStream(), { mimeType: "audio/ogg; codecs=opus", audioBitsPerSecond: 128000 });
const parts = [];
recorder.ondataavailable = (event) => parts.push(event.data);
const done = new Promise((resolve) => (recorder.onstop = resolve));
recorder.start();
await new Promise((resolve) => setTimeout(resolve, given[0]));
recorder.stop();
await done;
const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
let text = "";
for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
return btoa(text);
"""
MICROPHONE = """
const bytes = Uint8Array.from(atob(given[0]), (letter) => letter.charCodeAt(0));
const voice = new Audio(URL.createObjectURL(new Blob([bytes], { type: "audio/wav" })));
voice.loop = true;
await voice.play();
const devices = navigator.mediaDevices;
const real = devices.getUserMedia.bind(devices);
devices.getUserMedia = async (wish) => {
  (await real(wish)).getTracks().forEach((track) => track.stop());
  return voice.mozCaptureStream();
};
"""


class JavaScriptError(AssertionError):
    """A script in the page failed."""


class Firefox:
    """One Firefox with a profile of its own in ``folder``. Use as a context manager."""

    def __init__(self, folder: Path, **preferences: bool | int | str) -> None:
        self._folder = folder / "firefox"
        self._folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        lines = PREFERENCES | preferences | {"marionette.port": self._port}
        text = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in lines.items())
        (self._folder / "user.js").write_text(text)
        self._process: subprocess.Popen | None = None
        self._socket: socket.socket | None = None
        self._buffer, self._asked = b"", 0

    def __enter__(self) -> "Firefox":
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder), "MOZ_DISABLE_CONTENT_SANDBOX": "1", "LANG": "C.UTF-8"}
        command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(self._folder)]
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            self._connect()
            self._ask("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"pageLoadStrategy": "normal"}}})
            self._ask("WebDriver:SetTimeouts", {"script": 30_000, "pageLoad": 30_000})
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def goto(self, url: str) -> None:
        self._ask("WebDriver:Navigate", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:
        """Run the body of an async function on the page, with ``given`` as its arguments; its JSON value."""
        body = (
            f"const done = arguments[1], given = JSON.parse(arguments[0]); (async () => {{ {script} }})()"
            ".then((value) => done({ value: JSON.stringify(value ?? null) }), (error) => done({ error: `${error}` }));"
        )
        answer = self._ask("WebDriver:ExecuteAsyncScript", {"script": body, "args": [json.dumps(arguments)], "newSandbox": False})
        result = answer["value"]
        if "error" in result:
            raise JavaScriptError(result["error"])
        return json.loads(result["value"])

    def click(self, xpath: str, seconds: float = 15.0) -> None:
        """Click the element that an XPath finds, once there is one."""
        self._ask("WebDriver:ElementClick", {"id": self.find(xpath, seconds)})

    def type(self, xpath: str, text: str) -> None:
        """Type into a field."""
        self._ask("WebDriver:ElementSendKeys", {"id": self.find(xpath), "text": text})

    def find(self, xpath: str, seconds: float = 15.0) -> str:
        """The element that an XPath finds, once there is one."""
        self._ask("WebDriver:SetTimeouts", {"implicit": int(seconds * 1000)})
        found = self._ask("WebDriver:FindElement", {"using": "xpath", "value": xpath})
        return next(iter(found["value"].values()))

    def listen(self, seconds: float) -> np.ndarray:
        """The next ``seconds`` that the page's media element plays (float32, 48 kHz). Without a sound card Firefox has no running
        AudioContext, so its own recorder taps the element and re-encodes."""
        sound = base64.b64decode(self.run(RECORD, seconds * 1000))
        with av.open(io.BytesIO(sound), "r") as recording:
            resampler = av.AudioResampler(format="flt", layout="mono", rate=48_000)
            pieces = [out.to_ndarray().reshape(-1) for frame in recording.decode(audio=0) for out in resampler.resample(frame)]
        return np.concatenate(pieces)

    def give_microphone(self, sound: Path) -> None:
        """From now on the page's microphone hears a WAV file, over and over: Firefox's own fake microphone only beeps."""
        self.run(MICROPHONE, base64.b64encode(sound.read_bytes()).decode())

    def _connect(self) -> None:
        deadline = time.monotonic() + 45
        while True:
            try:
                self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=70)
                break
            except OSError:
                assert self._process is not None and self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "Firefox did not open its Marionette port"
                time.sleep(0.2)
        self._read()  # Its greeting.

    def _ask(self, name: str, parameters: dict[str, Any]) -> Any:
        assert self._socket is not None
        self._asked += 1
        message = json.dumps([0, self._asked, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _, number, error, result = self._read()
        assert number == self._asked
        if error:
            raise JavaScriptError(f"{error['error']}: {error['message']}")
        return result

    def _read(self) -> Any:
        assert self._socket is not None
        while b":" not in self._buffer:
            self._buffer += self._receive()
        size, _, self._buffer = self._buffer.partition(b":")
        while len(self._buffer) < int(size):
            self._buffer += self._receive()
        message, self._buffer = self._buffer[: int(size)], self._buffer[int(size) :]
        return json.loads(message)

    def _receive(self) -> bytes:
        assert self._socket is not None
        data = self._socket.recv(65_536)
        assert data, "Firefox closed its Marionette connection"
        return data
