"""Event streams against commands: one Space, N open streams in processes of their own, and how long a command takes with and without.

Usage: streams.py [--streams 1000] [--commands 200]"""

import argparse
import asyncio
import multiprocessing as mp
import time
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from common import Person, Server, cpu_seconds, median, percentile, proportional_kib, report, serving


async def read(host: str, port: int, space: str, seen: list[int]) -> None:
    """One stream; counts the numbered events that arrive."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET /api/v1/spaces/{space}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    while data := await reader.read(65_536):
        seen[0] += data.count(b"\nid: ") + data.startswith(b"id: ")
        if not seen[1]:
            seen[1] = 1


def crowd(url: str, space: str, streams: int, ready: Event, stop: Event, out: mp.Queue) -> None:
    """Holds ``streams`` open; says when all have begun, and at the end how many events came."""

    async def run() -> None:
        where = urlsplit(url)
        counts = [[0, 0] for _ in range(streams)]
        tasks = [asyncio.create_task(read(where.hostname or "", where.port or 80, space, seen)) for seen in counts]
        while not stop.is_set():
            if all(seen[1] for seen in counts):
                ready.set()
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        out.put(sum(seen[0] for seen in counts))
        for task in tasks:
            task.cancel()

    asyncio.run(run())


def measure(server: Server, host: Person, space: str, commands: int) -> tuple[list[float], float]:
    """Times of commands at ten a second, and the api's CPU for each."""
    (api,) = server.children("api")
    took, before = [], cpu_seconds(api)
    for at in range(commands):
        started = time.perf_counter()
        host.must(space, "lock_stage" if at % 2 == 0 else "unlock_stage")
        took.append(time.perf_counter() - started)
        time.sleep(0.1)
    return took, (cpu_seconds(api) - before) / commands


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--commands", type=int, default=200)
    given = parser.parse_args()
    with serving() as server:
        host = Person(server.url, "Host")
        space = host.open_space()
        (api,) = server.children("api")
        alone, alone_cpu = measure(server, host, space, given.commands)
        memory = proportional_kib(api)
        ready, stop, out = mp.Event(), mp.Event(), mp.Queue()
        process = mp.Process(target=crowd, args=(server.url, space, given.streams, ready, stop, out))
        process.start()
        assert ready.wait(60), "the streams did not open"
        beside, beside_cpu = measure(server, host, space, given.commands)
        slope = (proportional_kib(api) - memory) / given.streams
        stop.set()
        delivered = out.get(timeout=30)
        process.join()
    expected = given.streams * given.commands
    milli = {name: round(value * 1000, 2) for name, value in (("alone_p50", median(alone)), ("alone_p95", percentile(alone, 0.95)))}
    milli |= {name: round(value * 1000, 2) for name, value in (("beside_p50", median(beside)), ("beside_p95", percentile(beside, 0.95)))}
    figures = {"streams": given.streams, "commands": given.commands, "delivered": delivered, "expected": expected, "command_ms": milli}
    figures |= {"broadcast_cpu_ms": round((beside_cpu - alone_cpu) * 1000, 1), "kib_per_stream": round(slope, 1)}
    report("streams", figures)
    assert delivered == expected, "events were lost"


if __name__ == "__main__":
    main()
