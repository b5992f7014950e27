"""Ports in memory: twins of the real ones for tests, and the bus of a single machine."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from weakref import WeakSet

from rostra.adapters import listing
from rostra.adapters.clock import SystemClock
from rostra.domain.commands import Account
from rostra.domain.events import Entry
from rostra.domain.ids import AccountId, Csrc, Seq, SessionId, SpaceId
from rostra.ports import (
    Answer,
    Card,
    Clock,
    Conflict,
    Counts,
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

KEPT = timedelta(hours=24)


class MemorySpaces:
    """The ``Spaces`` port. ``down`` makes every call raise ``Unavailable``, as a lost database does."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.down = False
        self._clock = clock or SystemClock()
        self._logs: defaultdict[SpaceId, list[Entry]] = defaultdict(list)
        self._cards: dict[SpaceId, Card] = {}
        self._answers: defaultdict[SpaceId, list[tuple[datetime, Answer]]] = defaultdict(list)

    async def append(self, space: SpaceId, after: Seq, entries: Sequence[Entry], card: Card | None, answer: Answer | None) -> None:
        self._reach()
        log = self._logs[space]
        if len(log) != after:
            raise Conflict(f"{space} is at {len(log)}, not {after}")
        assert [entry.seq for entry in entries] == list(range(after + 1, after + 1 + len(entries))), "entries follow the log"
        log.extend(entries)
        if card is not None:
            self._cards[space] = card
        if answer is not None:
            self._answers[space].append((entries[0].at if entries else self._clock.now(), answer))

    async def entries(self, space: SpaceId, after: Seq, limit: int) -> list[Entry]:
        self._reach()
        return self._logs[space][after : after + limit] if space in self._logs else []

    async def answers(self, space: SpaceId) -> list[Answer]:
        self._reach()
        since = self._clock.now() - KEPT
        return [answer for at, answer in self._answers.get(space, []) if at > since]

    async def cards(self, state: str | None, query: str, cursor: str | None, limit: int) -> tuple[list[Card], str | None]:
        self._reach()
        wanted = listing.words(query)
        found = [
            (listing.key_in(state, card), card.id, card)
            for card in self._cards.values()
            if card.visibility == "public" and state in (None, card.state) and all(word in listing.search_text(card) for word in wanted)
        ]
        up = listing.soonest_first(state)
        found.sort(key=lambda item: item[:2], reverse=not up)
        if cursor is not None:
            place = listing.read_cursor(state, cursor)
            found = [item for item in found if (item[:2] > (place.key, place.id)) == up and item[:2] != (place.key, place.id)]
        page = found[:limit]
        after = listing.write_cursor(state, listing.Place(page[-1][0], page[-1][1])) if len(found) > limit else None
        return [card for _, _, card in page], after

    async def live(self) -> list[SpaceId]:
        self._reach()
        return [card.id for card in self._cards.values() if card.state == "live"]

    def forget_answers(self, now: datetime) -> int:
        """Drop the answers past their keeping; the number dropped."""
        before = sum(map(len, self._answers.values()))
        for space, kept in self._answers.items():
            self._answers[space] = [item for item in kept if item[0] > now - KEPT]
        return before - sum(map(len, self._answers.values()))

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("store", "down")


@dataclass(slots=True)
class _Session:
    account: AccountId
    expires: datetime


