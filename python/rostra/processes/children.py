"""Starting a child by exec with exactly the descriptors it needs, and hearing from it when it is ready."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rostra.processes.arguments import write


@dataclass(eq=False, slots=True)
class Child:
    """One running child."""

    role: str
    pid: int
    pipe: int
    state: str = "starting"
    """The last line it wrote: ``standby`` or ``ready``."""
    ready_at: float = 0.0
    told: bool = False
    """Whether it has been asked to stop."""
    given_up: bool = False
    """Whether its end is our own doing and says nothing about it."""
    stalled: bool = False
    """Whether it was killed for showing no sign of life."""
    _unread: bytes = field(default=b"", repr=False)

    def hear(self) -> list[str] | None:
        """The lines it has written since; None once nothing more can come."""
        data = os.read(self.pipe, 4096)
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [line.decode() for line in lines] if data else None

    def stop(self) -> None:
        """Asks it to stop, once. It is not reaped yet, so the pid is still its own."""
        if not self.told:
            self.told = True
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Ends it."""
        os.kill(self.pid, signal.SIGKILL)


def start(role: str, environment: Mapping[str, str], descriptors: Sequence[int], arguments: dict[str, object]) -> Child:
    """Starts ``python -m rostra.processes.ROLE``. It inherits ``descriptors`` under their own numbers and no others; what it prints
    goes to our standard error, because our standard output is one line."""
    heard, said = os.pipe()
    argv = [sys.executable, "-P", "-m", f"rostra.processes.{role}", *write(arguments | {"parent": os.getpid(), "ready": said})]
    kept = [(os.POSIX_SPAWN_DUP2, fd, fd) for fd in (*descriptors, said)]  # Onto itself: it stays open across exec.
    # Ctrl-C reaches the whole terminal group, but who stops first is ours to say. While blocked, one that comes now is kept.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    ours = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        actions = [*kept, (os.POSIX_SPAWN_DUP2, 2, 1)]
        pid = os.posix_spawn(sys.executable, argv, environment, file_actions=actions, setsigmask=[], setsigdef=[signal.SIGTERM])
    finally:
        signal.signal(signal.SIGINT, ours)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.close(said)
    return Child(role, pid, heard)
