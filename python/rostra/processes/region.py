"""The session region: memory that outlives media processes (architecture, decision 4), and the judgement of those that hold it."""

import os
import sys

from rostra.processes.children import Child
from rostra.processes.restarts import Deaths, Watch, is_poisoned

_HEARTBEAT_AT = 32
"""Where the region's header keeps the heartbeat, in nanoseconds of CLOCK_BOOTTIME (rust/media-region/src/region.rs)."""


class SessionRegion:
    """One region at a time. An empty one is made a region by the first media process that gets it."""

    def __init__(self) -> None:
        self._crashes, self._watch = Deaths(), Watch()
        self.fd = self._make()
        self.poisoned = False
        """Whether what waits in the sockets must be thrown away before the next media process reads it."""

    def hung(self, media: list[Child], now: float) -> list[Child]:
        """Those that hold the region without a sign of life and must be killed (safety rule 4). Call several times a second."""
        if not media:
            self._watch = Watch()
            return []
        serving = [child for child in media if child.state == "ready"]
        beat = int.from_bytes(os.pread(self.fd, 8, _HEARTBEAT_AT), sys.byteorder) / 1e9
        stalls = self._watch.stalls(now, beat, serving[0].ready_at if serving else None)
        return (serving or media) if stalls else []

    def crashed(self, now: float) -> bool:
        """Notes that a media process died of itself. Whether this one was once too often: what they keep dying of lies in the region
        or waits in a socket, so that from now on there is an empty region (safety rule 5)."""
        if not is_poisoned(self._crashes.add(now)):
            return False
        self._crashes.clear()
        os.close(self.fd)
        self.fd, self.poisoned = self._make(), True
        return True

    @staticmethod
    def _make() -> int:
        return os.memfd_create("rostra-sessions")
