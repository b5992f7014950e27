"""Fixtures: a served world of twins, a host and a guest."""

from collections.abc import AsyncIterator

import pytest
from world import Person, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World().serving() as serving:
        yield serving


@pytest.fixture
async def host(world: World) -> Person:
    return await world.person("Amara")


@pytest.fixture
async def guest(world: World) -> Person:
    return await world.person("Fatou")
