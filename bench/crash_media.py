"""The media process killed, again and again, while two browsers and 200 listeners hear: how long nobody heard, and who reconnected.

Holes are gaps between packets at relays in front of the media port, by the kernel's clock; a packet comes every 20 ms anyway. Chromium's
hole is the longest silence in what its page played. Usage: crash_media.py [--kills 40] [--listeners 200] [--pause 2]"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import Person, Server, median, percentile, report, serving

# isort: split
from chromium import chromium
from firefox import Firefox
from foreign import Connection, hears, listen
from load import load, result, speaking, wait_for
from server import private_address
from sounds import heard, voice, write_wav
from visitor import Visitor, longest_silence
from waiting import eventually
from wire import Wire, last_heard, longest_gap

BOUND_MS = 250
POSTS = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/whep')).length"


async def kill(server: Server) -> float:
    """Kill the process in charge; the wall time. Returns when another is, with a standby behind it."""
    (pid,) = server.children("media")
    killed = time.time()
    server.kill("media")
    await eventually(lambda: server.children("media") not in ([], [pid]) and bool(server.children("media standby")), 10)
    return killed


async def holes(server: Server, kills: int, pause: float, wires: list[Wire], page: Visitor) -> tuple[list[float], list[float]]:
    """Of each kill, the longest gap at each relay and the longest silence in the page, in ms."""
    gaps, silences = [], []
    for _ in range(kills):
        await page.ears.take()
        killed = await kill(server)
        await asyncio.sleep(max(0.0, killed + pause - time.time()))
        gaps += [longest_gap(wire.down, killed - 0.05, killed + pause - 0.2) * 1000 for wire in wires]
        silences.append(longest_silence((await page.ears.take())[0]) * 1000)
    return gaps, silences


def in_firefox(firefox: Firefox, link: str) -> None:
    firefox.goto(link)
    firefox.click("//button[normalize-space()='Listen in']")
    firefox.find("//button[@aria-label='Silence the stage for me']")
    assert heard(firefox.listen(2.0))["ann"] > 5


async def listening(stack: AsyncExitStack, whep: str, wires: list[Wire]) -> list[Connection]:
    """A listener behind each relay, every one of whom hears the speaker who will be muted."""
    connections = [await listen(whep, wire=wire) for wire in wires]
    for connection in connections:
        stack.push_async_callback(connection.close)
        await hears(connection, "ben")
    return connections


async def reconnected(page: Visitor, firefox: Firefox, connections: list[Connection]) -> dict[str, int]:
    """How often each kind of listener had to connect again."""
    return {
        "chromium": await page.page.evaluate(f"{POSTS} - 1"),
        "firefox": await asyncio.to_thread(firefox.run, f"return {POSTS} - 1"),
        "aiortc": sum(each.states != ["connecting", "connected"] for each in connections),
    }


def summary(gaps: list[float], silences: list[float]) -> dict[str, Any]:
    """The holes and silences, in ms."""
    return {
        "hole_p50_ms": round(median(gaps), 1),
        "hole_p95_ms": round(percentile(gaps, 0.95), 1),
        "hole_max_ms": round(max(gaps), 1),
        "chromium_silence_ms": {"p50": median(silences), "p95": percentile(silences, 0.95), "max": max(silences)},
    }


async def run(kills: int, listeners: int, pause: float, folder: Path, address: str) -> None:
    settings = {"ROSTRA_MEDIA_UDP": "0.0.0.0:0", "ROSTRA_MEDIA_ADVERTISE": address}
    async with AsyncExitStack() as stack:
        server = stack.enter_context(serving(**settings))
        host, muted, removed = (Person(server.url, name) for name in ("Host", "Muted", "Removed"))
        space = host.open_space()
        for person in (muted, removed):
            person.seat(host, space)
        whip, whep = server.door(space, "whip"), server.door(space, "whep")
        stack.enter_context(speaking(whip, host.token, "--wav", write_wav(folder / "ann.wav", voice("ann"))))
        stack.enter_context(speaking(whip, muted.token, "--wav", write_wav(folder / "ben.wav", voice("ben"))))
        wires = [Wire() for _ in range(3)]
        for wire in wires:
            stack.callback(wire.close)
        connections = await listening(stack, whep, wires)
        browser = await stack.enter_async_context(chromium())
        page = await Visitor.arrive(browser, server.url, "Listener")
        await page.listen_in(space)
        await page.ears.open()
        firefox = await asyncio.to_thread(stack.enter_context, Firefox(folder))
        await asyncio.to_thread(in_firefox, firefox, f"{server.url}/s/{space}")
        host.must(space, "mute", account=muted.id)
        host.must(space, "remove", account=removed.id, reason="insults", minutes=60)
        settled = time.time() + 0.2
        seconds = kills * (pause + 1.5) + 5
        crowd = stack.enter_context(load("listen", "--url", whep, "--listeners", listeners, "--seconds", seconds, "--json"))
        await asyncio.to_thread(wait_for, crowd.stderr, "^joined:")
        gaps, silences = await holes(server, kills, pause, wires, page)
        still = [last_heard(wire.down, 2) < settled and last_heard(wire.down, 1) > time.time() - 1 for wire in wires]
        await page.hears("ann")
        sound = heard(await asyncio.to_thread(firefox.listen, 2.0))
        reconnects = await reconnected(page, firefox, connections)
        refused = removed.http.post(whep, content="v=0\r\n", headers={"Content-Type": "application/sdp"}).json()["code"]
        found = await asyncio.to_thread(result, crowd)
    figures: dict[str, Any] = {"kills": kills, "listeners": listeners, "bound_p95_ms": BOUND_MS, **summary(gaps, silences)}
    figures["reconnects"] = sum(reconnects.values()) + found["reconnects"]
    figures["reconnects_of"] = reconnects | {"media_load": found["reconnects"]}
    figures["mutes_and_removals_hold"] = all(still) and refused == "removed"
    crowd_said = ("connected", "failed", "expired", "lost_percent", "silent_ms", "late_ms", "sample", "generator")
    figures["crowd"] = {name: found[name] for name in crowd_said}
    report("crash_media", figures)
    assert sound["ann"] > 5 and figures["reconnects"] == 0 and found["connected"] == listeners
    assert figures["mutes_and_removals_hold"] and figures["hole_p95_ms"] <= BOUND_MS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--pause", type=float, default=2.0)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="rostra-bench-") as folder, private_address() as address:
        asyncio.run(run(given.kills, given.listeners, given.pause, Path(folder), address))


if __name__ == "__main__":
    main()
