"""The page in a real Chromium: people start a Space, talk, listen, ask, moderate. Sound goes in at microphones and out at elements."""

import re
from typing import Any

import pytest
from chromium import lead_through
from machine import Bystander
from playwright.async_api import Browser, CDPSession, expect
from server import Person, Server
from sounds import heard, loudness
from visitor import ABSENT, MIC_ON, PHONE, PRESENT, Visitor, longest_silence
from wire import Weather, Wires

QUESTION = "Who pays for the fuel test?"


async def opened(browser: Browser, house: Server, closing: list) -> tuple[Visitor, str]:
    """Ann hosts a live Space, and talks."""
    host = await Visitor.arrive(browser, house.url, "Ann Host")
    closing.append(host)
    space = await host.start_space("Who keeps the lights on?")
    await host.turn_mic(on=True)
    return host, space


async def listening(browser: Browser, house: Server, space: str, closing: list, name: str = "Fatou", **options: Any) -> Visitor:
    """Somebody comes by the link and hears Ann."""
    visitor = await Visitor.arrive(browser, house.url, name, **options)
    closing.append(visitor)
    await visitor.listen_in(space)
    await visitor.ears.open()
    await visitor.hears("ann")
    return visitor


async def bring_up(host: Visitor, visitor: Visitor) -> None:
    await visitor.raise_hand(QUESTION)
    await expect(host.page.get_by_text(QUESTION)).to_be_visible()
    await host.button(f"Bring up {visitor.name}").click()
    await visitor.sits()


