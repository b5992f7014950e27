"""Somebody who never stops deciding: command after command on one Space, and what was acknowledged of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
from waiting import eventually


class Writer:
    """Locks and unlocks the stage without a pause. A command cut off by a death is not sent again."""

    def __init__(self, url: str, space: str, token: str) -> None:
        self._url, self._path, self._token = url, f"/api/v1/spaces/{space}/commands", token
        self.acknowledged: list[int] = []
        """The seq of every event that an answer told of."""
        self.unanswered = 0

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator["Writer"]:
        """Write until the block ends."""
        done = asyncio.Event()
        task = asyncio.create_task(self._write(done))
        try:
            yield self
        finally:
            done.set()
            await task

    async def more(self, count: int, seconds: float = 15.0) -> None:
        """Return when so many more have been acknowledged."""
        mark = len(self.acknowledged)
        await eventually(lambda: len(self.acknowledged) >= mark + count, seconds)

    async def _write(self, done: asyncio.Event) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=self._url, timeout=5, headers=headers) as http:
            while not done.is_set():
                for kind in ("lock_stage", "unlock_stage"):
                    await self._one(http, kind)

    async def _one(self, http: httpx.AsyncClient, kind: str) -> None:
        try:
            answer = await http.post(self._path, json={"type": kind})
        except httpx.HTTPError:
            self.unanswered += 1
            await asyncio.sleep(0.02)
            return
        assert answer.status_code in (200, 503), answer.text
        if answer.status_code == 200:
            self.acknowledged += [event["seq"] for event in answer.json()["events"]]
