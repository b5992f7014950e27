"""What a connection may cost before it is a request: uvicorn's HTTP protocol with a bound on the head and on the time to arrive."""

import asyncio
import json
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HEAD_BYTES = 32 << 10
ARRIVAL_SECONDS = 20.0
"""From the first byte (or the connection) to the last byte of the request."""


class Arrival(HttpToolsProtocol):
    """The parser bounds neither the length of a head nor the time it takes; whoever drips bytes would hold memory for ever."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _in_head = _arriving = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large", f"a request head has at most {MOST_HEAD_BYTES} bytes")
        elif not self._arriving and self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete):
            self._arm()  # Line ends between requests end uvicorn's wait for the next one without beginning it.

    def on_message_begin(self) -> None:
        self._in_head, self._arriving, self._head_bytes = True, True, 0
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._arriving = False
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "invalid", msg)

    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade that is not offered is ignored (RFC 9110 §7.8); it deserves no line in the log."""

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(ARRIVAL_SECONDS, self._too_slow)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "timeout", f"a request arrives within {ARRIVAL_SECONDS:g} s")
        elif self._arriving or self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answers and hangs up; in the middle of another answer, hangs up."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            body = json.dumps({"type": "about:blank", "title": status.phrase, "status": status, "code": code, "detail": detail}).encode()
            head = f"HTTP/1.1 {status} {status.phrase}\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
            self.transport.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        self.transport.close()
