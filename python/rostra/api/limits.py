"""Rate limits per source address: token buckets in bounded memory."""

from collections import OrderedDict
from dataclasses import dataclass

from rostra.ports import Clock

ADDRESSES = 50_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class RateLimit:
    """At most ``per_minute`` of something from one address, in bursts of a minute's worth."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        self._size, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str) -> float:
        """0 if it may go on, else the seconds after which it may."""
        now = self._clock.monotonic()
        bucket = self._buckets.pop(address, None) or _Bucket(self._size, now)
        bucket.tokens = min(self._size, bucket.tokens + (now - bucket.filled) * self._size / 60)
        bucket.filled = now
        self._buckets[address] = bucket
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0.0
        return (1 - bucket.tokens) * 60 / self._size
