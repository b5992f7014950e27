"""Spaces: load from the log, decide, enforce, append, tell. One task per Space takes the commands that wait, together."""

import asyncio
import copy
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
from rostra.ports import Answer, Card, Clock, Conflict, Ids, Spaces, Unavailable
from rostra.service.accounts import AccountService
from rostra.service.callers import Caller
from rostra.service.enforcement import Enforcer
from rostra.service.feed import Encode, Feed

PAGE = 500
LOADED = 2_000
ATTEMPTS = 8
BATCH = 64
CARD_EVENTS = (e.SpaceCreated, e.SpaceOpened, e.SpaceEnded, e.SpaceCanceled, e.DetailsUpdated, e.HostTransferred)


@dataclass(slots=True)
class Loaded:
    """A Space in memory: its state, its readers, and what its idempotency keys were answered."""

    space: Space
    """What is durable: everything that anyone is shown or told."""
    feed: Feed
    draft: Space
    """What is decided, a batch ahead of ``space`` while that batch is written."""
    waiting: list["_Wish"] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None
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


@dataclass(slots=True, eq=False)
class _Wish:
    """A command that waits for its turn, and then what came of it."""

    command: c.Command
    by: Account
    key: str
    body: str
    done: asyncio.Future[Outcome]
    entries: list[e.Entry] = field(default_factory=list)
    kept: Answer | None = None
    refused: Refused | None = None


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
            loaded = self._empty(self._ids.space())
            entries = [e.Entry(seq, now, by.id, event) for seq, event in enumerate(events, 1)]
            for entry in entries:
                loaded.draft.apply(entry)
            try:
                await self._store.append(loaded.space.id, Seq(0), entries, card(loaded.draft), None)
            except Conflict:
                continue
            self._publish(loaded, entries)
            self.loaded[loaded.space.id] = loaded
            return loaded

    async def command(self, loaded: Loaded, command: c.Command, by: Account, key: str = "", body: str = "") -> Outcome:
        """Do what ``by`` wishes. ``key`` is the hashed idempotency key (account and route in it) and ``body`` a hash of what was asked.
        Raises ``Refused``; ``Unavailable`` if the log cannot be written, in which case nothing happened."""
        wish = _Wish(command, by, key, body, asyncio.get_running_loop().create_future())
        loaded.waiting.append(wish)
        if loaded.worker is None:
            # A task of its own: whoever gives up waiting must not stop what others wait for.
            loaded.worker = asyncio.get_running_loop().create_task(self._work(loaded))
        return await wish.done

    async def entries(self, loaded: Loaded, after: Seq, limit: int) -> list[e.Entry]:
        """A page of the log."""
        return await self._store.entries(loaded.space.id, after, limit)

    async def cards(self, state: str | None, query: str, cursor: str | None, limit: int) -> tuple[list[Card], str | None]:
        """Public Spaces."""
        return await self._store.cards(state, query, cursor, limit)

    def live(self) -> list[Loaded]:
        """Every live Space in memory, which is every live Space."""
        return [loaded for loaded in self.loaded.values() if loaded.space.state == "live"]

    async def _work(self, loaded: Loaded) -> None:
        """Take what waits until nothing does. While one batch is written the next one gathers: many commands share a sync of the disk."""
        try:
            while loaded.waiting:
                batch = _take_batch(loaded.waiting)
                try:
                    pending = await self._carry_out(loaded, batch)
                    for wish in batch:
                        await self._answer(loaded, wish, pending)
                except Exception as error:
                    loaded.draft = copy.deepcopy(loaded.space)
                    for wish in batch:
                        _settle(wish, error)
        finally:
            loaded.worker = None

    async def _carry_out(self, loaded: Loaded, batch: list[_Wish]) -> datetime | None:
        """Decide, enforce, append, apply, allow. Returns until when the media core may not have heard of it, if it could not be asked."""
        for _ in range(ATTEMPTS):
            entries = [entry for wish in batch for entry in self._decide(loaded, wish)]
            answer = next((_answer_of(wish, loaded.space.seq) for wish in batch if wish.key and not wish.kept and not wish.refused), None)
            devices = await self._devices(entries)
            pending = await self._enforcer.close(loaded.space.id, entries, devices) if entries else None
            if entries or answer is not None:
                changed = any(isinstance(entry.event, CARD_EVENTS) for entry in entries)
                try:
                    await self._store.append(loaded.space.id, loaded.space.seq, entries, card(loaded.draft) if changed else None, answer)
                except Conflict:
                    await self._catch_up(loaded)
                    continue
            if answer is not None:
                loaded.answers[answer.key] = answer
            loaded.devices |= devices
            self._publish(loaded, entries)
            await self._enforcer.open(loaded.space, entries)
            return pending
        raise Refused("conflict", "too many hosts decided at once; try again")

    def _decide(self, loaded: Loaded, wish: _Wish) -> list[e.Entry]:
        wish.entries, wish.refused, wish.kept = [], None, loaded.answers.get(wish.key) if wish.key else None
        if wish.kept is not None:
            return []
        now, draft = self._clock.now(), loaded.draft
        try:
            events = handle(draft, wish.command, wish.by, now)
        except Refused as refused:
            wish.refused = refused
            return []
        wish.entries = [e.Entry(seq, now, wish.by.id, event) for seq, event in enumerate(events, draft.seq + 1)]
        for entry in wish.entries:
            draft.apply(entry)
        return wish.entries

    async def _answer(self, loaded: Loaded, wish: _Wish, pending: datetime | None) -> None:
        if wish.refused is not None:
            return _settle(wish, wish.refused)
        if wish.kept is not None:
            try:
                return _settle(wish, await self._again(loaded, wish.kept, wish.body))
            except (Refused, Unavailable) as error:
                return _settle(wish, error)
        if isinstance(wish.command, c.React):
            loaded.feed.react(wish.command.emoji)
        _settle(wish, Outcome(Seq(wish.entries[-1].seq) if wish.entries else loaded.space.seq, wish.entries, pending))

    async def _again(self, loaded: Loaded, kept: Answer, body: str) -> Outcome:
        if kept.body != body:
            raise Refused("conflict", "this idempotency key was used for another command")
        count = kept.last - kept.first + 1
        entries = await self._store.entries(loaded.space.id, Seq(kept.first - 1), count) if count > 0 else []
        return Outcome(kept.last, entries)

    def _publish(self, loaded: Loaded, entries: Sequence[e.Entry]) -> None:
        """Let what is durable be seen."""
        for entry in entries:
            loaded.space.apply(entry)
        if entries:
            loaded.feed.publish(entries)

    def _empty(self, id: SpaceId) -> Loaded:
        space = Space(id)
        return Loaded(space, Feed(space, self._encode), Space(id))

    async def _catch_up(self, loaded: Loaded) -> None:
        while entries := await self._store.entries(loaded.space.id, loaded.space.seq, PAGE):
            loaded.devices |= await self._devices(entries)
            self._publish(loaded, entries)
        loaded.draft = copy.deepcopy(loaded.space)
        loaded.answers = {answer.key: answer for answer in await self._store.answers(loaded.space.id)}

    async def _load(self, id: SpaceId) -> Loaded:
        loaded = self._empty(id)
        await self._catch_up(loaded)
        if loaded.space.seq == 0:
            raise Refused("space_not_found", "there is no such Space")
        self.loaded[id] = loaded
        self._evict()
        return loaded

    async def _devices(self, entries: Sequence[e.Entry]) -> dict[str, AccountId]:
        """The devices of everyone whom ``entries`` put out. Read before anything is decided for good, so that a failure changes nothing."""
        out = {entry.event.account.id for entry in entries if isinstance(entry.event, (e.Removed, e.Banned))}
        return {device: account for account in out for device in await self._accounts.devices(account)}

    def _evict(self) -> None:
        spare = len(self.loaded) - LOADED
        if spare > 0:
            idle = [id for id, each in self.loaded.items() if each.space.state != "live" and not each.feed.streams and each.worker is None]
            for id in idle[:spare]:
                del self.loaded[id]


def _take_batch(waiting: list[_Wish]) -> list[_Wish]:
    """The commands that go together. One with an idempotency key goes first, for its answer is kept with the append's first entry."""
    batch = [waiting.pop(0)]
    while waiting and len(batch) < BATCH and not waiting[0].key:
        batch.append(waiting.pop(0))
    return batch


def _answer_of(wish: _Wish, seq: Seq) -> Answer:
    first = Seq(wish.entries[0].seq if wish.entries else seq + 1)
    return Answer(wish.key, wish.body, first, Seq(first + len(wish.entries) - 1))


def _settle(wish: _Wish, outcome: Outcome | BaseException) -> None:
    if wish.done.done():
        return  # Its caller has gone.
    if isinstance(outcome, BaseException):
        wish.done.set_exception(outcome)
    else:
        wish.done.set_result(outcome)


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
