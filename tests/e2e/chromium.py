"""Chromium through Playwright: the system's browser, a WAV file for a microphone, and ears for what a page plays."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, Playwright, Route, async_playwright
from wire import Wire

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or ""
EARS = (Path(__file__).parent / "ears.js").read_text()
PIECE = 1024
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


async def launch(playwright: Playwright, microphone: Path | None = None, *flags: str) -> Browser:
    """A Chromium of its own whose microphone plays the WAV file ``microphone``, over and over; without one it beeps."""
    fake = [f"--use-file-for-fake-audio-capture={microphone}"] if microphone else []
    return await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*FLAGS, *fake, *flags])


@asynccontextmanager
async def chromium(microphone: Path | None = None, *flags: str) -> AsyncIterator[Browser]:
    """A Chromium for one test."""
    async with async_playwright() as playwright:
        browser = await launch(playwright, microphone, *flags)
        try:
            yield browser
        finally:
            await browser.close()


def wall(at: np.ndarray, sample: int) -> float:
    """The wall time (s) of a sample of what ``take`` gave."""
    return float(at[sample // PIECE]) + sample % PIECE / 48_000


async def lead_through(page: Page, wire: Wire, door: str) -> None:
    """From now on what ``page`` negotiates at a door (`whip`, `whep`) goes through ``wire``."""

    async def bent(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=wire.lead(await answer.text()))

    await page.route(f"**/{door}*", bent)


class Ears:
    """What one page's media elements play, float32 mono at 48 kHz."""

    def __init__(self, page: Page, name: str = "ears") -> None:
        self.page, self._name = page, name

    async def open(self) -> "Ears":
        await self.page.evaluate(EARS)
        return self

    async def at(self, stream: str) -> "Ears":
        """Other ears in the same page, at one stream that a JavaScript expression names."""
        await self.page.evaluate(f"async () => {{ window.earsOf = await earsAt({stream}); }}")
        return Ears(self.page, "earsOf")

    async def take(self) -> tuple[np.ndarray, np.ndarray]:
        """What was played since the last call, and the wall time (s) of the first of every ``PIECE`` samples."""
        taken = await self.page.evaluate(f"{self._name}.take()")
        assert taken["state"] == "running", taken["state"]
        return np.frombuffer(base64.b64decode(taken["pcm"]), "<i2").astype(np.float32) / 32767, np.array(taken["at"]) / 1000

    async def listen(self, seconds: float) -> np.ndarray:
        """The next ``seconds`` that the page plays."""
        await self.take()
        pieces: list[np.ndarray] = []
        while sum(map(len, pieces)) < seconds * 48_000:
            await asyncio.sleep(0.1)
            pieces.append((await self.take())[0])
        return np.concatenate(pieces)
