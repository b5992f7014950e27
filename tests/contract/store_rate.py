"""How many appends a second a store sustains, to one Space and to many: `python tests/contract/store_rate.py [URL] [SECONDS]`.

Each append is one command's: one event and its idempotency answer. Without a URL: SQLite and a private PostgreSQL, one after the other."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from private_postgres import PrivatePostgres
from store_examples import card, entry

from rostra.adapters.sql.engine import Store, open_store
from rostra.domain.ids import Seq, SpaceId
from rostra.ports import Answer


async def live(store: Store, space: SpaceId, until: float) -> int:
    """Append until a moment; how many were acknowledged."""
    await store.spaces.append(space, Seq(0), [entry(1)], card(space), None)
    seq = 1
    while time.perf_counter() < until:
        await store.spaces.append(space, Seq(seq), [entry(seq + 1)], None, Answer(f"{space}{seq}", "b", Seq(seq + 1), Seq(seq + 1)))
        seq += 1
    return seq - 1


async def measure(url: str, seconds: float) -> str:
    out = []
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(url, data=Path(folder))
        for spaces in (1, 20):
            names = [SpaceId(f"r{spaces}x{number}x{int(time.time()) % 100000}") for number in range(spaces)]
            began, cpu = time.perf_counter(), time.process_time()
            counts = await asyncio.gather(*(live(store, name, began + seconds) for name in names))
            done, took = sum(counts), time.perf_counter() - began
            out.append(f"{spaces} Space(s): {done / took:.0f}/s, {(time.process_time() - cpu) / done * 1000:.2f} ms of CPU each")
            for name, count in zip(names, counts, strict=True):
                assert len(await store.spaces.entries(name, Seq(0), 1_000_000)) == count + 1, "nothing acknowledged is missing"
        await store.close()
    return "; ".join(out)


def main() -> None:
    url, seconds = (sys.argv[1] if len(sys.argv) > 1 else ""), float(sys.argv[2]) if len(sys.argv) > 2 else 5.0
    if url:
        sys.stdout.write(f"{asyncio.run(measure(url, seconds))}\n")
        return
    sys.stdout.write(f"SQLite: {asyncio.run(measure('', seconds))}\n")
    server = PrivatePostgres()
    try:
        server.start()
        sys.stdout.write(f"PostgreSQL: {asyncio.run(measure(server.url(), seconds))}\n")
    finally:
        server.close()


if __name__ == "__main__":
    main()
