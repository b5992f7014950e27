"""What only the SQL stores promise: few statements, the schema they say, errors in the port's words, and files nobody else reads."""

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from private_postgres import PrivatePostgres
from sqlalchemy import event, text
from store_examples import ANN, NOW, Opener, card, entry

from rostra.adapters.sql import migrate
from rostra.adapters.sql.engine import FILE, Store, open_store
from rostra.adapters.sql.sqlite import SqliteDatabase
from rostra.adapters.sql.tables import metadata
from rostra.domain.ids import Seq, SpaceId
from rostra.ports import Answer, Unavailable

S = SpaceId("space1")


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """What the engines are asked meanwhile, transaction control aside."""
    seen: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")):
            seen.append(statement)

    for engine in store.database.engines:
        event.listen(engine, "before_cursor_execute", note)
    yield seen
    for engine in store.database.engines:
        event.remove(engine, "before_cursor_execute", note)


async def test_statements_per_call(store: Store) -> None:
    async def count(call: object) -> int:
        with statements(store) as seen:
            await call  # type: ignore[misc]
        return len(seen)

    answer = Answer("k", "b", Seq(2), Seq(4))
    entries = [entry(seq) for seq in range(2, 40)]
    assert await count(store.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)) == 2
    assert await count(store.spaces.append(S, Seq(1), entries[:3], None, answer)) == 1
    assert await count(store.spaces.append(S, Seq(4), entries[3:], card("space1", title="T"), answer)) == 2
    assert await count(store.spaces.append(S, Seq(39), [], None, answer)) == 1
    assert await count(store.spaces.entries(S, Seq(0), 100)) == 1
    assert await count(store.spaces.answers(S)) == 1
    assert await count(store.spaces.cards("live", "a b", None, 10)) == 1
    assert await count(store.accounts.create(ANN, b"t" * 32, "device", NOW, NOW)) == 3
    assert await count(store.accounts.by_token(b"t" * 32, NOW)) == 1
    assert await count(store.accounts.by_id(ANN.id)) == 1


async def test_the_migrated_schema_is_the_one_the_code_means(store: Store) -> None:
    differences = await store.database.read(lambda connection: compare_metadata(MigrationContext.configure(connection), metadata))
    assert differences == []


def test_the_newest_revision_is_alembics_too() -> None:
    assert ScriptDirectory(str(migrate.FOLDER)).get_current_head() == migrate.HEAD


async def test_opening_again_keeps_everything_and_runs_no_migration(opened: Opener) -> None:
    first = await opened()
    await first.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    second = await opened()
    assert await second.spaces.entries(S, Seq(0), 10) == [entry(1)]


async def test_a_newer_schema_is_left_as_it_is(opened: Opener) -> None:
    store = await opened()
    await store.database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    again = await opened()
    await again.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    await again.database.write(lambda connection: connection.execute(text(f"UPDATE alembic_version SET version_num = '{migrate.HEAD}'")))


