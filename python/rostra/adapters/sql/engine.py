"""Opening the store: the URL decides which database, the schema is brought up to date, and the ports are handed out."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from rostra.adapters.clock import SystemClock
from rostra.adapters.sql import migrate
from rostra.adapters.sql.accounts import SqlAccounts
from rostra.adapters.sql.database import Database
from rostra.adapters.sql.spaces import SqlSpaces
from rostra.adapters.sql.sqlite import SqliteDatabase
from rostra.ports import Clock, Unavailable

FILE = "rostra.sqlite"


@dataclass(frozen=True, slots=True)
class Store:
    """An open database and the ports on it."""

    database: Database
    spaces: SqlSpaces
    accounts: SqlAccounts

    async def ping(self) -> None:
        """Raises ``Unavailable`` if the database does not answer."""
        await self.database.read(lambda connection: connection.execute(select(1)))

    async def close(self) -> None:
        """Finish what was begun and let go of every connection."""
        await self.database.close()


async def open_store(url: str, *, data: Path, clock: Clock | None = None) -> Store:
    """The store at ``url`` (empty: a SQLite file in ``data``), its schema up to date.

    Raises ``ValueError`` for a URL that names neither SQLite nor PostgreSQL, ``Unavailable`` if the database does not answer."""
    try:
        database = _database(url, data)
    except OSError as error:
        raise Unavailable("store", f"{error.filename}: {error.strerror}") from error
    try:
        if not await database.read(migrate.is_current):
            await database.migrate(migrate.upgrade)
    except BaseException:
        await database.close()
        raise
    clock = clock or SystemClock()
    return Store(database, SqlSpaces(database, clock), SqlAccounts(database))


def _database(url: str, data: Path) -> Database:
    if not url:
        return SqliteDatabase(data / FILE)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError("the database URL cannot be read") from error
    kind = parsed.get_backend_name()
    if kind == "postgresql" and parsed.drivername in ("postgresql", "postgresql+psycopg"):
        # Imported only where it is used: it takes a quarter of an api's start.
        from rostra.adapters.sql.postgres import PostgresDatabase

        return PostgresDatabase(parsed)
    if kind == "sqlite" and parsed.database and ":memory:" not in parsed.database and not parsed.query:
        return SqliteDatabase(Path(parsed.database))
    raise ValueError("the database URL must be sqlite:///FILE or postgresql+psycopg://…")
