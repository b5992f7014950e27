"""axe finds nothing at WCAG 2.2 AA: every screen and dialog, for every role, light and dark, desk and phone."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect
from server import Person, Server
from visitor import Visitor

OPTIONS = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
LOOKS = (("light", 1280, 800), ("dark", 1280, 800), ("dark", 390, 844))


@dataclass
class World:
    """Spaces in every state, and people in every role."""

    host: Person
    speaker: Person
    muted: Person
    asking: Person
    invited: Person
    removed: Person
    live: str
    planned: str
    ended: str


@pytest.fixture(scope="module")
def world(house: Server) -> World:
    names = ("Amara Okonkwo-Adebayo", "Ben", "Cem Yılmaz", "Dmitri Vasilenko-Hartmann", "Efua", "Farid")
    host, speaker, muted, asking, invited, removed = (Person(house.url, name) for name in names)
    details = {"description": "Nine years at the plant by the river.", "lang": "en", "topics": ["energy", "cities"]}
    live = host.open_space("Who keeps the lights on?", **details)
    for person in (speaker, muted):
        person.seat(host, live)
    host.must(live, "mute", account=muted.id, reason="talking over others")
    asking.must(live, "raise_hand", question="Who pays for the fuel test?")
    host.must(live, "invite_to_stage", account=invited.id)
    host.must(live, "pin", url="https://example.org/report", title="The report")
    host.must(live, "remove", account=removed.id, reason="insults", minutes=60)
    start = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    planned = host.http.post("/api/v1/spaces", json={"title": "Next week: the bridge", "scheduled_start": start, **details}).json()["id"]
    ended = host.open_space("It was good to have you")
    host.must(ended, "end")
    return World(host, speaker, muted, asking, invited, removed, live, planned, ended)


Step = Callable[[Visitor], Awaitable[object]]


async def nothing(_: Visitor) -> None:
    return None


def press(*names: str | re.Pattern[str]) -> Step:
    async def steps(visitor: Visitor) -> None:
        for name in names:
            await visitor.button(name).first.click()

    return steps


async def inside(visitor: Visitor) -> None:
    await visitor.button("Listen in").click()
    await visitor.hearing()


async def asking_form(visitor: Visitor) -> None:
    await inside(visitor)
    await visitor.button("Raise hand").click()
    await expect(visitor.page.get_by_role("form", name="Raise your hand")).to_be_visible()


async def settings(visitor: Visitor) -> None:
    await inside(visitor)
    await visitor.button("Sound and settings").click()


async def selected(visitor: Visitor) -> None:
    await visitor.select_seat(2)


async def removing(visitor: Visitor) -> None:
    await visitor.select_seat(2)
    await visitor.button(re.compile("^Remove…")).click()


async def later(visitor: Visitor) -> None:
    await visitor.button("Later").click()


async def profile(visitor: Visitor) -> None:
    await visitor.button(re.compile("^Seat 2,")).click()


# Name: who, where (a field of World for the Space), a text that says that it is there, and what to do first.
SCREENS: dict[str, tuple[str, str, str, Step]] = {
    "home": ("", "/", "Who keeps the lights on?", nothing),
    "start a Space": ("", "/", "Go live now", press("Start a Space")),
    "schedule": ("host", "/schedule", "Spoken language", later),
    "door": ("", "/s/{live}", "Just listen", nothing),
    "listener": ("", "/s/{live}/join", "Raise hand", inside),
    "raising a hand": ("", "/s/{live}/join", "Your question", asking_form),
    "hand up": ("asking", "/s/{live}/join", "Hand up", inside),
    "settings": ("", "/s/{live}/join", "Dark theme", settings),
    "called": ("invited", "/s/{live}/join", "The hosts are calling you up", inside),
    "speaker": ("speaker", "/s/{live}", "Your mic is off", nothing),
    "profile": ("speaker", "/s/{live}", "Ben", profile),
    "muted speaker": ("muted", "/s/{live}", "A host muted you", nothing),
    "host": ("host", "/s/{live}", "The desk", nothing),
    "host, a seat selected": ("host", "/s/{live}", "To audience", selected),
    "host, removing": ("host", "/s/{live}", "They may come back", removing),
    "host before it starts": ("host", "/s/{planned}", "Go live now", nothing),
    "waiting": ("", "/s/{planned}", "Coming up", nothing),
    "ended": ("", "/s/{ended}", "This Space is over", nothing),
    "removed": ("removed", "/s/{live}", "You were removed from this Space", nothing),
    "nothing here": ("", "/s/aaaaaaaa", "There is nothing here", nothing),
}


@pytest.mark.parametrize("screen", SCREENS)
async def test_axe_finds_nothing(screen: str, house: Server, world: World, ann: Browser, closing: list) -> None:
    who, path, text, prepare = SCREENS[screen]
    visitor = await Visitor.arrive(ann, house.url, "Visitor", color_scheme="light", viewport={"width": 1280, "height": 800})
    closing.append(visitor)
    if who:
        await visitor.be(getattr(world, who))
    await visitor.page.goto(path.format(live=world.live, planned=world.planned, ended=world.ended))
    await prepare(visitor)
    await expect(visitor.page.get_by_text(text).first).to_be_attached()
    found: dict[str, str] = {}
    for scheme, width, height in LOOKS:
        await visitor.page.set_viewport_size({"width": width, "height": height})
        await visitor.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        results = await Axe().run(visitor.page, options=OPTIONS)
        assert "color-contrast" in {rule["id"] for rule in results.response["passes"]}, "axe measured nothing"
        for violation in results.response["violations"]:
            nodes = [f"  {node['html'][:200]} | {node['failureSummary'][:260]}" for node in violation["nodes"][:3]]
            found.setdefault(violation["id"], "\n".join([f"{violation['id']}, {scheme} {width}: {violation['help']}", *nodes]))
    assert not found, "\n" + "\n".join(found.values())
