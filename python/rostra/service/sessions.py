"""Media sessions: who may open one, whose it is, and keeping the media core true to the log."""

import asyncio
from dataclasses import dataclass, replace

from rostra.domain import commands as c
from rostra.domain.commands import Account
from rostra.domain.errors import Refused
from rostra.domain.ids import AccountId, Csrc, SessionId, SpaceId
from rostra.ports import (
    Clock,
    Counts,
    Fact,
    Feed,
    Grant,
    Ids,
    Media,
    MediaConnected,
    MediaRefused,
    MediaSession,
    SdpAnswer,
    SessionDown,
    SessionUp,
    Unavailable,
)  # fmt: skip
from rostra.service.callers import Caller
from rostra.service.enforcement import grants
from rostra.service.spaces import Loaded, SpaceService

RENEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Opened:
    """An answered offer."""

    session: SessionId
    answer: SdpAnswer


class SessionService:
    """The use cases of WHIP and WHEP."""

    def __init__(self, media: Media, spaces: SpaceService, clock: Clock, ids: Ids) -> None:
        self._media, self._spaces, self._clock, self._ids = media, spaces, clock, ids
        self._opened: dict[SessionId, MediaSession] = {}
        self._listeners: dict[SpaceId, int] = {}
        self.dirty: set[SpaceId] = set()
        """Spaces whose counts changed since they were last told."""

    def listeners(self, space: SpaceId) -> int:
        """Live listening sessions."""
        return self._listeners.get(space, 0)

    def owners(self, space: SpaceId) -> set[str]:
        """Owners of every session of a Space."""
        return {session.owner for session in self._opened.values() if session.space == space}

    async def speak(self, loaded: Loaded, caller: Caller, offer: str, *, mic_open: bool) -> Opened:
        """Answer a WHIP offer of someone on the stage. ``mic_open`` turns the microphone on with it.
        Raises ``Refused``, ``MediaRefused``, ``Unavailable``."""
        account = _required(caller)
        seat = self._admit_to_stage(loaded, caller, account)
        if not mic_open:
            await self._spaces.command(loaded, c.SetMic(on=False), account)
        opened = await self._open(loaded, account.id, "ingest", seat, offer)
        if mic_open and account.id not in loaded.space.mutes:
            await self._spaces.command(loaded, c.SetMic(on=True), account)
        return opened

    async def listen(self, loaded: Loaded, caller: Caller, feed: Feed, offer: str) -> Opened:
        """Answer a WHEP offer: the programme for anyone, the stage feed for someone on the stage. No database statement."""
        if feed == "stage":
            account = _required(caller)
            return await self._open(loaded, account.id, feed, self._admit_to_stage(loaded, caller, account), offer)
        self._admit(loaded, caller)
        session = self._ids.session()
        return await self._open(loaded, caller.owner(session), feed, None, offer, session)

    async def patch(self, session: SessionId, caller: Caller, if_match: str | None, fragment: str) -> SdpAnswer:
        """Trickle or restart ICE."""
        await self.owned(session, caller)
        return await self._media.patch_session(session, if_match, fragment)

    async def close(self, session: SessionId, caller: Caller) -> None:
        """End a session at once."""
        await self.owned(session, caller)
        await self._media.close_session(session, "closed")
        self._forget(session)

    async def owned(self, session: SessionId, caller: Caller) -> MediaSession:
        """The session, if it is the caller's. Raises ``Refused``."""
        found = self._opened.get(session)
        if found is None:
            raise MediaRefused("session_not_found", "there is no such session")
        if not caller.owns(found.owner):
            raise Refused("not_permitted", "this session is somebody else's")
        return found

    async def follow(self) -> None:
        """Take the media core's facts, for ever."""
        async for fact in self._media.facts():
            await self._take(fact)

    async def renew(self) -> None:
        """Renew every grant every 5 s, for ever (decision 3: a grant that nobody renews ends)."""
        while True:
            await self._renew()
            await asyncio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        every: list[Grant] = [grant for loaded in self._spaces.live() for grant in grants(loaded.space)]
        try:
            await self._media.renew(every)
        except Unavailable:
            return  # The renewal that follows its return makes up for it.

    async def _take(self, fact: Fact) -> None:
        match fact:
            case MediaConnected():
                self._opened = dict(self._media.sessions())
                self._listeners.clear()
                await self._renew()
                await self._reconcile()
                for loaded in self._spaces.live():
                    loaded.on_air = {
                        s.owner for s in self._opened.values() if s.space == loaded.space.id and s.feed == "ingest" and s.connected
                    }
                    self.dirty.add(loaded.space.id)
            case SessionUp(session=session):
                self._opened[session.id] = session
                self._air(session)
            case SessionDown(session=session):
                self._opened.pop(session.id, None)
                self._air(session)
            case Counts(listeners=counts):
                self._listeners |= counts
                self.dirty |= counts.keys()

    def _air(self, changed: MediaSession) -> None:
        loaded = self._spaces.loaded.get(changed.space)
        if changed.feed != "ingest" or loaded is None:
            return
        standing = (s for s in self._opened.values() if (s.space, s.owner, s.feed) == (changed.space, changed.owner, "ingest"))
        connected = any(session.connected for session in standing)
        (loaded.on_air.add if connected else loaded.on_air.discard)(changed.owner)
        self.dirty.add(changed.space)

    async def _reconcile(self) -> None:
        """End what the log no longer allows: it may have decided while the media core, or we, were away."""
        now = self._clock.now()
        for session in list(self._opened.values()):
            try:
                space = (await self._spaces.load(session.space)).space
            except (Refused, Unavailable):
                continue  # The media core's own grants and epochs hold until the log can be read.
            owner = AccountId(session.owner)
            seated = session.feed == "programme" or owner in space.seats
            if space.state == "live" and seated and space.excluded(owner, now) is None:
                continue
            try:
                await self._media.close_session(session.id, "denied")
            except (Unavailable, MediaRefused):
                return

    async def _open(
        self, loaded: Loaded, owner: str, feed: Feed, csrc: Csrc | None, offer: str, session: SessionId | None = None
    ) -> Opened:
        space = loaded.space
        session = session or self._ids.session()
        try:
            answer = await self._media.open_session(session, space.id, owner, feed, csrc, space.seq, offer)
        except MediaRefused as refused:
            if refused.code == "stale":
                raise Refused("conflict", "a decision of a host came first; look again") from refused
            raise
        for old in answer.replaced:
            self._forget(old)
        # Its end may have been told before this answer was read: only what the media core still holds is kept.
        if session in self._media.sessions():
            self._opened.setdefault(session, MediaSession(session, space.id, owner, feed, connected=False))
        return Opened(session, replace(answer, replaced=()))

    def _forget(self, session: SessionId) -> None:
        gone = self._opened.pop(session, None)
        if gone is not None:
            self._air(gone)

    def _admit(self, loaded: Loaded, caller: Caller) -> None:
        loaded.admit(caller, self._clock.now())
        if loaded.space.state in ("ended", "canceled"):
            raise Refused("ended", "this Space is over")
        if loaded.space.state != "live":
            raise Refused("not_live", "this Space has not started")

    def _admit_to_stage(self, loaded: Loaded, caller: Caller, account: Account) -> Csrc:
        self._admit(loaded, caller)
        seat = loaded.space.seats.get(account.id)
        if seat is None:
            raise Refused("not_a_speaker", "you have no seat on the stage")
        return seat.csrc


def _required(caller: Caller) -> Account:
    if caller.account is None:
        raise Refused("unauthenticated", "sign in or take a guest name first")
    return caller.account
