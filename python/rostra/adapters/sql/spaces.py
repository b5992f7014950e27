"""The ``Spaces`` port in SQL. The primary key (space, seq) is the concurrency check: whoever inserts a seq first has it."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Connection,
    Insert,
    Row,
    and_,
    bindparam,
    exists,
    insert,
    literal,
    not_,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from rostra.adapters import listing
from rostra.adapters.codec import decode_event, encode_event
from rostra.adapters.sql.database import Database, rows_of
from rostra.adapters.sql.tables import Id, Instant, answers, events, spaces
from rostra.domain.commands import Account
from rostra.domain.events import Entry
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.ports import Answer, Card, Clock, Conflict, Unavailable

_COUNTED = {"preserve_rowcount": True}  # how many rows an INSERT made is dropped unless asked for
LONGEST = 2000  # no text of a card is longer, and SQLite takes no pattern beyond 50,000
KEPT = timedelta(hours=24)
"""How long an idempotency answer is given again."""


class SqlSpaces:
    """Every Space's log and card."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def append(self, space: SpaceId, after: Seq, entries: Sequence[Entry], card: Card | None, answer: Answer | None) -> None:
        def work(connection: Connection) -> None:
            if entries:
                _insert_all(connection, space, after, entries, answer)
            elif answer is not None:
                _insert_answer(connection, space, after, answer, self._clock)
            if card is not None:
                row = _row_of_card(card)
                connection.execute(insert(spaces) if after == 0 else update(spaces).where(spaces.c.id == bindparam("id_")), row)

        alone = card is None and len(entries) <= 1
        await (self._database.write_one(work) if alone else self._database.write(work))

    async def entries(self, space: SpaceId, after: Seq, limit: int) -> list[Entry]:
        query = (
            select(events.c.seq, events.c.at, events.c.actor, events.c.type, events.c.data)
            .where(events.c.space_id == space, events.c.seq > after)
            .order_by(events.c.seq)
            .limit(limit)
        )
        return [_entry_of_row(row) for row in await rows_of(self._database, query, space)]

    async def answers(self, space: SpaceId) -> list[Answer]:
        since = self._clock.now() - KEPT
        query = union_all(
            select(
                events.c.answer_key.label("key"),
                events.c.answer_body.label("body"),
                events.c.seq.label("first"),
                events.c.answer_last.label("last"),
            ).where(events.c.space_id == space, events.c.answer_key.is_not(None), events.c.at > since),
            select(answers.c.key, answers.c.body, answers.c.first, (answers.c.first - 1).label("last")).where(
                answers.c.space_id == space, answers.c.at > since
            ),
        )
        rows = await rows_of(self._database, query, space)
        return [Answer(row.key, row.body, Seq(row.first), Seq(row.last)) for row in rows]

    async def cards(self, state: str | None, query: str, cursor: str | None, limit: int) -> tuple[list[Card], str | None]:
        place = None if cursor is None else listing.read_cursor(state, cursor)
        wanted = listing.words(query)
        if any(len(word) > LONGEST for word in wanted):
            return [], None
        key = spaces.c.created_at if state is None else spaces.c.sort_key
        chosen = select(spaces).where(spaces.c.visibility == "public")
        if state is not None:
            chosen = chosen.where(spaces.c.state == state)
        for word in wanted:
            chosen = chosen.where(spaces.c.search.contains(word, autoescape=True))
        if place is not None:
            here, there = tuple_(key, spaces.c.id), tuple_(literal(place.key, BigInteger), literal(place.id, Id))
            chosen = chosen.where(here > there if listing.soonest_first(state) else here < there)
        order = (key, spaces.c.id) if listing.soonest_first(state) else (key.desc(), spaces.c.id.desc())
        found = [_card_of_row(row) for row in await rows_of(self._database, chosen.order_by(*order).limit(limit + 1), query)]
        page = found[:limit]
        if len(found) <= limit:
            return page, None
        return page, listing.write_cursor(state, listing.Place(listing.key_in(state, page[-1]), page[-1].id))

    async def live(self) -> list[SpaceId]:
        return [SpaceId(row.id) for row in await rows_of(self._database, select(spaces.c.id).where(spaces.c.state == "live"))]


