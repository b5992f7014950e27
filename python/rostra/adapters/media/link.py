"""One connection to the media core: length-prefixed MessagePack frames over a Unix socket (protocol/media.md)."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec

from rostra.adapters.media.messages import FromMedia, ToMedia

LONGEST_FRAME_BYTES = 64 << 20
"""More than any welcome: one session takes about 150 bytes."""
_PREFIX_BYTES = 4
_log = logging.getLogger("rostra.media")


class Link(asyncio.Protocol):
    """A connection from `connect` on. ``take`` gets every frame in order; ``lost`` is set when it is over."""

    def __init__(self, take: Callable[["Link", FromMedia], None]) -> None:
        self.lost = asyncio.Event()
        self._take = take
        self._transport: asyncio.Transport | None = None
        self._arrived = bytearray()
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(FromMedia)

    def send(self, message: ToMedia) -> None:
        """Queues one frame; if the connection is over, nothing happens, and ``lost`` says so."""
        if self._transport is not None:
            body = self._encoder.encode(message)
            self._transport.write(len(body).to_bytes(_PREFIX_BYTES, "big") + body)

    def close(self) -> None:
        """Ends the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._arrived += data
        try:
            for body in self._bodies():
                self._take(self, self._decoder.decode(body))
        except (msgspec.DecodeError, OverflowError) as error:
            _log.error("the media core sent what this api does not understand: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.lost.set()

    def _bodies(self) -> list[bytes]:
        bodies, at = [], 0
        while len(self._arrived) >= at + _PREFIX_BYTES:
            start = at + _PREFIX_BYTES
            end = start + int.from_bytes(self._arrived[at:start], "big")
            if end - start > LONGEST_FRAME_BYTES:
                raise OverflowError("a frame is too long")
            if end > len(self._arrived):
                break
            bodies.append(bytes(self._arrived[start:end]))
            at = end
        del self._arrived[:at]
        return bodies


async def connect(socket: Path, take: Callable[[Link, FromMedia], None]) -> Link:
    """Connects. It works while no media process runs, too: the supervisor's socket keeps the connection for the next one. Raises
    ``OSError``."""
    link = Link(take)
    await asyncio.get_running_loop().create_unix_connection(lambda: link, str(socket))
    return link
