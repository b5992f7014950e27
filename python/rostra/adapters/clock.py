"""The ``Clock`` port on the machine's clocks."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Wall time in UTC, and a monotonic one that counts suspend: a session that slept through its deadline has missed it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