async def test_from_the_audience_to_the_stage_and_back(house: Server, ann: Browser, ben: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    await host.ears.open()
    stranger = await listening(ann, house, space, closing, "Stranger")
    fatou = await listening(ben, house, space, closing)
    assert heard(await stranger.ears.listen(1.0))["ben"] < ABSENT

    async def up() -> None:
        await bring_up(host, fatou)
        await fatou.turn_mic(on=True)
        await stranger.hears("ben")

    assert longest_silence(await fatou.record(up)) < 1.0, "silence on the way up"
    await host.hears("ben")
    await expect(stranger.page.get_by_role("button", name=re.compile(f"Seat 2, {fatou.name}, Speaker, speaking"))).to_be_visible()
    # On the stage nobody hears themselves.
    scores = heard(await fatou.ears.listen(1.0))
    assert scores["ben"] < ABSENT < scores["ann"], scores

    async def down() -> None:
        await fatou.button("Leave stage").click()
        await expect(fatou.button("Raise hand")).to_be_visible()

    assert longest_silence(await fatou.record(down)) < 1.0, "silence on the way down"
    await fatou.hears("ann")
    assert heard(await stranger.ears.listen(1.0))["ben"] < ABSENT
    assert [error for visitor in (host, stranger, fatou) for error in visitor.errors] == []


async def test_mute_and_removal(house: Server, ann: Browser, ben: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    stranger = await listening(ann, house, space, closing, "Stranger")
    fatou = await listening(ben, house, space, closing)
    await bring_up(host, fatou)
    await fatou.turn_mic(on=True)
    await stranger.hears("ben")
    mute = host.button(f"Mute seat 2, {fatou.name}")
    await mute.click()
    await expect(fatou.page.get_by_text("A host muted you.", exact=True)).to_be_visible()
    assert heard(await stranger.ears.listen(1.0))["ben"] < ABSENT
    await mute.click()
    await fatou.turn_mic(on=True)
    await stranger.hears("ben")
    await host.select_seat(2)
    await host.button(re.compile("^Remove…")).click()
    await host.page.get_by_role("dialog").get_by_role("button", name=re.compile("^Remove for")).click()
    await expect(fatou.page.get_by_role("heading", name="You were removed from this Space")).to_be_visible()
    assert heard(await stranger.ears.listen(1.0))["ben"] < ABSENT
    await fatou.page.reload()
    await expect(fatou.page.get_by_role("heading", name="You were removed from this Space")).to_be_visible()
    assert await fatou.page.locator("audio").count() == 0


async def test_a_host_moves_a_speaker_to_the_audience_without_silence(house: Server, ann: Browser, ben: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    fatou = await listening(ben, house, space, closing)
    await bring_up(host, fatou)

    async def down() -> None:
        await host.select_seat(2)
        await host.button(re.compile("^To audience")).click()
        await expect(fatou.button("Raise hand")).to_be_visible()
        await fatou.hears("ann")

    assert longest_silence(await fatou.record(down)) < 1.0


async def test_a_reload_never_comes_back_unmuted(house: Server, ann: Browser, ben: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    stranger = await listening(ann, house, space, closing, "Stranger")
    fatou = await listening(ben, house, space, closing)
    await bring_up(host, fatou)
    await fatou.turn_mic(on=True)
    await stranger.hears("ben")
    await fatou.page.reload()
    await fatou.sits()
    me = await fatou.account()
    await expect(host.page.get_by_role("group", name=f"Seat 2, {fatou.name}, Mic off")).to_be_visible()
    assert [seat["mic"] for seat in me.snapshot(space)["stage"]] == ["on", "off"]
    assert heard(await stranger.ears.listen(2.0))["ben"] < ABSENT
    # And the sound is there again, with one press at most, because this tab was inside.
    await fatou.hearing_after_a_reload()
    await fatou.ears.open()
    await fatou.hears("ann")


async def test_a_restarted_server_is_found_again_by_the_page(server: Server, ann: Browser, closing: list) -> None:
    host, space = await opened(ann, server, closing)
    stranger = await listening(ann, server, space, closing, "Stranger")
    server.stop()
    await expect(stranger.page.get_by_text("Reconnecting.").or_(stranger.page.get_by_text("We cannot reach the server."))).to_be_visible()
    server.start()
    # Nobody presses anything: the speaker was on in this same visit, so she is on again.
    await expect(host.button(MIC_ON)).to_be_visible(timeout=30_000)
    await stranger.hears("ann", seconds=30.0)


async def test_media_and_api_die_and_the_page_does_not_even_say_so(server: Server, ann: Browser, closing: list) -> None:
    _, space = await opened(ann, server, closing)
    stranger = await listening(ann, server, space, closing, "Stranger")
    made = await stranger.page.evaluate("performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/whep')).length")

    async def deaths() -> None:
        for role in ("media", "api", "media"):
            server.kill(role)
            await stranger.ears.listen(2.5)

    with Bystander() as bystander:
        sound = await stranger.record(deaths)
    assert longest_silence(sound) < 0.4 + bystander.late
    again = await stranger.page.evaluate("performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/whep')).length")
    assert (made, again) == (1, 1), "the page made a new media connection"


async def test_one_press_on_home_is_enough(house: Server, ann: Browser, closing: list) -> None:
    title = "One press and it sounds"
    host = await Visitor.arrive(ann, house.url, "Ann Host")
    closing.append(host)
    space = await host.start_space(title)
    await host.turn_mic(on=True)
    stranger = await Visitor.arrive(ann, house.url, "Stranger")
    closing.append(stranger)
    await stranger.page.goto("/")
    await stranger.page.get_by_role("searchbox").fill(title)
    card = stranger.page.get_by_role("article").filter(has_text=title)
    await card.get_by_role("button", name="Listen in").click()
    await stranger.page.wait_for_url(f"**/s/{space}")
    await stranger.hearing()
    await stranger.ears.open()
    await stranger.hears("ann")


@pytest.mark.parametrize("role", ["listener", "speaker"])
async def test_blocked_playback_asks_for_one_tap(role: str, house: Server, ann: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    stranger = await Visitor.arrive(ann, house.url, "Stranger")
    closing.append(stranger)
    if role == "speaker":
        person = Person(house.url, "Fatou")
        person.seat(await host.account(), space)
        await stranger.be(person)
    # A tab that was inside and is restored, with nobody having touched it: the browser then wants a tap first.
    await stranger.page.add_init_script(f"sessionStorage.setItem('rostra.inside', '{space}')")
    await stranger.page.goto(f"/s/{space}")
    untouched = await stranger.page.context.new_cdp_session(stranger.page)
    await until(untouched, "[...document.querySelectorAll('button')].some((one) => one.innerText.includes('Tap to hear'))")
    taps = stranger.button("Tap to hear")
    assert await taps.count() == 1
    await taps.click()
    await stranger.hearing()
    await stranger.ears.open()
    await stranger.hears("ann")


async def until(session: CDPSession, condition: str) -> None:
    """Wait for a condition in the page without giving the page the user activation that Playwright's own calls give."""
    look = f"const look = () => (({condition}) ? done(true) : setTimeout(look, 50)); look(); setTimeout(() => done(false), 10000);"
    wish = {"expression": f"new Promise((done) => {{ {look} }})", "awaitPromise": True, "returnByValue": True, "userGesture": False}
    answer = await session.send("Runtime.evaluate", wish)
    assert answer["result"]["value"] is True, condition


async def test_a_phone(house: Server, ann: Browser, ben: Browser, closing: list) -> None:
    host, space = await opened(ann, house, closing)
    fatou = await listening(ben, house, space, closing, **PHONE)
    await bring_up(host, fatou)
    await fatou.turn_mic(on=True)
    await host.ears.open()
    await host.hears("ben")
    for width in (390, 320):
        await fatou.page.set_viewport_size({"width": width, "height": 844})
        assert await fatou.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"scrolls sideways at {width}"


async def test_five_percent_loss_at_the_listener(house: Server, ann: Browser, wires: Wires, closing: list) -> None:
    _, space = await opened(ann, house, closing)
    wire = wires(Weather(loss=0.05, delay=0.02, jitter=0.01, seed=5))
    stranger = await Visitor.arrive(ann, house.url, "Stranger")
    closing.append(stranger)
    await lead_through(stranger.page, wire, "whep")
    await stranger.listen_in(space)
    await stranger.ears.open()
    await stranger.hears("ann")
    sound = await stranger.ears.listen(5.0)
    frames = sound[: len(sound) // 480 * 480].reshape(-1, 480)
    silent = sum(loudness(frame) < -55 for frame in frames) / len(frames)
    assert wire.lost > 5 and heard(sound)["ann"] > PRESENT and silent < 0.05, (wire.lost, heard(sound), silent)
