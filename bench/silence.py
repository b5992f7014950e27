"""From the answer to a mute, a removal or a move to the audience until somebody's last sound at a listener, while they go on sending.

The listener is aiortc behind a relay: the moment of each packet is the kernel's, and each packet is decoded by itself. Below zero: silent
before the answer. Usage: silence.py [--times 20]"""

import argparse
import asyncio
import time
from typing import Any

from common import Person, Server, median, percentile, report, serving

# isort: split
from foreign import hears, listen, speak
from sounds import voice
from wire import Wires, last_heard

BOUND_MS = 200


async def once(server: Server, host: Person, kind: str, wires: Wires) -> float:
    """Somebody comes up, speaks, and is silenced; ms from the answer to their last audible packet."""
    person = Person(server.url, "Somebody")
    space = host.open_space()
    person.seat(host, space)
    sending, hearing = wires(), wires()
    sending.is_obstinate = True
    speaker = await speak(server.door(space, "whip"), person.token, voice("ben", 5), sending)
    listener = await listen(server.door(space, "whep"), wire=hearing)
    await hears(listener, "ben")
    fields: dict[str, Any] = {"account": person.id} | ({"reason": "insults", "minutes": 10} if kind == "remove" else {})
    await asyncio.to_thread(host.must, space, kind, **fields)
    answered = time.time()
    await asyncio.sleep(0.8)
    assert sending.up[-1].at > answered + 0.5, "the microphone stopped by itself"
    last = max(last_heard(hearing.down, 2), *(at for at, _ in listener.loud(hearing)))
    await listener.close()
    await speaker.close()
    host.must(space, "end")
    return (last - answered) * 1000


async def run(times: int) -> None:
    figures: dict[str, Any] = {"times_each": times, "bound_ms": BOUND_MS}
    with serving() as server:
        host, wires = Person(server.url, "Host"), Wires()
        for kind in ("mute", "remove", "move_to_audience"):
            took = [await once(server, host, kind, wires) for _ in range(times)]
            figures[kind] = {"p50_ms": round(median(took), 1), "p95_ms": round(percentile(took, 0.95), 1), "max_ms": round(max(took), 1)}
        wires.close()
    report("silence", figures)
    assert all(figures[kind]["max_ms"] <= BOUND_MS for kind in ("mute", "remove", "move_to_audience"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    asyncio.run(run(parser.parse_args().times))


if __name__ == "__main__":
    main()
