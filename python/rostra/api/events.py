"""Events: Server-Sent Events with exact resume, or a page of the log as JSON."""

import asyncio
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from rostra.api.replies import json
from rostra.api.requests import caller
from rostra.api.spaces import bad_field, limit, loaded_of, shown
from rostra.domain.ids import Seq
from rostra.domain.views import class_of
from rostra.service.callers import Caller
from rostra.service.feed import Stream
from rostra.service.spaces import Loaded

_ENCODER = msgspec.json.Encoder()
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
PAGE = 500


def encode(seq: Seq | None, kind: str, fields: dict[str, Any]) -> bytes:
    """One event of the stream (WHATWG HTML §9.2.5); without an id it is an aggregate that may be dropped."""
    id = b"" if seq is None else b"id: %d\n" % seq
    return b"%sevent: %s\ndata: %s\n\n" % (id, kind.encode(), _ENCODER.encode(fields))


async def events(request: Request) -> Response:
    """``GET /api/v1/spaces/{id}/events``."""
    services = request.app.state.services
    who, loaded = await caller(request), await loaded_of(request)
    loaded.admit(who, services.clock.now())
    after = _after(request, loaded)
    if "application/json" in request.headers.get("accept", ""):
        entries = await services.spaces.entries(loaded, after or Seq(0), limit(request))
        return json({"data": [shown(entry, loaded, who.account) for entry in entries], "seq": loaded.space.seq})
    if after is not None and loaded.space.state in ("ended", "canceled") and after >= loaded.space.seq:
        return Response(status_code=204)  # An EventSource stops asking on 204.
    if request.method == "HEAD":
        return Response(media_type="text/event-stream")
    return EventStream(request, loaded, who, loaded.space.seq if after is None else after)


class EventStream(Response):
    """The open stream of one reader."""

    def __init__(self, request: Request, loaded: Loaded, who: Caller, cursor: Seq) -> None:
        super().__init__()
        self._services, self._loaded, self._who, self._cursor = request.app.state.services, loaded, who, cursor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        feed = self._loaded.feed
        stream = feed.attach(self._who.account, self._cursor)
        stream.task = asyncio.current_task()
        gone = asyncio.get_running_loop().create_task(_watch(receive, stream))
        try:
            counts = encode(None, "counts", self._services.crowd.counts(self._loaded))
            await self._send(send, stream, b"retry: 2000\n\n" + counts)
            while not stream.over:
                stream.wake.clear()
                await self._write(send, stream)
                if self._is_over(stream):
                    break
                await stream.wake.wait()
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not self._services.closing and stream.sending_since is None:
                raise
        finally:
            gone.cancel()
            feed.streams.discard(stream)

    async def _write(self, send: Send, stream: Stream) -> None:
        feed = self._loaded.feed
        while (frames := feed.next(stream)) is None:
            viewer = class_of(feed.space.role(stream.account.id if stream.account else None))
            entries = await self._services.spaces.entries(self._loaded, stream.cursor, PAGE)
            if not entries:
                return
            await self._send(send, stream, b"".join(feed.line(entry).frame(viewer, stream.account) for entry in entries))
            stream.cursor = Seq(entries[-1].seq)
        if frames:
            await self._send(send, stream, frames)

    async def _send(self, send: Send, stream: Stream, frames: bytes) -> None:
        stream.sending_since = asyncio.get_running_loop().time()
        await send({"type": "http.response.body", "body": frames, "more_body": True})
        stream.sending_since = None

    def _is_over(self, stream: Stream) -> bool:
        """Whether the reader has read the last thing it may read."""
        space = self._loaded.space
        if self._services.closing or self._loaded.exclusion(self._who, self._services.clock.now()):
            return True
        return space.state in ("ended", "canceled") and stream.cursor >= space.seq


async def _watch(receive: Receive, stream: Stream) -> None:
    """Ends the stream when its reader leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.over = True
    stream.wake.set()


def _after(request: Request, loaded: Loaded) -> Seq | None:
    sent = request.headers.get("last-event-id") or request.query_params.get("after")
    if sent is None:
        return None
    if not (sent.isascii() and sent.isdigit() and len(sent) < 18):
        raise bad_field("after", "must be a position in the log")
    return Seq(min(int(sent), loaded.space.seq))