class MemoryAccounts:
    """The ``Accounts`` port. ``spaces`` is whose old answers ``purge`` drops too."""

    def __init__(self, spaces: MemorySpaces | None = None) -> None:
        self.down = False
        self._spaces = spaces
        self._accounts: dict[AccountId, Account] = {}
        self._handles: set[str] = set()
        self._sessions: dict[bytes, _Session] = {}
        self._devices: defaultdict[AccountId, set[str]] = defaultdict(set)

    async def create(self, account: Account, token_hash: bytes, device: str, now: datetime, expires: datetime) -> None:
        self._reach()
        if account.id in self._accounts or account.handle in self._handles or token_hash in self._sessions:
            raise Conflict(f"{account.id} or {account.handle} is taken")
        self._accounts[account.id] = account
        self._handles.add(account.handle)
        self._sessions[token_hash] = _Session(account.id, expires)
        if device:
            self._devices[account.id].add(device)

    async def devices(self, account: AccountId) -> set[str]:
        self._reach()
        return set(self._devices.get(account, ()))

    async def by_token(self, token_hash: bytes, now: datetime) -> Account | None:
        self._reach()
        session = self._sessions.get(token_hash)
        return self._accounts[session.account] if session is not None and now < session.expires else None

    async def by_id(self, account: AccountId) -> Account | None:
        self._reach()
        return self._accounts.get(account)

    async def end_session(self, token_hash: bytes) -> None:
        self._reach()
        self._sessions.pop(token_hash, None)

    async def purge(self, now: datetime) -> int:
        self._reach()
        expired = [token for token, session in self._sessions.items() if session.expires <= now]
        for token in expired:
            del self._sessions[token]
        return len(expired) + (self._spaces.forget_answers(now) if self._spaces else 0)

    def _reach(self) -> None:
        if self.down:
            raise Unavailable("store", "down")


class _Hints:
    """One listener's hints. Only the newest seq of a Space waits, so a slow listener holds no more than one hint a Space."""

    def __init__(self) -> None:
        self._waiting: dict[SpaceId, Seq] = {}
        self._ready = asyncio.Event()

    def offer(self, space: SpaceId, seq: Seq) -> None:
        self._waiting[space] = max(seq, self._waiting.get(space, seq))
        self._ready.set()

    def __aiter__(self) -> "_Hints":
        return self

    async def __anext__(self) -> tuple[SpaceId, Seq]:
        while not self._waiting:
            self._ready.clear()
            await self._ready.wait()
        space = next(iter(self._waiting))
        return space, self._waiting.pop(space)


class MemoryBus:
    """The ``Bus`` port of one machine: the api's hints to itself."""

    def __init__(self) -> None:
        self._listeners: WeakSet[_Hints] = WeakSet()

    async def hint(self, space: SpaceId, seq: Seq) -> None:
        for listener in self._listeners:
            listener.offer(space, seq)

    def hints(self) -> AsyncIterator[tuple[SpaceId, Seq]]:
        listener = _Hints()
        self._listeners.add(listener)
        return listener


@dataclass
class _Facts:
    """The one reader's facts, in order."""

    queue: asyncio.Queue[Fact] = field(default_factory=asyncio.Queue)

    def __aiter__(self) -> "_Facts":
        return self

    async def __anext__(self) -> Fact:
        return await self.queue.get()


