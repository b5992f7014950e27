"""A real `rostra serve` on free ports with a fresh data folder, and a small caller for its doors."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

import httpx

READY = re.compile(r"https?://\S+")


def free_port() -> int:
    """A port free for TCP and UDP on loopback just now."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", tcp.getsockname()[1]))
        return tcp.getsockname()[1]


@contextlib.contextmanager
def private_address() -> Iterator[str]:
    """An address of this machine that is not loopback (Firefox has no media on loopback); a dummy interface if there is none."""
    shown = subprocess.run(["ip", "-json", "-4", "addr", "show", "up", "scope", "global"], check=True, capture_output=True, text=True)
    links = json.loads(shown.stdout or "[]")
    found = [info["local"] for link in links for info in link.get("addr_info", []) if info.get("family") == "inet"]
    if found:
        yield found[0]
        return
    for words in ("add rostra0 type dummy", "set rostra0 up"):
        subprocess.run(["ip", "link", *words.split()], check=True)
    try:
        subprocess.run(["ip", "addr", "add", "10.213.77.1/24", "dev", "rostra0"], check=True)
        yield "10.213.77.1"
    finally:
        subprocess.run(["ip", "link", "delete", "rostra0"], check=True)


def only(text: str, prefix: str) -> str:
    """What follows ``prefix`` on the one line (the first, if they are all alike) that starts with it."""
    found = {line.removeprefix(prefix) for line in text.splitlines() if line.startswith(prefix)}
    assert len(found) == 1, f"{prefix} {found}"
    return found.pop()


@dataclass
class Server:
    """One running server. ``stop`` sends SIGTERM and insists on exit code 0 within 10 s, as the contract promises."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen | None = None
    log: list[str] = field(default_factory=list)

    def start(self) -> "Server":
        """Start it, again on the same port and data if it ran before."""
        port = int(self.url.rsplit(":", 1)[1]) if self.url else free_port()
        environment = os.environ | {
            "ROSTRA_HTTP": f"127.0.0.1:{port}",
            "ROSTRA_MEDIA_TCP": f"127.0.0.1:{free_port()}",
            "ROSTRA_MEDIA_UDP": f"127.0.0.1:{port}",
            "ROSTRA_DATA": str(self.data),
            "ROSTRA_LIMITS": "off",
            **self.settings,
        }
        command = [sys.executable, "-m", "rostra.processes.serve"]
        out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen(command, env=environment, start_new_session=True, **out)
        lines: Queue[str] = Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        self.url = self._wait_ready(lines)
        return self

    def door(self, space: str, door: str) -> str:
        """The URL of a Space's `whip`, `whep`, `whep?feed=stage`…"""
        return f"{self.url}/api/v1/spaces/{space}/{door}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def pids(self) -> dict[str, int]:
        """Every process of this server by role."""
        roles = ("api", "media", "media standby", "worker")
        return {"serve": self.pid} | {role: pid for role in roles for pid in self.children(role)}

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=10) == 0, "\n".join(self.log[-40:])

    def children(self, role: str) -> list[int]:
        """The pids of this server's processes titled `rostra: ROLE`."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                title = (entry / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
                if parent == self.process.pid and title == f"rostra: {role}":
                    found.append(int(entry.name))
        return found

    def kill(self, *roles: str) -> None:
        """`kill -9` the processes in charge of ``roles``, one right after the other."""
        for pid in [pid for role in roles for pid in self.children(role)]:
            os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """`kill -9` the supervisor and every child, as a machine that loses power would."""
        assert self.process is not None
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def ready(self, seconds: float = 20.0) -> None:
        """Return once the api answers and media stands behind it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200 and self.children("media"):
                    return
            time.sleep(0.05)
        raise AssertionError("the server is not ready again:\n" + "\n".join(self.log[-40:]))

    def _read(self, lines: Queue) -> None:
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:  # Until every process that inherited it is gone.
            self.log.append(line.rstrip())
            lines.put(line)
        lines.put("")

    def _wait_ready(self, lines: Queue) -> str:
        try:
            while line := lines.get(timeout=30):
                if found := READY.search(line):
                    return found.group().rstrip("/")
        except Empty:
            pass
        raise AssertionError("the server did not become ready:\n" + "\n".join(self.log[-40:]))


class Person:
    """A guest with a bearer token, and the doors as they use them."""

    def __init__(self, url: str, name: str) -> None:
        with httpx.Client(base_url=url, timeout=10) as stranger:
            answer = stranger.post("/api/v1/guests", json={"name": name})
        assert answer.status_code == 201, answer.text
        self._be(url, answer.json()["token"], answer.json()["account"])

    @classmethod
    def of_session(cls, url: str, token: str) -> "Person":
        """Somebody who has signed in elsewhere."""
        self = cls.__new__(cls)
        answer = httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code == 200, answer.text
        self._be(url, token, answer.json()["account"])
        return self

    def _be(self, url: str, token: str, account: dict) -> None:
        self.token, self.account, self.id = token, account, str(account["id"])
        self.http = httpx.Client(base_url=url, timeout=10, headers={"Authorization": f"Bearer {token}"})

    def open_space(self, title: str = "Who keeps the lights on?", **details: object) -> str:
        answer = self.http.post("/api/v1/spaces", json={"title": title, "open": True, **details})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def command(self, space: str, kind: str, **fields: object) -> httpx.Response:
        return self.http.post(f"/api/v1/spaces/{space}/commands", json={"type": kind, **fields})

    def must(self, space: str, kind: str, **fields: object) -> dict:
        answer = self.command(space, kind, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def snapshot(self, space: str) -> dict:
        return self.http.get(f"/api/v1/spaces/{space}").json()

    def seat(self, host: "Person", space: str) -> None:
        """Raise a hand and be brought up by ``host``."""
        self.must(space, "raise_hand")
        host.must(space, "approve_hand", account=self.id)
