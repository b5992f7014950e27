"""How late this machine lets anybody wake up: a process that only wants to tick every 20 ms, as the media process does, and is watched."""

import subprocess
import sys

TICKER = """
import sys, threading, time
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
due, late = time.monotonic(), 0.0
print("ticking", flush=True)
while not done.is_set():
    due += 0.02
    time.sleep(max(0.0, due - time.monotonic()))
    late = max(late, time.monotonic() - due)
    due = max(due, time.monotonic() - 0.02)
print(late)
"""


class Bystander:
    """Use as a context manager; ``late`` (s) is then the longest that the machine, busy with everything else, kept it waiting.

    A bound on a gap is a bound on our server; on a machine that starves everybody the bystander's wait comes on top."""

    late = 0.0

    def __enter__(self) -> "Bystander":
        self._process = subprocess.Popen([sys.executable, "-c", TICKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None and self._process.stdout.readline() == "ticking\n"
        return self

    def __exit__(self, *_: object) -> None:
        self.late = float(self._process.communicate(timeout=10)[0])
