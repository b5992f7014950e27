"""One Space's events on their way to everyone who watches: a shared ring of encoded lines, and a cursor per stream (safety rule 17)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from rostra.domain.commands import Account
from rostra.domain.events import Entry
from rostra.domain.ids import Seq
from rostra.domain.space import Space
from rostra.domain.views import VisibilityClass, class_of, concerns, entry_for, entry_whole

RING = 1024
"""Lines kept for streams that resume; what is older comes from the log."""
CHUNK = 50
"""Streams woken before commands get their turn again."""

Encode = Callable[[Seq | None, str, dict[str, Any]], bytes]
"""Turns seq (None for an aggregate), type and fields into bytes on the wire."""


class Line:
    """One log entry, encoded once per class of viewers and only when somebody of that class reads it."""

    __slots__ = ("_encode", "_frames", "entry")

    def __init__(self, entry: Entry, encode: Encode) -> None:
        self.entry, self._encode = entry, encode
        self._frames: dict[str, bytes] = {}

    def frame(self, viewer: VisibilityClass, account: Account | None) -> bytes:
        """The line as ``account``, of class ``viewer``, may read it."""
        kind = "whole" if viewer == "host" or concerns(self.entry, account.id if account else None) else viewer
        if kind not in self._frames:
            shown = entry_whole(self.entry) if kind == "whole" else entry_for(self.entry, viewer)
            self._frames[kind] = self._encode(Seq(self.entry.seq), shown["type"], shown)
        return self._frames[kind]


@dataclass(slots=True, eq=False)
class Stream:
    """One reader. ``cursor`` is the last seq it has; ``wake`` is set when there may be more."""

    account: Account | None
    cursor: Seq
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    aggregate: int = 0
    beat: int = 0
    over: bool = False
    """Nothing follows: the reader is gone, too slow, or put out."""
    sending_since: float | None = None
    """When the send began that has not returned yet, by the loop's clock."""
    task: asyncio.Task[None] | None = None
    """Who serves it, to be cancelled when it takes nothing."""


class Feed:
    """The ring and its readers."""

    def __init__(self, space: Space, encode: Encode) -> None:
        self.space, self._encode = space, encode
        self.streams: set[Stream] = set()
        self._lines: deque[Line] = deque(maxlen=RING)
        self._aggregate = (0, b"")
        self._beat = 0
        self._reactions: dict[str, int] = {}
        self._waker: asyncio.Task[None] | None = None
        self._news = False

    def publish(self, entries: Iterable[Entry]) -> None:
        """Facts that the Space has applied."""
        self._lines.extend(Line(entry, self._encode) for entry in entries)
        self.notify()

    def react(self, emoji: str) -> None:
        """Count a reaction for the next aggregate."""
        self._reactions[emoji] = self._reactions.get(emoji, 0) + 1

    def take_reactions(self) -> dict[str, int]:
        """The reactions since the last call."""
        reactions, self._reactions = self._reactions, {}
        return reactions

    def publish_aggregates(self, aggregates: list[dict[str, Any]]) -> None:
        """Replace what every stream gets next beside the numbered lines; a slow reader misses the ones in between."""
        frames = b"".join(self._encode(None, aggregate["type"], aggregate) for aggregate in aggregates)
        self._aggregate = (self._aggregate[0] + 1, frames)
        self.notify()

    def beat(self) -> None:
        """Let every stream say that it is alive."""
        self._beat += 1
        self.notify()

    def attach(self, account: Account | None, cursor: Seq) -> Stream:
        """A new reader that has everything up to ``cursor``."""
        stream = Stream(account, cursor, aggregate=self._aggregate[0], beat=self._beat)
        self.streams.add(stream)
        return stream

    def first(self) -> Seq:
        """The oldest seq in the ring, or the one after the last."""
        return Seq(self._lines[0].entry.seq if self._lines else self.space.seq + 1)

    def line(self, entry: Entry) -> Line:
        """An entry from the log, as a line."""
        return Line(entry, self._encode)

    def next(self, stream: Stream) -> bytes | None:
        """What ``stream`` has not read yet (maybe nothing), or None if it fell out of the ring and must resume from the log."""
        if stream.cursor + 1 < self.first():
            return None
        frames = []
        if stream.cursor < self.space.seq:
            viewer = class_of(self.space.role(stream.account.id if stream.account else None))
            start = stream.cursor + 1 - self.first()
            frames = [self._lines[at].frame(viewer, stream.account) for at in range(start, len(self._lines))]
            stream.cursor = self.space.seq
        if stream.aggregate != self._aggregate[0]:
            stream.aggregate = self._aggregate[0]
            frames.append(self._aggregate[1])
        if not frames and stream.beat != self._beat:
            frames.append(b": beat\n\n")
        stream.beat = self._beat
        return b"".join(frames)

    def notify(self) -> None:
        """Wake every stream, hosts and the stage first, a chunk at a time so that a crowd never holds up a command."""
        self._news = True
        if self.streams and (self._waker is None or self._waker.done()):
            self._waker = asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        while self._news:  # What comes meanwhile is news to those who had their turn already.
            self._news = False
            await self._wake_all()

    async def _wake_all(self) -> None:
        roles = {"host": 0, "cohost": 0, "speaker": 1, "listener": 2}
        first = [stream for stream in self.streams if stream.account is not None]
        first.sort(key=lambda stream: roles[self.space.role(stream.account.id if stream.account else None)])
        waiting = [*first, *(stream for stream in self.streams if stream.account is None)]
        for at in range(0, len(waiting), CHUNK):
            for stream in waiting[at : at + CHUNK]:
                stream.wake.set()
            await asyncio.sleep(0)
