"""Commands on one Space: how many a second are acknowledged, how long one takes, and whether the log kept them all.

On SQLite and on a PostgreSQL of its own, which syncs as in earnest. The client is as lean as can be, because it shares the machine.
Usage: commands.py [--seconds 10] [--writers 8] [--database sqlite|postgresql|both]"""

import argparse
import asyncio
import json
import time
from contextlib import ExitStack
from typing import Any

from common import Person, cpu_seconds, median, percentile, report, serving

# isort: split
from private_postgres import PrivatePostgres

BOUND_PER_SECOND = 200


async def writer(url: str, space: str, token: str, until: float, took: list[float]) -> int:
    """Raise a hand and lower it, over and over, on one connection: each changes the log."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, sink = await asyncio.open_connection(host, int(port))
    head = f"POST /api/v1/spaces/{space}/commands HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: "
    bodies = [json.dumps({"type": kind}) for kind in ("raise_hand", "lower_hand")]
    requests = [f"{head}{len(body)}\r\n\r\n{body}".encode() for body in bodies]
    done = 0
    while time.monotonic() < until:
        for request in requests:
            started = time.perf_counter()
            sink.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            took.append(time.perf_counter() - started)
            assert answer.startswith(b"HTTP/1.1 200 ") and body.count(b'"seq"') == 2, answer + body
            done += 1
    sink.close()
    return done


async def measure(database: str, seconds: float, writers: int) -> dict[str, Any]:
    with ExitStack() as stack:
        settings = {}
        if database == "postgresql":
            postgres = PrivatePostgres()
            stack.callback(postgres.close)
            postgres.start()
            settings["ROSTRA_DATABASE_URL"] = postgres.create_database("bench")
        server = stack.enter_context(serving(**settings))
        host = Person(server.url, "Host")
        space = host.open_space()
        people = [Person(server.url, f"Writer {at}") for at in range(writers)]
        before, (api,) = host.snapshot(space)["seq"], server.children("api")
        took: list[float] = []
        used, started = cpu_seconds(api), time.monotonic()
        until = started + seconds
        done = sum(await asyncio.gather(*(writer(server.url, space, each.token, until, took) for each in people)))
        lasted, used = time.monotonic() - started, cpu_seconds(api) - used
        kept = host.snapshot(space)["seq"] - before
        server.kill("api")
        server.ready()
        again = host.snapshot(space)["seq"] - before
    figures = {"database": database, "writers": writers, "seconds": round(lasted, 1)}
    figures |= {"acknowledged": done, "in_the_log": kept, "in_the_log_after_kill": again, "per_second": round(done / lasted)}
    figures |= {"p50_ms": round(median(took) * 1000, 1), "p95_ms": round(percentile(took, 0.95) * 1000, 1)}
    return figures | {"api_core_percent": round(used / lasted * 100), "bound_per_second": BOUND_PER_SECOND}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    given = parser.parse_args()
    for database in ("sqlite", "postgresql") if given.database == "both" else (given.database,):
        figures = await measure(database, given.seconds, given.writers)
        report(f"commands-{database}", figures)
        assert figures["acknowledged"] == figures["in_the_log"] == figures["in_the_log_after_kill"], "acknowledged writes were lost"
        assert figures["per_second"] >= BOUND_PER_SECOND


if __name__ == "__main__":
    asyncio.run(main())
