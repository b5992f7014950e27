"""The tables. Moments are whole microseconds since 1970, so both databases keep the same precision, order and range."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

from rostra.adapters.listing import micros, moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A moment as whole microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(value)


# Ids compare byte by byte on both databases, whatever language the server was set up for.
Id = String().with_variant(String(collation="C"), "postgresql")

events = Table(
    "events",
    metadata,
    Column("space_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Id),
    Column("type", String, nullable=False),
    Column("data", Text, nullable=False),
    # The idempotency answer of the command whose first event this is.
    Column("answer_key", Id),
    Column("answer_body", Id),
    Column("answer_last", BigInteger),
    sqlite_with_rowid=False,
)

answers = Table(
    "answers",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("space_id", Id, nullable=False),
    Column("at", Instant, nullable=False),
    Column("key", Id, nullable=False),
    Column("body", Id, nullable=False),
    Column("first", BigInteger, nullable=False),
    Index(None, "space_id", "at"),
)
"""Answers of commands that made no event."""

spaces = Table(
    "spaces",
    metadata,
    Column("id", Id, primary_key=True),
    Column("state", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("lang", String, nullable=False),
    Column("topics", Text, nullable=False),
    Column("visibility", String, nullable=False),
    Column("host_id", Id, nullable=False),
    Column("host_handle", String, nullable=False),
    Column("host_name", Text, nullable=False),
    Column("host_guest", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("scheduled_start", Instant),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    # What lists sort by within a state, and what searches read; both derive from the columns above.
    Column("sort_key", BigInteger, nullable=False),
    Column("search", Text, nullable=False),
    Index(None, "visibility", "state", "sort_key", "id"),
    Index(None, "visibility", "created_at", "id"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("handle", Id, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("guest", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("device", Id, primary_key=True),
    sqlite_with_rowid=False,
)
"""Every device an account was ever used on: it outlives the sessions, for a ban must."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("account_id", Id, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False, index=True),
    sqlite_with_rowid=False,
)
