"""The stores under contract: memory, SQLite and PostgreSQL, each real and each empty at the start of a test."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import psycopg.sql
import pytest
from private_postgres import PrivatePostgres
from store_examples import FakeClock, Opener, Ports

from rostra.adapters.memory import MemoryAccounts, MemorySpaces
from rostra.adapters.sql.engine import Store, open_store
from rostra.adapters.sql.tables import metadata
from rostra.ports import Accounts, Spaces


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_database(postgres: PrivatePostgres) -> str:
    return postgres.create_database("contract")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(scope="session")
def templates(postgres_database: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema made once in each database; the SQLite one, to be copied."""
    file = tmp_path_factory.mktemp("template") / "template.sqlite"

    async def migrate() -> None:
        for url in (f"sqlite:///{file}", postgres_database):
            await (await open_store(url, data=file.parent)).close()

    asyncio.run(migrate())
    return file


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path, templates: Path, postgres_database: str) -> str:
    """A database of each kind, without a row."""
    return _without_rows(request.param, tmp_path, templates, postgres_database)


def _without_rows(kind: str, folder: Path, template: Path, postgres_url: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{shutil.copy(template, folder / 'store.sqlite')}"
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(psycopg.sql.SQL("DELETE FROM {}").format(psycopg.sql.Identifier(table.name)))
    return postgres_url


@pytest.fixture
async def opened(url: str, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Opener]:
    """Opens stores on one database, as several processes would, and closes them all."""
    stores: list[Store] = []

    async def open_another() -> Store:
        stores.append(await open_store(url, data=tmp_path, clock=clock))
        return stores[-1]

    yield open_another
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Opener) -> Store:
    return await opened()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ports(
    request: pytest.FixtureRequest, tmp_path: Path, templates: Path, postgres_database: str, clock: FakeClock
) -> AsyncIterator[Ports]:
    """Every implementation of the two ports."""
    if request.param == "memory":
        spaces = MemorySpaces(clock)
        yield Ports(spaces, MemoryAccounts(spaces))
        return
    store = await open_store(_without_rows(request.param, tmp_path, templates, postgres_database), data=tmp_path, clock=clock)
    yield Ports(store.spaces, store.accounts)
    await store.close()


@pytest.fixture
def spaces(ports: Ports) -> Spaces:
    return ports.spaces


@pytest.fixture
def accounts(ports: Ports) -> Accounts:
    return ports.accounts
