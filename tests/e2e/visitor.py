"""A person in front of the page, and what they do there: every step is a press that a hand could make."""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from chromium import Ears
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect
from server import Person
from sounds import RATE, heard, loudness

PRESENT, ABSENT = 5.0, 3.0
MIC_OFF, MIC_ON = re.compile(r"is off\. Turn on$"), re.compile(r"is on\. Turn off$")
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


class Visitor:
    """One browser profile with one page open."""

    def __init__(self, page: Page, url: str, name: str) -> None:
        self.page, self.url, self.name = page, url, name
        self.ears = Ears(page)
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(f"{said.text} {said.location['url']}") if said.type == "error" else None)

    @classmethod
    async def arrive(cls, browser: Browser, url: str, name: str, **options: Any) -> "Visitor":
        context: BrowserContext = await browser.new_context(base_url=url, **options)
        context.set_default_timeout(15_000)
        return cls(await context.new_page(), url, name)

    async def close(self) -> None:
        await self.page.context.close()

    async def be(self, person: Person) -> None:
        """Sign in as somebody of the API's."""
        await self.page.context.add_cookies([{"name": "rostra_session", "value": person.token, "url": self.url}])

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    async def start_space(self, title: str) -> str:
        """From home to a live Space of one's own; its id."""
        await self.page.goto("/")
        await self.button("Start a Space").first.click()
        dialog = self.page.get_by_role("dialog", name="Start a Space")
        await dialog.get_by_label("Title").fill(title)
        await dialog.get_by_label("Your name").fill(self.name)
        await dialog.get_by_role("button", name="Go live now").click()
        await self.page.wait_for_url(re.compile(r"/s/\w+$"))
        await self.sits()
        return self.page.url.rsplit("/", 1)[1]

    async def listen_in(self, space: str) -> None:
        """Come by the shared link and listen."""
        await self.page.goto(f"/s/{space}")
        await self.button("Listen in").click()
        await self.hearing()

    async def hearing(self) -> None:
        """Return when the page says that sound has come."""
        await expect(self.button("Silence the stage for me")).to_be_visible()

    async def hearing_after_a_reload(self) -> None:
        """As ``hearing``; a browser may hold sound back until somebody presses, and the page then offers one button for it."""
        playing, offered = self.button("Silence the stage for me"), self.button("Tap to hear")
        await expect(playing.or_(offered).first).to_be_visible()
        if await offered.count():
            await offered.first.click()
        await self.hearing()

    async def raise_hand(self, question: str = "") -> None:
        await self.button("Raise hand").click()
        form = self.page.get_by_role("form", name="Raise your hand")
        name = form.get_by_label("Your name on stage")
        if await name.count():
            await name.fill(self.name)
        await form.get_by_label("Your question").fill(question)
        await form.get_by_role("button", name="Raise hand").click()
        await expect(self.button(re.compile("^Hand up"))).to_be_visible()

    async def sits(self) -> None:
        """Return when the page shows one's own seat, microphone off."""
        await expect(self.button(MIC_OFF)).to_be_visible()

    async def turn_mic(self, *, on: bool) -> None:
        before, after = (MIC_OFF, MIC_ON) if on else (MIC_ON, MIC_OFF)
        await self.button(before).click()
        await expect(self.button(after)).to_be_visible()

    async def select_seat(self, seat: int) -> None:
        await self.button(re.compile(f"^Select seat {seat},")).click()

    async def hears(self, name: str, seconds: float = 12.0) -> None:
        """Return when a second of what the page plays carries ``name``'s voice."""
        deadline, scores = time.monotonic() + seconds, {}
        while time.monotonic() < deadline:
            scores = heard(await self.ears.listen(1.0))
            if scores[name] > PRESENT:
                return
        raise AssertionError(f"{self.name} does not hear {name}: {scores}")

    async def hears_nobody(self, seconds: float = 1.0) -> None:
        sound = await self.ears.listen(seconds)
        assert loudness(sound) < -50, f"{self.name} hears {loudness(sound):.0f} dBFS"

    async def record(self, during: Callable[[], Awaitable[object]]) -> np.ndarray:
        """What the page plays from now until ``during`` is done and a second more."""
        await self.ears.take()
        await during()
        return np.concatenate([(await self.ears.take())[0], await self.ears.listen(1.0)])

    async def account(self) -> Person:
        """The same person at the API, by the page's cookie."""
        cookies = await self.page.context.cookies(self.url)
        return Person.of_session(self.url, next(each["value"] for each in cookies if each["name"] == "rostra_session"))


def longest_silence(sound: np.ndarray, floor: float = -50.0) -> float:
    """Seconds of the longest stretch below ``floor`` dBFS."""
    step = RATE // 100
    frames = sound[: len(sound) // step * step].reshape(-1, step)
    longest = now = 0
    for frame in frames:
        now = now + 1 if loudness(frame) < floor else 0
        longest = max(longest, now)
    return longest / 100
