"""Commands on one Space: how many a second are acknowledged, how long one takes, and whether the log kept them all.

Usage: commands.py [--seconds 10] [--writers 8] [--database-url postgresql+psycopg://…]"""

import argparse
import asyncio
import time

import httpx
from common import Person, median, percentile, report, serving


async def writer(url: str, space: str, token: str, until: float, took: list[float]) -> int:
    """Raise a hand and lower it, over and over: each changes the log."""
    done = 0
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}) as http:
        while time.monotonic() < until:
            for kind in ("raise_hand", "lower_hand"):
                started = time.perf_counter()
                answer = await http.post(f"/api/v1/spaces/{space}/commands", json={"type": kind})
                took.append(time.perf_counter() - started)
                assert answer.status_code == 200 and len(answer.json()["events"]) == 1, answer.text
                done += 1
    return done


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--database-url", default="")
    given = parser.parse_args()
    with serving(**({"ROSTRA_DATABASE_URL": given.database_url} if given.database_url else {})) as server:
        host = Person(server.url, "Host")
        space = host.open_space()
        writers = [Person(server.url, f"Writer {at}") for at in range(given.writers)]
        took: list[float] = []
        started = time.monotonic()
        until = started + given.seconds
        done = sum(await asyncio.gather(*(writer(server.url, space, each.token, until, took) for each in writers)))
        seconds = time.monotonic() - started
        kept = host.snapshot(space)["seq"] - 3
        server.kill("api")
        again = host.snapshot(space)["seq"] - 3
    figures = {"database": "postgresql" if given.database_url else "sqlite", "writers": given.writers, "seconds": round(seconds, 1)}
    figures |= {"acknowledged": done, "in_the_log": kept, "in_the_log_after_kill": again, "per_second": round(done / seconds)}
    figures |= {"p50_ms": round(median(took) * 1000, 1), "p95_ms": round(percentile(took, 0.95) * 1000, 1)}
    report(f"commands-{figures['database']}", figures)
    assert done == kept == again, "acknowledged writes were lost"


asyncio.run(main())
