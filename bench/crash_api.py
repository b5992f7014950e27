"""The api process killed, again and again, under load: gaps in the sound, events lost or repeated, acknowledged commands lost.

Somebody speaks steadily, 200 listeners hear, 20 readers follow the events, and one host commands without a pause.
Usage: crash_api.py [--kills 10] [--listeners 200] [--readers 20]"""

import argparse
import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import Person, median, percentile, report, serving

# isort: split
from following import Follower
from foreign import hears, listen
from load import load, result, speaking, wait_for
from machine import Bystander
from sounds import voice, write_wav
from wire import Wire, longest_gap
from writer import Writer

BOUND_MS = 60


async def run(kills: int, listeners: int, readers: int, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        server = stack.enter_context(serving())
        host = Person(server.url, "Host")
        space = host.open_space()
        sound = write_wav(folder / "ann.wav", voice("ann"))
        stack.enter_context(speaking(server.door(space, "whip"), host.token, "--wav", sound))
        wire = Wire()
        stack.callback(wire.close)
        connection = await listen(server.door(space, "whep"), wire=wire)
        stack.push_async_callback(connection.close)
        await hears(connection, "ann")
        followers = [Follower(server.url, space).start() for _ in range(readers)]
        for follower in followers:
            stack.push_async_callback(follower.stop)
        words = ("--url", server.door(space, "whep"), "--listeners", listeners, "--seconds", kills * 4 + 5, "--json")
        crowd = stack.enter_context(load("listen", *words))
        await asyncio.to_thread(wait_for, crowd.stderr, "^joined:")
        away, started = [], time.time()
        async with Writer(server.url, space, host.token).writing() as writer:
            with Bystander() as bystander:
                for _ in range(kills):
                    await writer.more(100)
                    killed = time.time()
                    server.kill("api")
                    await writer.more(1)
                    away.append((time.time() - killed) * 1000)
        gap, states = longest_gap(wire.down, started, time.time()) * 1000, connection.states[:]
        kept = host.snapshot(space)["seq"]
        for follower in followers:
            await follower.until(kept)
        exact = all(follower.seqs == list(range(1, kept + 1)) for follower in followers)
        lost = set(writer.acknowledged) - set(range(1, kept + 1))
        found = await asyncio.to_thread(result, crowd)
    figures: dict[str, Any] = {"kills": kills, "listeners": listeners, "readers": readers, "bound_gap_ms": BOUND_MS}
    figures |= {
        "longest_gap_ms": round(gap, 1),
        "crowd_silent_ms": found["silent_ms"],
        "bystander_late_ms": round(bystander.late * 1000, 1),
    }
    figures |= {"acknowledged": len(writer.acknowledged), "acknowledged_and_lost": len(lost), "events": kept, "events_exact": exact}
    figures |= {"away_p50_ms": round(median(away)), "away_p95_ms": round(percentile(away, 0.95)), "reconnects": found["reconnects"]}
    report("crash_api", figures)
    assert gap <= BOUND_MS and exact and not lost and states == ["connecting", "connected"] and found["reconnects"] == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--readers", type=int, default=20)
    given = parser.parse_args()
    with TemporaryDirectory(prefix="rostra-bench-") as folder:
        asyncio.run(run(given.kills, given.listeners, given.readers, Path(folder)))


if __name__ == "__main__":
    main()
