"""A reader of a Space's events that does what a browser's EventSource does: it reconnects and resumes by the last id."""

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
from waiting import eventually


@dataclass
class Follower:
    """Reads ``/events`` until told to stop or refused."""

    url: str
    space: str
    token: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    """Numbered events, as they came."""
    aggregates: list[dict[str, Any]] = field(default_factory=list)
    connections: int = 0
    refused: dict[str, Any] | None = None
    """The problem that ended it."""
    ended: bool = False
    """A 204: there will be nothing more."""

    def start(self) -> "Follower":
        self._task = asyncio.create_task(self._follow())
        return self

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in self.events]

    async def until(self, seq: int, seconds: float = 15.0) -> None:
        """Return once event ``seq`` has come."""
        await eventually(lambda: bool(self.events) and self.events[-1]["seq"] >= seq, seconds)

    async def over(self, seconds: float = 5.0) -> None:
        """Return once the server has closed the stream for good."""
        async with asyncio.timeout(seconds):
            await asyncio.shield(self._task)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=None), headers=headers) as http:
            for pause in itertools.repeat(0.1):
                if await self._read(http):
                    return
                await asyncio.sleep(pause)

    async def _read(self, http: httpx.AsyncClient) -> bool:
        last = {"Last-Event-ID": str(self.events[-1]["seq"])} if self.events else {}
        query = "" if last else "?after=0"
        try:
            async with http.stream("GET", f"{self.url}/api/v1/spaces/{self.space}/events{query}", headers=last) as answer:
                if answer.status_code >= 500:
                    return False
                if answer.status_code != 200:
                    self.refused = json.loads(await answer.aread()) if answer.status_code != 204 else None
                    self.ended = answer.status_code == 204
                    return True
                self.connections += 1
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        data = json.loads(line[6:])
                        (self.events if "seq" in data else self.aggregates).append(data)
        except httpx.HTTPError:
            pass
        return False
