"""What the stores need of a database: to read, and to write durably, in the language of the ports' errors."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from rostra.ports import Conflict, Unavailable

DEADLINE = 5.0
"""Seconds after which a database that has not answered counts as unavailable."""

T = TypeVar("T")
Work = Callable[[Connection], T]
"""Statements to run on a connection; written without ``await``, so that a database may run them in a thread or in the event loop."""


class Database(Protocol):
    """One SQL database. Every call raises ``Unavailable``, and writing raises ``Conflict`` when a key is taken."""

    engines: tuple[Engine, ...]

    async def read(self, work: Work[T]) -> T:
        """Run statements that change nothing."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run statements in one transaction; when this returns, what they did survives a power cut."""
        ...

    async def write_one(self, work: Work[T]) -> T:
        """``write`` for a single statement, which is a transaction by itself and needs fewer trips to a server."""
        ...

    async def migrate(self, work: Work[None]) -> None:
        """``write`` that takes as long as it takes, and as long as other processes need for theirs."""
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of every connection."""
        ...


@asynccontextmanager
async def translated(*, patient: bool = False) -> AsyncIterator[None]:
    """Let no error of a driver out: a taken key is ``Conflict``, everything else ``Unavailable``, and so is silence unless ``patient``."""
    try:
        async with asyncio.timeout(None if patient else DEADLINE):
            yield
    except IntegrityError as error:
        raise Conflict(str(error.orig)) from error
    except (SQLAlchemyError, TimeoutError, OSError) as error:
        raise Unavailable("store", str(getattr(error, "orig", None) or error or type(error).__name__)) from error


def storable(*texts: str) -> bool:
    """Whether a database can hold these texts at all: PostgreSQL takes no NUL, and neither encodes a lone surrogate. What cannot be
    held cannot be found."""
    return not any("\0" in text or any("\ud800" <= char <= "\udfff" for char in text) for text in texts)


async def rows_of(database: Database, query: Executable, *texts: str) -> Sequence[Row[Any]]:
    """The rows a query finds; none, without asking, if one of the ``texts`` in it could not be there. Raises ``Unavailable``."""
    if not storable(*texts):
        return []

    return await database.read(lambda connection: connection.execute(query).all())