def _insert_all(connection: Connection, space: SpaceId, after: Seq, entries: Sequence[Entry], answer: Answer | None) -> None:
    values = [_values(space, entry, answer if index == 0 else None) for index, entry in enumerate(entries)]
    assert [entry.seq for entry in entries] == list(range(after + 1, after + 1 + len(entries))), "entries follow the log"
    if connection.execute(_INSERTION, values).rowcount != len(entries):
        raise Conflict(f"the log of {space} has not reached {after}")


def _values(space: SpaceId, entry: Entry, answer: Answer | None) -> dict[str, Any]:
    kind, data = encode_event(entry.event)
    return {
        "space": space,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "type": kind,
        "data": data.decode(),
        "answer_key": answer and answer.key,
        "answer_body": answer and answer.body,
        "answer_last": answer and answer.last,
    }


def _insertion() -> Insert:
    """Insert an entry if the one before it is there: a taken seq is refused by the key, a gap by the condition."""
    space, seq = bindparam("space", type_=Id), bindparam("seq", type_=BigInteger)
    follows = or_(seq == 1, exists().where(events.c.space_id == space, events.c.seq == seq - 1))
    rest = [bindparam(column.name, type_=column.type) for column in events.c if column.name not in ("space_id", "seq")]
    row = select(space, seq, *rest).where(follows)
    return insert(events).from_select([column.name for column in events.c], row).execution_options(**_COUNTED)


_INSERTION = _insertion()


def _insert_answer(connection: Connection, space: SpaceId, after: Seq, answer: Answer, clock: Clock) -> None:
    here = or_(literal(after) == 0, exists().where(events.c.space_id == space, events.c.seq == after))
    beyond = exists().where(events.c.space_id == space, events.c.seq == after + 1)
    row = select(
        literal(space, Id),
        literal(clock.now(), Instant),
        literal(answer.key, Id),
        literal(answer.body, Id),
        literal(answer.first, BigInteger),
    ).where(and_(here, not_(beyond)))
    insertion = insert(answers).from_select(["space_id", "at", "key", "body", "first"], row)
    done = connection.execute(insertion.execution_options(**_COUNTED))
    if done.rowcount != 1:
        raise Conflict(f"the log of {space} is not at {after}")


def _entry_of_row(row: Row[Any]) -> Entry:
    try:
        return Entry(row.seq, row.at, row.actor, decode_event(row.type, row.data))
    except (KeyError, msgspec.MsgspecError) as error:
        # Written by a newer version, before someone went back to this one.
        raise Unavailable("store", f"entry {row.seq} is a {row.type} that this version does not know") from error


def _row_of_card(card: Card) -> dict[str, Any]:
    return {
        "id_": card.id,
        "id": card.id,
        "state": card.state,
        "title": card.title,
        "description": card.description,
        "lang": card.lang,
        "topics": msgspec.json.encode(card.topics).decode(),
        "visibility": card.visibility,
        "host_id": card.host.id,
        "host_handle": card.host.handle,
        "host_name": card.host.name,
        "host_guest": card.host.guest,
        "created_at": card.created_at,
        "scheduled_start": card.scheduled_start,
        "started_at": card.started_at,
        "ended_at": card.ended_at,
        "sort_key": listing.key_within(card),
        "search": listing.search_text(card),
    }


def _card_of_row(row: Row[Any]) -> Card:
    return Card(
        id=SpaceId(row.id),
        state=row.state,
        title=row.title,
        description=row.description,
        lang=row.lang,
        topics=tuple(msgspec.json.decode(row.topics, type=list[str])),
        visibility=row.visibility,
        host=Account(AccountId(row.host_id), row.host_handle, row.host_name, row.host_guest),
        created_at=row.created_at,
        scheduled_start=row.scheduled_start,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
