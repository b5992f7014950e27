"""SQLite: one thread writes, many waiting writes to a commit; a few others read beside it.

The driver is Python's own, in threads of ours: a step through an asynchronous one is a change of threads, eight to a write."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError

from rostra.adapters.sql.database import T, Work, translated
from rostra.ports import Conflict

BUSY_MS = 3000
MIGRATION_MS = 600_000
READERS = 3
MAX_BATCH = 64
# WAL with synchronous=FULL syncs the log at every commit: acknowledged means durable (sqlite.org/pragma.html#pragma_synchronous).
_PRAGMAS = (f"busy_timeout={BUSY_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF")


@dataclass(slots=True)
class _Write:
    work: Work[Any]
    done: asyncio.Future[Any]


class SqliteDatabase:
    """A ``Database`` in one file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        _make_private(path)
        self._writer = _engine(path, 1, _PRAGMAS)
        event.listen(self._writer, "begin", _begin_immediate)
        self._readers = _engine(path, READERS, (*_PRAGMAS, "query_only=ON"), isolation_level="AUTOCOMMIT")
        self.engines: tuple[Engine, ...] = (self._writer, self._readers)
        self._writing = ThreadPoolExecutor(1, "sqlite writer")
        self._reading = ThreadPoolExecutor(READERS, "sqlite reader")
        self._waiting: list[_Write] = []
        self._drain: asyncio.Task[None] | None = None

    async def read(self, work: Work[T]) -> T:
        def run() -> T:
            with self._readers.connect() as connection:
                return work(connection)

        async with translated():
            return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def write(self, work: Work[T]) -> T:
        write = _Write(work, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        if self._drain is None:
            # A task of its own: a caller who gives up waiting must not undo the others' commit.
            self._drain = asyncio.create_task(self._commit_waiting(), name="sqlite writer")
        return await write.done

    async def write_one(self, work: Work[T]) -> T:
        return await self.write(work)

    async def migrate(self, work: Work[None]) -> None:
        def run() -> None:
            with closing(self._writer.raw_connection()) as connection:  # The writer's only one, so the next call has it too.
                connection.cursor().execute(f"PRAGMA busy_timeout={MIGRATION_MS}")
            try:
                self._commit([work])
            finally:
                self._writer.dispose()

        async with translated(patient=True):
            await asyncio.get_running_loop().run_in_executor(self._writing, run)

    async def close(self) -> None:
        if self._drain is not None:
            await self._drain
        for executor in (self._writing, self._reading):
            await asyncio.to_thread(executor.shutdown)
        for engine in self.engines:
            engine.dispose()

    async def _commit_waiting(self) -> None:
        """Commit whatever waits, together, until nothing does: one sync of the disk for all of it."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                _settle(batch, await self._outcomes([write.work for write in batch]))
        finally:
            self._drain = None

    async def _outcomes(self, works: list[Work[Any]]) -> list[Any]:
        try:
            async with translated():
                return await asyncio.get_running_loop().run_in_executor(self._writing, self._commit, works)
        except Exception as error:
            return [error] * len(works)

    def _commit(self, works: list[Work[Any]]) -> list[Any]:
        with self._writer.begin() as connection:
            return [_outcome(connection, work, alone=len(works) == 1) for work in works]


def _outcome(connection: Connection, work: Work[Any], *, alone: bool) -> Any:
    """What one write comes to. Beside others it has a savepoint, so that its conflict undoes only itself."""
    if alone:
        return work(connection)
    try:
        with connection.begin_nested():
            return work(connection)
    except IntegrityError as error:
        return Conflict(str(error.orig))
    except Conflict as error:
        return error


def _settle(batch: list[_Write], outcomes: list[Any]) -> None:
    for write, outcome in zip(batch, outcomes, strict=True):
        if write.done.cancelled():
            continue
        if isinstance(outcome, BaseException):
            write.done.set_exception(outcome)
        else:
            write.done.set_result(outcome)


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, for its owner alone; SQLite gives its side files the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)


def _engine(path: Path, connections: int, pragmas: tuple[str, ...], **options: Any) -> Engine:
    engine = create_engine(f"sqlite+pysqlite:///{path}", pool_size=connections, max_overflow=0, pool_timeout=BUSY_MS / 1000, **options)
    event.listen(engine, "connect", _prepare(pragmas))
    return engine


def _prepare(pragmas: tuple[str, ...]) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # The driver must not begin by itself: see _begin_immediate.
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").close()

    return prepare


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that starts by reading may not be able to write later."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
