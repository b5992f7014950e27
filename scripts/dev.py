"""`make dev`: serves, starts the server again when Python or Rust changes, rebuilds the page, and keeps two fake speakers talking."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WATCHED = {"python": (".py",), "rust": (".rs", ".toml"), "protocol": (".json",)}
LOOK_SECONDS = 0.5
TALK_SECONDS = 24 * 3600
LOAD = Path(os.environ["CARGO_TARGET_DIR"]) / "release" / "media-load"


def newest(folders: Iterable[str]) -> float:
    """When a source file in ``folders`` was last written, as seconds since the epoch."""
    files = (path for name in folders for path in (ROOT / name).rglob("*") if path.suffix in WATCHED[name])
    return max((path.stat().st_mtime for path in files if path.exists()), default=0.0)


def say(text: str) -> None:
    sys.stderr.write(f"dev: {text}\n")


def ask(url: str, token: str = "", **body: object) -> dict[str, Any]:
    """POST ``body`` as JSON; the answer."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)


class Speakers:
    """Two guests on the stage of one Space, each with a process that babbles into it for as long as we run."""

    def __init__(self, url: str) -> None:
        self._api = f"{url}/api/v1"
        host, guest = (ask(f"{self._api}/guests", name=name) for name in ("Ann (fake)", "Ben (fake)"))
        self._tokens = [host["token"], guest["token"]]
        self._space = ask(f"{self._api}/spaces", host["token"], title="Two fake speakers", open=True)["id"]
        self._command(1, type="raise_hand")
        self._command(0, type="approve_hand", account=guest["account"]["id"])
        self._talking: list[subprocess.Popen[bytes] | None] = [None, None]
        say(f"two speakers talk at {url}/s/{self._space}")

    def keep_talking(self) -> None:
        """Start whoever is silent."""
        for index, process in enumerate(self._talking):
            if process is None or process.poll() is not None:
                whip = f"{self._api}/spaces/{self._space}/whip"
                command = [LOAD, "speak", "--url", whip, "--bearer", self._tokens[index], "--babble", str(index + 1)]
                command += ["--seconds", str(TALK_SECONDS), "--json"]
                self._talking[index] = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def hush(self) -> None:
        """Fall silent: their sessions are about to end."""
        for process in self._talking:
            if process is not None:
                process.terminate()
                process.wait()

    def stop(self) -> None:
        """Fall silent and end the Space."""
        self.hush()
        try:
            self._command(0, type="end")
        except (OSError, HTTPException):
            say("the server is gone; its Space stays open")

    def _command(self, index: int, **command: object) -> None:
        ask(f"{self._api}/spaces/{self._space}/commands", self._tokens[index], **command)


class Server:
    """`rostra serve`, started again on request."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Serve, and wait for the one line that says where."""
        command = [sys.executable, "-m", "rostra.processes.serve"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = line.split()[-1].rstrip("/") if "http" in line else ""
        say(line.strip() if self.url else "the server did not start; it is tried again at the next change")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def rebuild() -> bool:
    """Bring the native module up to date; whether it compiles."""
    return subprocess.run([ROOT / "scripts/python.sh", "run"], check=False).returncode == 0


def watch(server: Server) -> None:
    """Until interrupted: look for changes, rebuild, start again, keep the speakers talking."""
    speakers: Speakers | None = None
    built = newest(WATCHED)
    try:
        while True:
            if server.url and speakers is None:
                speakers = Speakers(server.url)
            if server.url and speakers is not None:
                speakers.keep_talking()
            time.sleep(LOOK_SECONDS)
            changed = newest(WATCHED)
            if changed > built:
                built = changed
                if rebuild():
                    if speakers is not None:
                        speakers.hush()
                    server.stop()
                    server.start()
    finally:
        if speakers is not None:
            speakers.stop()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    page = subprocess.Popen(
        [ROOT / "scripts/npm.sh", "run", "--silent", "build", "--", "--watch", "--logLevel", "warn"], start_new_session=True
    )
    server = Server()
    server.start()
    try:
        watch(server)
    except KeyboardInterrupt:
        pass
    finally:
        os.killpg(page.pid, signal.SIGTERM)
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
