"""The doors over the ports' twins, on a clock that tests move: everything but sockets, database and packets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from rostra.adapters.ids import SecretIds
from rostra.adapters.memory import MemoryAccounts, MemoryMedia, MemorySpaces
from rostra.api import events
from rostra.api.http import application
from rostra.api.limits import RateLimit
from rostra.api.services import Services
from rostra.api.wishes import Wishes
from rostra.service.accounts import AccountService
from rostra.service.crowd import CrowdService
from rostra.service.enforcement import Enforcer
from rostra.service.sessions import SessionService
from rostra.service.spaces import SpaceService

OFFER = "v=0\r\n"
SDP = {"Content-Type": "application/sdp"}


class FakeClock:
    """The ``Clock`` port, moved by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def advance(self, **by: float) -> None:
        self.at += timedelta(**by)


@dataclass
class World:
    """A server without processes: its doors, and what stands behind them."""

    clock: FakeClock = field(default_factory=FakeClock)
    media: MemoryMedia = field(default_factory=MemoryMedia)
    store: MemorySpaces = field(default_factory=MemorySpaces)
    people: MemoryAccounts = field(default_factory=MemoryAccounts)
    limits: dict[str, RateLimit] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    app: Any = None

    @asynccontextmanager
    async def services(self) -> AsyncIterator[Services]:
        ids = SecretIds()
        accounts = AccountService(self.people, self.clock, ids)
        spaces = SpaceService(self.store, accounts, Enforcer(self.media, self.clock), self.clock, ids, events.encode)
        sessions = SessionService(self.media, spaces, self.clock, ids)
        await spaces.start()

        async def ping() -> None:
            await self.store.live()

        yield Services(
            accounts=accounts,
            spaces=spaces,
            sessions=sessions,
            crowd=CrowdService(spaces, sessions, accounts),
            wishes=Wishes(accounts, self.clock, ids),
            media=self.media,
            clock=self.clock,
            ids=ids,
            ping=ping,
            limits=self.limits,
            **self.settings,
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["World"]:
        """Run the app's lifespan around a test."""
        self.app = application(Path("/nonexistent"), self.services)
        async with self.app.router.lifespan_context(self.app):
            yield self

    def http(self, token: str = "") -> httpx.AsyncClient:
        """A client without cookies; ``token`` is its bearer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1:8080", headers=headers)

    async def person(self, name: str) -> "Person":
        answer = await self.http().post("/api/v1/guests", json={"name": name})
        assert answer.status_code == 201, answer.text
        return Person(self, answer.json()["account"], answer.json()["token"])


@dataclass
class Person:
    """A guest and their doors."""

    world: World
    account: dict[str, Any]
    token: str

    @property
    def id(self) -> str:
        return self.account["id"]

    async def get(self, path: str, **options: Any) -> httpx.Response:
        async with self.world.http(self.token) as http:
            return await http.get(f"/api/v1{path}", **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        async with self.world.http(self.token) as http:
            return await http.post(f"/api/v1{path}", **options)

    async def space(self, **details: Any) -> str:
        answer = await self.post("/spaces", json={"title": "Who keeps the lights on?", "open": True, **details})
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def wish(self, space: str, kind: str, **fields: Any) -> httpx.Response:
        return await self.post(f"/spaces/{space}/commands", json={"type": kind, **fields})

    async def must(self, space: str, kind: str, **fields: Any) -> dict[str, Any]:
        answer = await self.wish(space, kind, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, space: str, kind: str, **fields: Any) -> tuple[int, str]:
        answer = await self.wish(space, kind, **fields)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["code"]

    async def seat(self, host: "Person", space: str) -> None:
        await self.must(space, "raise_hand")
        await host.must(space, "approve_hand", account=self.id)


class Watching:
    """An open event stream, read event by event from the app itself."""

    def __init__(self, world: World, space: str, token: str = "", **headers: str) -> None:
        self.status = 0
        self._arrived: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._left = asyncio.Event()
        sent = {"host": "127.0.0.1:8080", **headers, **({"authorization": f"Bearer {token}"} if token else {})}
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/api/v1/spaces/{space}/events",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": ("127.0.0.1", 1),
            "scheme": "http",
            "server": ("127.0.0.1", 8080),
        }
        self.task = asyncio.create_task(self._run(world.app, scope))

    async def _run(self, app: Any, scope: dict[str, Any]) -> None:
        asked = False

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._left.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]
            for block in message.get("body", b"").decode().split("\n\n"):
                lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
                if "data" in lines:
                    self._arrived.put_nowait({"id": lines.get("id"), "event": lines["event"], **json.loads(lines["data"])})

        await app(scope, receive, send)
        self._arrived.put_nowait(None)

    async def next(self, *, numbered: bool = True) -> dict[str, Any]:
        """The next event: a numbered one, or an aggregate."""
        while True:
            event = await asyncio.wait_for(self._arrived.get(), 5)
            assert event is not None, "the stream has ended"
            if (event["id"] is not None) == numbered:
                return event

    async def ended(self) -> bool:
        """Whether the stream ends without another numbered event."""
        while event := await asyncio.wait_for(self._arrived.get(), 5):
            if event["id"] is not None:
                return False
        return True

    async def leave(self) -> None:
        self._left.set()
        await self.task
