"""A process that appends to Spaces as fast as it can and says each seq once it is acknowledged; the crash tests kill it."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from store_examples import ANN, card, entry

from rostra.adapters.sql.engine import Store, open_store
from rostra.domain.commands import Account
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.ports import Answer, Conflict


async def live(store: Store, space: SpaceId) -> None:
    """Append for ever, on from where the log is."""
    seq = len(await store.spaces.entries(space, Seq(0), 1_000_000))
    while True:
        answer = Answer(f"{space}-{seq + 1}", "b", Seq(seq + 1), Seq(seq + 1))
        await store.spaces.append(space, Seq(seq), [entry(seq + 1, at=datetime.now(UTC))], card(space) if seq % 5 == 0 else None, answer)
        seq += 1
        sys.stdout.write(f"{space} {seq}\n")
        sys.stdout.flush()


async def join(store: Store, start: int) -> None:
    """Make accounts for ever."""
    for number in range(start, 1_000_000):
        account = Account(AccountId(f"a{number}"), f"a{number}", ANN.name, guest=True)
        try:
            await store.accounts.create(account, number.to_bytes(32, "big"), "device", datetime.now(UTC), datetime.now(UTC))
        except Conflict:
            continue  # An earlier life of this process made it.
        sys.stdout.write(f"account {number}\n")
        sys.stdout.flush()


async def main(url: str) -> None:
    store = await open_store(url, data=Path())
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(live(store, SpaceId(f"crash{number}")))
        group.create_task(join(store, 0))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
