"""A real `rostra serve` and a view of its processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 30


class Serving:
    """Runs until `stop`. Its output goes to files, so that nothing can block it."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self._out, self._err = folder / "out", folder / "err"
        ours = {"ROSTRA_HTTP": "127.0.0.1:0", "ROSTRA_MEDIA_UDP": "127.0.0.1:0", "ROSTRA_DATA": str(folder / "data")} | settings
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ROSTRA_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rostra.processes.serve", *arguments],
            env=kept | ours | {"TMPDIR": str(folder), "XDG_RUNTIME_DIR": ""},
            stdout=self._out.open("w"),
            stderr=self._err.open("w"),
            start_new_session=True,
        )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def ready(self) -> str:
        """The ready line's text, once it is there."""
        line = self.until(lambda: self.out if "\n" in self.out else None)
        return line.removeprefix("Rostra is ready: ").strip()

    def until(self, look: Callable[[], T | None]) -> T:
        """What ``look`` finds, as soon as it does."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.01)
        raise AssertionError(f"it did not happen; the log:\n{self.err}")

    def only(self, role: str, *, but: int = 0) -> int:
        """The pid of the one process titled ``rostra: ROLE``, once there is one that is not ``but``."""
        return self.until(lambda: pids[0] if len(pids := titled(self.process.pid).get(role, [])) == 1 and pids[0] != but else None)

    def logged(self, text: str) -> str:
        """The log, once ``text`` is in it."""
        return self.until(lambda: log if text in (log := self.err) else None)

    def stop(self, send: Callable[[], object] | None = None) -> float:
        """Sends SIGTERM, or what ``send`` sends; insists on exit status 0 and on nobody left. The seconds it took."""
        children = [pid for pids in titled(self.process.pid).values() for pid in pids]
        started = time.monotonic()
        (send or self.process.terminate)()
        assert self.process.wait(timeout=15) == 0, self.err
        took = time.monotonic() - started
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
        return took

    def clear(self) -> None:
        """Whatever happened in the test, nothing of it goes on."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def titled(parent: int) -> dict[str, list[int]]:
    """The children of ``parent`` that live, by what their titles say after `rostra: `."""
    found: dict[str, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            title = (entry / "cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace")
            state, above = (entry / "stat").read_text().rsplit(") ", 1)[1].split()[:2]
        except OSError:
            continue
        if int(above) == parent and title.startswith("rostra: ") and state != "Z":
            found.setdefault(title.removeprefix("rostra: "), []).append(int(entry.name))
    return found
