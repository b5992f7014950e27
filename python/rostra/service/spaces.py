"""Spaces: load from the log, decide, enforce, append, tell. One lock per Space keeps this node's writers in a row."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.commands import Account
from rostra.domain.errors import Refused
from rostra.domain.handle import create, handle
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.domain.space import Exclusion, Space
from rostra.ports import Answer, Card, Clock, Conflict, Ids, Spaces
from rostra.service.accounts import AccountService
from rostra.service.callers import Caller
from rostra.service.enforcement import Enforcer
from rostra.service.feed import Encode, Feed

PAGE = 500
LOADED = 2_000
ATTEMPTS = 8
CARD_EVENTS = (e.SpaceCreated, e.SpaceOpened, e.SpaceEnded, e.SpaceCanceled, e.DetailsUpdated, e.HostTransferred)


@dataclass(slots=True)
class Loaded:
    """A Space in memory: its state, its readers, and what its idempotency keys were answered."""

    space: Space
    feed: Feed
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: dict[str, Answer] = field(default_factory=dict)
    devices: dict[str, AccountId] = field(default_factory=dict)
    """Devices of people who were put out, whom anonymous listening must not let back in."""
    on_air: set[str] = field(default_factory=set)
    """Accounts with a live WHIP session."""

    def exclusion(self, caller: Caller, now: datetime) -> Exclusion | None:
        """The removal or ban that keeps ``caller`` out."""
        if caller.account is not None:
            return self.space.excluded(caller.account.id, now)
        account = self.devices.get(caller.device) if caller.device else None
        return self.space.excluded(account, now) if account is not None else None

    def admit(self, caller: Caller, now: datetime) -> None:
        """Raises ``Refused`` with ``removed`` or ``banned``."""
        found = self.exclusion(caller, now)
        if found is not None:
            raise Refused(found.kind, found.reason)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command did. ``pending`` is set when the media core could not confirm it: the latest moment it may still be heard."""

    seq: Seq
    entries: Sequence[e.Entry]
    pending: datetime | None = None


