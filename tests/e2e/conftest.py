"""Fixtures of the end-to-end tests: real servers, and people on them."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent))

from chromium import chromium
from playwright.async_api import Browser, expect
from server import Person, Server
from sounds import voice, write_wav
from wire import Wires


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of these tests, because browsers outlive a test."""
    for item in items:
        if Path(__file__).parent in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of every test that leaves it standing: each takes a Space of its own."""
    running = Server(tmp_path_factory.mktemp("house")).start()
    yield running
    running.stop()


@pytest.fixture
def house6(tmp_path: Path) -> Iterator[Server]:
    """A server whose media has IPv6 only."""
    running = Server(tmp_path / "data", {"ROSTRA_MEDIA_UDP": "[::1]:0"}).start()
    yield running
    running.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, to be killed; stopping it must be clean."""
    running = Server(tmp_path / "data").start()
    yield running
    running.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ann(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium whose microphone hears Ann."""
    async with chromium(write_wav(tmp_path_factory.mktemp("ann") / "ann.wav", voice("ann"))) as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ben(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    """A Chromium whose microphone hears Ben."""
    async with chromium(write_wav(tmp_path_factory.mktemp("ben") / "ben.wav", voice("ben"))) as browser:
        yield browser


@pytest.fixture
def host(house: Server) -> Person:
    return Person(house.url, "Amara")


@pytest.fixture
def guest(house: Server) -> Person:
    return Person(house.url, "Fatou")


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Makes relays in front of the media port, and closes them."""
    made = Wires()
    yield made
    made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def closing() -> AsyncIterator[list]:
    """Connections and followers to close at the end, whatever happens."""
    opened: list = []
    yield opened
    for each in reversed(opened):
        await (each.stop() if hasattr(each, "stop") else each.close())


expect.set_options(timeout=15_000)
