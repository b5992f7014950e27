"""From the click on "Listen in" to the first sound out of the page's media element: Chromium and server on one machine.

Usage: click_to_audio.py [--joins 30]"""

import argparse
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import Person, median, percentile, report, serving

# isort: split
from chromium import Ears, chromium, wall
from load import speaking
from playwright.async_api import Browser, expect
from sounds import RATE, loudness, voice, write_wav

NOTE_CLICK = "addEventListener('click', (event) => (window.clicked = performance.timeOrigin + event.timeStamp), { capture: true })"
POST = "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/whep')).map((one) => one.duration)[0]"
AUDIBLE = -50.0
"""dBFS of 5 ms."""


async def join(browser: Browser, url: str, space: str) -> tuple[float, float]:
    """One person comes by the link and presses the button: ms to the first sound, and of those, ms of the POST."""
    context = await browser.new_context(base_url=url)
    page = await context.new_page()
    await page.goto(f"/s/{space}")
    button = page.get_by_role("button", name="Listen in")
    await expect(button).to_be_visible(timeout=15_000)
    ears = await Ears(page).open()
    await page.evaluate(NOTE_CLICK)
    await ears.take()
    await button.click()
    step = RATE // 200
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.3)
            sound, at = await ears.take()
            frames = sound[: len(sound) // step * step].reshape(-1, step)
            loud = [index for index, frame in enumerate(frames) if loudness(frame) > AUDIBLE]
            if loud:
                break
    heard_at = wall(at, loud[0] * step) * 1000
    clicked, post = await page.evaluate("window.clicked"), await page.evaluate(POST)
    await context.close()
    return heard_at - clicked, post


async def run(joins: int, folder: Path) -> None:
    with serving() as server:
        host = Person(server.url, "Host")
        space = host.open_space()
        with speaking(server.door(space, "whip"), host.token, "--wav", write_wav(folder / "ann.wav", voice("ann"))):
            async with chromium() as browser:
                await join(browser, server.url, space)  # The browser warms up.
                taken = [await join(browser, server.url, space) for _ in range(joins)]
    times, posts = [taken_ms for taken_ms, _ in taken], [post for _, post in taken]
    figures = {"joins": joins, "p50_ms": round(median(times)), "p95_ms": round(percentile(times, 0.95)), "max_ms": round(max(times))}
    figures |= {"spread_ms": round(float(np.std(times)), 1), "post_p50_ms": round(median(posts), 1), "bound_p95_ms": 400}
    report("click_to_audio", figures)
    assert figures["p95_ms"] <= 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--joins", type=int, default=30)
    with TemporaryDirectory(prefix="rostra-bench-") as folder:
        asyncio.run(run(parser.parse_args().joins, Path(folder)))


if __name__ == "__main__":
    main()