OPEN = """
import asyncio, sys
from pathlib import Path
from rostra.adapters.sql.engine import open_store
async def main():
    store = await open_store(sys.argv[1], data=Path(sys.argv[2]))
    await store.ping()
    await store.close()
sys.stdin.readline()
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_processes_that_start_at_once_migrate_once(kind: str, postgres: PrivatePostgres, tmp_path: Path) -> None:
    url = "" if kind == "sqlite" else postgres.create_database("together")
    command = [sys.executable, "-c", OPEN, url, str(tmp_path / "data")]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    failures = [opener.communicate(timeout=60)[1] for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 3, "\n".join(failures)


async def test_two_nodes_on_one_database(opened: Opener) -> None:
    stores = [await opened(), await opened()]
    await stores[0].spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    for seq in range(1, 20):
        tries = [store.spaces.append(S, Seq(seq), [entry(seq + 1)], None, None) for store in stores]
        results = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]
        assert len(await stores[seq % 2].spaces.entries(S, Seq(0), 100)) == seq + 1


@pytest.mark.parametrize(
    "url",
    ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "sqlite:///a?mode=memory", "postgresql+psycopg2://x", "nonsense", "://"],
)
async def test_a_url_of_something_else_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the database URL"):
        await open_store(url, data=tmp_path)


async def test_sqlite_syncs_every_commit_and_is_private(tmp_path: Path) -> None:
    store = await open_store("", data=tmp_path / "data")
    await store.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)

    async def pragma(name: str) -> object:
        return await store.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar())

    assert [await pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")] == ["wal", 2, 1, 3000]
    files = sorted((tmp_path / "data").iterdir())
    assert [file.name for file in files] == [FILE, f"{FILE}-shm", f"{FILE}-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    await store.close()


async def test_reading_connections_cannot_write(tmp_path: Path) -> None:
    store = await open_store("", data=tmp_path)
    with pytest.raises(Unavailable):
        await store.database.read(lambda connection: connection.execute(text("DELETE FROM events")))
    await store.close()


async def test_a_sqlite_file_that_another_holds_is_unavailable_and_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rostra.adapters.sql.sqlite._PRAGMAS", ("busy_timeout=50",))
    store = await open_store("", data=tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        many = [store.spaces.append(SpaceId(f"s{n}"), Seq(0), [entry(1)], card(f"s{n}"), None) for n in range(3)]
        results = await asyncio.gather(*many, return_exceptions=True)
        assert [type(result) for result in results] == [Unavailable] * 3
        assert await store.spaces.entries(SpaceId("s0"), Seq(0), 10) == []
        other.execute("ROLLBACK")
    await store.spaces.append(SpaceId("s0"), Seq(0), [entry(1)], card("s0"), None)
    assert await store.spaces.entries(SpaceId("s0"), Seq(0), 10) == [entry(1)]
    await store.close()


async def test_a_full_disk_is_unavailable_and_loses_nothing(tmp_path: Path) -> None:
    store = await open_store("", data=tmp_path)
    pages = await store.database.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar_one())
    await store.database.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 40}").scalar())
    written = 0
    with pytest.raises(Unavailable):
        for written in range(1000):
            await store.spaces.append(
                S,
                Seq(written),
                [entry(written + 1)],
                card("space1", title="x" * 2000) if not written else None,
                Answer("k" * 500, "b", Seq(1), Seq(1)),
            )
    assert written > 10
    assert len(await store.spaces.entries(S, Seq(0), 2000)) == written
    await store.close()


async def test_closing_finishes_what_was_begun(opened: Opener) -> None:
    store = await opened()
    writes = [asyncio.create_task(store.spaces.append(SpaceId(f"s{n}"), Seq(0), [entry(1)], card(f"s{n}"), None)) for n in range(20)]
    await asyncio.sleep(0)
    await store.close() if isinstance(store.database, SqliteDatabase) else await asyncio.gather(*writes)
    await asyncio.gather(*writes)
    assert len(await (await opened()).spaces.live()) == 20


async def test_postgres_away_and_back(postgres: PrivatePostgres, tmp_path: Path) -> None:
    store = await open_store(postgres.create_database("away"), data=tmp_path)
    await store.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    postgres.stop_immediately()
    for call in (
        store.spaces.append(S, Seq(1), [entry(2)], None, None),
        store.spaces.entries(S, Seq(0), 9),
        store.ping(),
        store.accounts.by_id(ANN.id),
    ):
        with pytest.raises(Unavailable):
            await call
    postgres.start()
    await store.ping()
    await store.spaces.append(S, Seq(1), [entry(2)], None, None)
    # A restart between two calls is not noticed at all, though the pool's connections are gone.
    postgres.stop_immediately()
    postgres.start()
    await store.spaces.append(S, Seq(2), [entry(3)], card("space1", "ended"), None)
    postgres.stop_immediately()
    postgres.start()
    assert await store.spaces.entries(S, Seq(0), 9) == [entry(1), entry(2), entry(3)]
    await store.close()


async def test_a_postgres_that_says_nothing_is_unavailable(
    postgres: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(postgres.create_database("silent"), data=tmp_path)
    await store.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    backend = await store.database.read(lambda connection: connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
    monkeypatch.setattr("rostra.adapters.sql.database.DEADLINE", 0.3)
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            await store.spaces.append(S, Seq(1), [entry(2)], None, None)
    finally:
        os.kill(backend, signal.SIGCONT)
    monkeypatch.undo()
    assert await store.spaces.entries(S, Seq(0), 9) in ([entry(1)], [entry(1), entry(2)]), "nobody knows whether it happened"
    await store.close()


async def test_an_event_of_a_newer_version_is_unavailable(store: Store) -> None:
    await store.spaces.append(S, Seq(0), [entry(1)], card("space1"), None)
    await store.database.write(lambda connection: connection.execute(text("UPDATE events SET type = 'time_traveled'")))
    with pytest.raises(Unavailable, match="time_traveled"):
        await store.spaces.entries(S, Seq(0), 9)


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable):
        await open_store("", data=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        await open_store("", data=tmp_path / "file" / "folder")


async def test_a_locked_row_in_postgres_is_unavailable_in_time(postgres_database: str, templates: Path, tmp_path: Path) -> None:
    store, other = await open_store(postgres_database, data=tmp_path), await open_store(postgres_database, data=tmp_path)
    held, release = asyncio.Event(), asyncio.Event()
    space = SpaceId("held")
    await store.spaces.append(space, Seq(0), [entry(1)], card("held"), None)

    async def hold() -> None:
        engine = other.database._engine  # type: ignore[attr-defined]
        async with engine.begin() as connection:
            await connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
            held.set()
            await release.wait()

    holder = asyncio.create_task(hold())
    await held.wait()
    began = asyncio.get_running_loop().time()
    with pytest.raises(Unavailable):
        await store.spaces.append(space, Seq(1), [entry(2)], None, None)
    assert asyncio.get_running_loop().time() - began < 5
    release.set()
    await holder
    await store.spaces.append(space, Seq(1), [entry(2)], None, None)
    await store.close()
    await other.close()
