"""The ``Media`` port over the media core's Unix socket (protocol/media.md)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from rostra.adapters.media import messages as m
from rostra.adapters.media.link import Link, connect
from rostra.adapters.media.translate import fact_of, session_of, wire_grant
from rostra.domain.ids import Csrc, Seq, SessionId, SpaceId
from rostra.ports import (
    DenyScope,
    Fact,
    Feed,
    Grant,
    MediaConnected,
    MediaRefused,
    MediaSession,
    SdpAnswer,
    SessionDown,
    SessionUp,
    Unavailable,
)

DEADLINE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.005, 0.5
_log = logging.getLogger("rostra.media")

T = TypeVar("T")
Reply = m.Answered | m.Done | m.Stats
Again = Literal["always", "of a successor", "never"]
"""Whether a request may be repeated when the connection ends before its answer."""


class MediaClient:
    """Talks to this machine's media process and finds its successor when it dies. For one event loop; ``start`` it first."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._link: Link | None = None
        self._up = asyncio.Event()
        self._silent = False
        self._pid = 0
        self._requests = 0
        self._pending: dict[int, _Asked] = {}
        self._sessions: dict[SessionId, MediaSession] = {}
        self._facts: _Facts | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to connect, and to reconnect whenever the connection ends; returns at once."""
        self._task = asyncio.create_task(self._stay_connected(), name="media client")

    async def close(self) -> None:
        """Ends the connection; calls under way raise ``Unavailable``."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def connected(self) -> bool:
        return self._up.is_set() and not self._silent

    def sessions(self) -> dict[SessionId, MediaSession]:
        return dict(self._sessions)

    def facts(self) -> AsyncIterator[Fact]:
        self._facts = _Facts()
        if self._up.is_set():
            self._facts.add(MediaConnected())
        return self._facts

    async def open_session(
        self, session: SessionId, space: SpaceId, owner: str, feed: Feed, csrc: Csrc | None, seq: Seq, offer: str
    ) -> SdpAnswer:
        answer = await self._ask(
            lambda request: m.OpenSession(request, session, space, owner, feed, csrc or 0, seq, offer), again="of a successor"
        )
        answered = _expect(answer, m.Answered)
        return SdpAnswer(answered.sdp, answered.etag, tuple(SessionId(old) for old in answered.replaced))

    async def patch_session(self, session: SessionId, if_match: str | None, fragment: str) -> SdpAnswer:
        answer = await self._ask(lambda request: m.PatchSession(request, session, if_match or "", fragment), again="never")
        answered = _expect(answer, m.Answered)
        return SdpAnswer(answered.sdp, answered.etag)

    async def close_session(self, session: SessionId, reason: str) -> None:
        await self._ask(lambda request: m.CloseSession(request, session, reason), again="always")

    async def allow(self, grant: Grant) -> None:
        try:
            await self._ask(lambda request: m.Allow(request, wire_grant(grant)), again="always")
        except MediaRefused as refused:
            if refused.code != "stale":  # It lost against a later deny, as it must.
                raise

    async def deny(self, space: SpaceId, owner: str, seq: Seq, scope: DenyScope) -> None:
        await self._ask(lambda request: m.Deny(request, space, owner, seq, scope), again="always")

    async def close_space(self, space: SpaceId, seq: Seq) -> None:
        await self._ask(lambda request: m.CloseSpace(request, space, seq), again="always")

    async def renew(self, grants: Sequence[Grant]) -> None:
        if self._link is not None:  # Else the reader of ``MediaConnected`` will renew.
            self._link.send(m.Renew([wire_grant(grant) for grant in grants]))

    async def stats(self) -> dict[str, float]:
        answer = await self._ask(m.GetStats, again="always")
        return {stat.name: stat.value for stat in _expect(answer, m.Stats).stats}

    # Requests. A media process that dies is replaced within milliseconds, so a request waits for the successor within its deadline.

    async def _ask(self, message: Callable[[int], m.ToMedia], again: Again) -> Reply:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    await self._up.wait()
                    asked = self._pid
                    try:
                        return await self._exchange(message)
                    except ConnectionError:
                        await self._up.wait()
                    if again == "never" or (again == "of a successor" and self._pid == asked):
                        raise Unavailable("media", "the connection ended before the answer")
        except TimeoutError:
            self._silent = self._up.is_set()
            raise Unavailable("media", f"no answer within {DEADLINE_SECONDS:g} s") from None

    async def _exchange(self, message: Callable[[int], m.ToMedia]) -> Reply:
        assert self._link is not None
        self._requests += 1
        asked = _Asked(message(self._requests), asyncio.get_running_loop().create_future())
        self._pending[self._requests] = asked
        self._link.send(asked.message)
        return await asked.reply

    # The connection.

    async def _stay_connected(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            welcomed = await self._talk()
            if welcomed:
                pause = _FIRST_PAUSE_SECONDS
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _talk(self) -> bool:
        """One connection from end to end; whether it was answered at all."""
        try:
            link = await connect(self._socket, self._take)
        except OSError:
            return False
        try:
            link.send(m.Hello(m.PROTOCOL))
            await link.lost.wait()
        finally:
            welcomed = self._up.is_set()
            self._lose()
            link.close()
        return welcomed

    def _lose(self) -> None:
        self._link, self._silent = None, False
        self._up.clear()
        for asked in self._pending.values():
            if not asked.reply.done():
                asked.reply.set_exception(ConnectionError())
        self._pending.clear()

    def _take(self, link: Link, message: m.FromMedia) -> None:
        self._silent = False
        match message:
            case m.Welcome():
                self._welcome(link, message)
            case m.Answered() | m.Done() | m.Stats():
                self._reply(message.request, message)
            case m.Refused(request=request, code=code, detail=detail):
                self._reply(request, MediaRefused(code, detail))
            case m.SessionUp() | m.SessionDown() | m.Counts():
                self._learn(fact_of(message))

    def _welcome(self, link: Link, welcome: m.Welcome) -> None:
        if welcome.protocol != m.PROTOCOL:
            _log.error("the media core speaks protocol %d, this api %d", welcome.protocol, m.PROTOCOL)
            return link.close()
        self._link, self._pid = link, welcome.pid
        self._sessions = {SessionId(session.id): session_of(session) for session in welcome.sessions}
        self._up.set()
        _log.info("connected to media process %d with %d sessions", welcome.pid, len(welcome.sessions))
        self._tell(MediaConnected())

    def _reply(self, request: int, outcome: Reply | MediaRefused) -> None:
        asked = self._pending.pop(request, None)
        if asked is None:
            return
        if isinstance(asked.message, m.OpenSession) and isinstance(outcome, m.Answered):
            self._opened(asked.message, outcome)
        if asked.reply.done():
            return  # Too late: its asker has given up.
        if isinstance(outcome, MediaRefused):
            asked.reply.set_exception(outcome)
        else:
            asked.reply.set_result(outcome)

    def _opened(self, message: m.OpenSession, answered: m.Answered) -> None:
        """Now and not when the asker wakes: a fact that ends the session may be next."""
        for old in answered.replaced:
            self._sessions.pop(SessionId(old), None)
        opened = m.Session(message.session, message.space, message.owner, message.feed, connected=False)
        self._sessions[SessionId(opened.id)] = session_of(opened)

    def _learn(self, fact: Fact) -> None:
        if isinstance(fact, SessionUp):
            self._sessions[fact.session.id] = fact.session
        elif isinstance(fact, SessionDown):
            self._sessions.pop(fact.session.id, None)
        self._tell(fact)

    def _tell(self, fact: Fact) -> None:
        if self._facts is not None:
            self._facts.add(fact)


@dataclass(slots=True)
class _Asked:
    """A request under way."""

    message: m.ToMedia
    reply: asyncio.Future[Reply]


class _Facts:
    """What its one reader has not taken yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Fact] = asyncio.Queue()

    def add(self, fact: Fact) -> None:
        self._queue.put_nowait(fact)

    def __aiter__(self) -> "_Facts":
        return self

    async def __anext__(self) -> Fact:
        return await self._queue.get()


def _expect(reply: Reply, kind: type[T]) -> T:
    if not isinstance(reply, kind):
        raise Unavailable("media", "an answer of another kind than asked for")
    return reply
