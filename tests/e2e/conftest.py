"""Fixtures of the end-to-end tests: a real server, and people on it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from server import Person, Server  # noqa: E402


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own; stopping it must be clean."""
    running = Server(tmp_path / "data").start()
    yield running
    running.stop()


@pytest.fixture
def host(server: Server) -> Person:
    return Person(server.url, "Amara")


@pytest.fixture
def guest(server: Server) -> Person:
    return Person(server.url, "Fatou")