@dataclass
class MemoryMedia:
    """The ``Media`` port, obeying the core's rules without its packets: deny epochs outlive sessions, renewing names every grant.

    ``calls`` records what was asked, in order; ``unreachable`` makes every call raise ``Unavailable``."""

    unreachable: bool = False
    grants: dict[tuple[SpaceId, AccountId], Grant] = field(default_factory=dict)
    calls: list[tuple[object, ...]] = field(default_factory=list)
    _sessions: dict[SessionId, MediaSession] = field(default_factory=dict)
    _epochs: dict[tuple[SpaceId, str], Seq] = field(default_factory=dict)
    _etags: dict[SessionId, int] = field(default_factory=dict)
    _facts: _Facts = field(default_factory=_Facts)

    def connected(self) -> bool:
        return not self.unreachable

    async def open_session(
        self, session: SessionId, space: SpaceId, owner: str, feed: Feed, csrc: Csrc | None, seq: Seq, offer: str
    ) -> SdpAnswer:
        self._asked("open_session", session, space, owner, feed, csrc, seq)
        if self._epoch(space, owner) > seq:
            raise MediaRefused("stale", "a later decision is in force")
        if not offer.startswith("v=0"):
            raise MediaRefused("bad_sdp", "no session description")
        same = [old for old in self._sessions.values() if (old.space, old.owner, old.feed) == (space, owner, feed)]
        self._sessions[session] = MediaSession(session, space, owner, feed, connected=False)
        self._etags[session] = 1
        for old in same:
            self._close(old, "replaced")
        return SdpAnswer("v=0\r\n", f"{session}-1", tuple(old.id for old in same))

    async def patch_session(self, session: SessionId, if_match: str | None, fragment: str) -> SdpAnswer:
        self._asked("patch_session", session, if_match)
        if session not in self._sessions:
            raise MediaRefused("session_not_found")
        if "a=ice-ufrag:" in fragment and not if_match:
            raise MediaRefused("precondition_required")
        if if_match not in ("*", f"{session}-{self._etags[session]}"):
            raise MediaRefused("precondition_failed")
        if "a=ice-ufrag:" not in fragment:
            return SdpAnswer("", f"{session}-{self._etags[session]}")
        self._etags[session] += 1
        return SdpAnswer(fragment, f"{session}-{self._etags[session]}")

    async def close_session(self, session: SessionId, reason: str) -> None:
        self._asked("close_session", session, reason)
        if session not in self._sessions:
            raise MediaRefused("session_not_found")
        self._close(self._sessions[session], reason)

    async def allow(self, grant: Grant) -> None:
        self._asked("allow", grant)
        self._grant(grant)

    async def deny(self, space: SpaceId, owner: str, seq: Seq, scope: DenyScope) -> None:
        self._asked("deny", space, owner, seq, scope)
        self.grants.pop((space, AccountId(owner)), None)
        self._epochs[space, owner] = max(seq, self._epochs.get((space, owner), seq))
        over: dict[DenyScope, set[Feed]] = {"mic": set(), "stage": {"ingest", "stage"}, "space": {"ingest", "stage", "programme"}}
        for old in list(self._sessions.values()):
            if (old.space, old.owner) == (space, owner) and old.feed in over[scope]:
                self._close(old, "denied")

    async def close_space(self, space: SpaceId, seq: Seq) -> None:
        self._asked("close_space", space, seq)
        self.grants = {key: grant for key, grant in self.grants.items() if key[0] != space}
        self._epochs[space, ""] = max(seq, self._epochs.get((space, ""), seq))
        for old in [old for old in self._sessions.values() if old.space == space]:
            self._close(old, "ended")

    async def renew(self, grants: Sequence[Grant]) -> None:
        self._asked("renew", tuple(grants))
        self.grants.clear()
        for grant in grants:
            self._grant(grant)

    async def stats(self) -> dict[str, float]:
        self._asked("stats")
        return {"rostra_media_sessions": float(len(self._sessions))}

    def sessions(self) -> dict[SessionId, MediaSession]:
        return dict(self._sessions)

    def facts(self) -> AsyncIterator[Fact]:
        self._facts = _Facts()
        self.emit(MediaConnected())
        return self._facts

    def emit(self, fact: Fact) -> None:
        """Let a fact happen; a ``SessionUp`` or ``SessionDown`` changes ``sessions()`` as the core's would."""
        if isinstance(fact, SessionUp):
            self._sessions[fact.session.id] = replace(fact.session, connected=True)
        elif isinstance(fact, SessionDown):
            self._sessions.pop(fact.session.id, None)
        self._facts.queue.put_nowait(fact)

    def connect(self, session: SessionId) -> None:
        """Let a session's media connection stand, and tell how many now listen."""
        self.emit(SessionUp(replace(self._sessions[session], connected=True)))
        self._count(self._sessions[session])

    def restart(self) -> None:
        """Answer again after being ``unreachable``: what is held stands, and the api is told."""
        self.unreachable = False
        self.emit(MediaConnected())

    def _asked(self, *call: object) -> None:
        if self.unreachable:
            raise Unavailable("media", "down")
        self.calls.append(call)

    def _epoch(self, space: SpaceId, owner: str) -> Seq:
        return max(self._epochs.get((space, owner), Seq(0)), self._epochs.get((space, ""), Seq(0)))

    def _grant(self, grant: Grant) -> None:
        if self._epoch(grant.space, grant.account) <= grant.seq:
            self.grants[grant.space, grant.account] = grant

    def _close(self, session: MediaSession, reason: str) -> None:
        self.emit(SessionDown(session, reason))
        if session.connected:
            self._count(session)

    def _count(self, session: MediaSession) -> None:
        if session.feed == "programme":
            listening = [s for s in self._sessions.values() if s.space == session.space and s.feed == "programme" and s.connected]
            self.emit(Counts({session.space: len(listening)}))
