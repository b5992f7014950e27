"""When a dead child is started again, when the session region is given up, and when a live child counts as hung. Pure."""

from collections import deque

WINDOW_SECONDS = 10.0
FREE_DEATHS = 4
"""Deaths within the window after which the next start is still immediate."""
FIRST_DELAY_SECONDS = 0.25
LONGEST_DELAY_SECONDS = 2.0
CRASHES_OF_A_REGION = 3
"""Crashes within the window after which the region itself is suspected (safety rule 5)."""
STALL_SECONDS = 2.0
"""The media core says that it lives at least once a second, also when idle."""
TAKEOVER_SECONDS = 10.0
"""How long media processes may be there without one that serves."""
PAUSE_SECONDS = 0.7
"""A gap between two looks after which we ourselves were stopped or suspended."""


class Deaths:
    """The recent deaths of one kind of child."""

    def __init__(self) -> None:
        self._at: deque[float] = deque()

    def add(self, now: float) -> int:
        """Notes a death; how many the window holds with it."""
        self._at.append(now)
        while self._at[0] <= now - WINDOW_SECONDS:
            self._at.popleft()
        return len(self._at)

    def clear(self) -> None:
        """Forgets them: what caused them is gone."""
        self._at.clear()


def delay(deaths: int) -> float:
    """Seconds until the next start, after so many deaths within the window: none at first, never more than two seconds."""
    if deaths <= FREE_DEATHS:
        return 0.0
    return min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(deaths - FREE_DEATHS - 1, 10))


def is_poisoned(crashes: int) -> bool:
    """Whether so many crashes within the window accuse the region and what waits in the sockets."""
    return crashes >= CRASHES_OF_A_REGION


class Watch:
    """Decides whether the holder of the region hangs. Times are seconds on a clock that counts suspend."""

    def __init__(self) -> None:
        self._looked = float("-inf")
        self._since = float("-inf")

    def stalls(self, now: float, beat: float, serving_since: float | None) -> bool:
        """Call several times a second. ``beat``: the last sign of life. ``serving_since``: when the holder began to serve, None while
        media processes exist but none serves."""
        if now - self._looked > PAUSE_SECONDS:
            self._since = now  # Nobody else has run for longer than we have.
        self._looked = now
        if serving_since is not None:
            self._since = max(self._since, serving_since, beat)
        stalls = now - self._since > (TAKEOVER_SECONDS if serving_since is None else STALL_SECONDS)
        if stalls:
            self._since = now  # Whoever comes next has all the time again.
        return stalls