class SpaceService:
    """The use cases of Spaces."""

    def __init__(self, store: Spaces, accounts: AccountService, enforcer: Enforcer, clock: Clock, ids: Ids, encode: Encode) -> None:
        self._store, self._accounts, self._enforcer = store, accounts, enforcer
        self._clock, self._ids, self._encode = clock, ids, encode
        self.loaded: OrderedDict[SpaceId, Loaded] = OrderedDict()
        self._loading: dict[SpaceId, asyncio.Task[Loaded]] = {}

    async def start(self) -> None:
        """Load every live Space, so that grants can be renewed for all of them."""
        for space in await self._store.live():
            await self.load(space)

    async def load(self, space: SpaceId) -> Loaded:
        """The Space, from memory when it is there. Raises ``Refused("space_not_found")``."""
        found = self.loaded.get(space)
        if found is not None:
            self.loaded.move_to_end(space)
            return found
        if space not in self._loading:
            task = asyncio.get_running_loop().create_task(self._load(space))
            self._loading[space] = task
            task.add_done_callback(lambda _: self._loading.pop(space, None))
        return await asyncio.shield(self._loading[space])

    async def create(self, command: c.CreateSpace, by: Account) -> Loaded:
        """A new Space whose host is ``by``."""
        now = self._clock.now()
        events = create(command, by)
        while True:
            space = Space(self._ids.space())
            loaded = Loaded(space, Feed(space, self._encode))
            entries = [e.Entry(seq, now, by.id, event) for seq, event in enumerate(events, 1)]
            draft = Space(space.id)
            for entry in entries:
                draft.apply(entry)
            try:
                await self._store.append(space.id, Seq(0), entries, card(draft), None)
            except Conflict:
                continue
            self._apply(loaded, entries)
            self.loaded[space.id] = loaded
            return loaded

    async def command(self, loaded: Loaded, command: c.Command, by: Account, key: str = "", body: str = "") -> Outcome:
        """Do what ``by`` wishes. ``key`` is the hashed idempotency key (account and route in it) and ``body`` a hash of what was asked.
        Raises ``Refused``; ``Unavailable`` if the log cannot be written, in which case nothing happened."""
        async with loaded.lock:
            for _ in range(ATTEMPTS):
                if key and (kept := loaded.answers.get(key)) is not None:
                    return await self._again(loaded, kept, body)
                try:
                    return await self._decide(loaded, command, by, key, body)
                except Conflict:
                    await self._catch_up(loaded)
            raise Refused("conflict", "too many hosts decided at once; try again")

    async def entries(self, loaded: Loaded, after: Seq, limit: int) -> list[e.Entry]:
        """A page of the log."""
        return await self._store.entries(loaded.space.id, after, limit)

    async def cards(self, state: str | None, query: str, cursor: str | None, limit: int) -> tuple[list[Card], str | None]:
        """Public Spaces."""
        return await self._store.cards(state, query, cursor, limit)

    def live(self) -> list[Loaded]:
        """Every live Space in memory, which is every live Space."""
        return [loaded for loaded in self.loaded.values() if loaded.space.state == "live"]

    async def _decide(self, loaded: Loaded, command: c.Command, by: Account, key: str, body: str) -> Outcome:
        space, now = loaded.space, self._clock.now()
        events = handle(space, command, by, now)
        if isinstance(command, c.React):
            loaded.feed.react(command.emoji)
        first = Seq(space.seq + 1)
        entries = [e.Entry(seq, now, by.id, event) for seq, event in enumerate(events, first)]
        answer = Answer(key, body, first, Seq(space.seq + len(entries))) if key else None
        pending = await self._enforcer.close(space.id, entries) if entries else None
        if entries or answer is not None:
            changed = any(isinstance(event, CARD_EVENTS) for event in events)
            after = card(_preview(space, entries)) if changed else None
            await self._store.append(space.id, space.seq, entries, after, answer)
        if answer is not None:
            loaded.answers[key] = answer
        self._apply(loaded, entries)
        await self._remember_devices(loaded, entries)
        await self._enforcer.open(space, entries)
        return Outcome(space.seq, entries, pending)

    async def _again(self, loaded: Loaded, kept: Answer, body: str) -> Outcome:
        if kept.body != body:
            raise Refused("conflict", "this idempotency key was used for another command")
        count = kept.last - kept.first + 1
        entries = await self._store.entries(loaded.space.id, Seq(kept.first - 1), count) if count > 0 else []
        return Outcome(kept.last, entries)

    def _apply(self, loaded: Loaded, entries: Sequence[e.Entry]) -> None:
        for entry in entries:
            loaded.space.apply(entry)
        if entries:
            loaded.feed.publish(entries)

    async def _catch_up(self, loaded: Loaded) -> None:
        while entries := await self._store.entries(loaded.space.id, loaded.space.seq, PAGE):
            self._apply(loaded, entries)
            await self._remember_devices(loaded, entries)
        loaded.answers = {answer.key: answer for answer in await self._store.answers(loaded.space.id)}

    async def _load(self, id: SpaceId) -> Loaded:
        space = Space(id)
        loaded = Loaded(space, Feed(space, self._encode))
        await self._catch_up(loaded)
        if space.seq == 0:
            raise Refused("space_not_found", "there is no such Space")
        self.loaded[id] = loaded
        self._evict()
        return loaded

    async def _remember_devices(self, loaded: Loaded, entries: Sequence[e.Entry]) -> None:
        for entry in entries:
            if isinstance(entry.event, (e.Removed, e.Banned)):
                account = entry.event.account.id
                loaded.devices |= dict.fromkeys(await self._accounts.devices(account), account)

    def _evict(self) -> None:
        idle = [
            id
            for id, loaded in self.loaded.items()
            if loaded.space.state != "live" and not loaded.feed.streams and not loaded.lock.locked()
        ]
        for id in idle[: max(0, len(self.loaded) - LOADED)]:
            del self.loaded[id]


def _preview(space: Space, entries: Sequence[e.Entry]) -> Space:
    """Only what a card shows, as it will be: the details, the host and the lifecycle."""
    draft = Space(
        space.id, space.seq, space.state, space.details, space.size, space.host, space.created_at, space.started_at, space.ended_at
    )
    for entry in entries:
        if isinstance(entry.event, CARD_EVENTS):
            draft.seq = Seq(entry.seq - 1)
            draft.apply(entry)
    return draft


def card(space: Space) -> Card:
    """What lists show of a Space."""
    details = space.details
    assert space.host is not None and space.created_at is not None and space.state != "none", "only a created Space has a card"
    return Card(
        space.id,
        space.state,
        details.title,
        details.description,
        details.lang,
        details.topics,
        details.visibility,
        space.host,
        space.created_at,
        details.scheduled_start,
        space.started_at,
        space.ended_at,
    )
