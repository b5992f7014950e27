"""The worker process: deletes what is past its keeping and becomes small again without another pid."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rostra.adapters.sql.engine import open_store
from rostra.domain.commands import Account
from rostra.domain.ids import AccountId
from rostra.processes.children import start

NOW = datetime.now(UTC)
TOKENS = {b"expired": NOW - timedelta(seconds=1), b"valid": NOW + timedelta(days=1)}


def test_it_deletes_what_is_expired_and_starts_over(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROSTRA_")}
    worker = start("worker", kept | {"ROSTRA_DATA": str(tmp_path)}, [], {"pause": 0})
    try:
        words: list[str] = []
        while len(words) < 2:  # Ready, and once more after the purge.
            lines = worker.hear()
            assert lines is not None, "the worker died"
            words += lines
        assert words == ["ready", "ready"]
        assert Path(f"/proc/{worker.pid}/cmdline").read_bytes().rstrip(b"\0 ") == b"rostra: worker"
        assert "sqlalchemy" not in Path(f"/proc/{worker.pid}/maps").read_text()
    finally:
        worker.kill()
        os.waitpid(worker.pid, 0)
        os.close(worker.pipe)
    assert asyncio.run(left(tmp_path)) == {b"valid"}


async def fill(data: Path) -> None:
    store = await open_store("", data=data)
    for name, expires in TOKENS.items():
        account = Account(AccountId(name.decode()), name.decode(), name.decode(), guest=True)
        await store.accounts.create(account, name, "", NOW - timedelta(days=1), expires)
    await store.close()


async def left(data: Path) -> set[bytes]:
    """The tokens that are still kept, expired or not."""
    store = await open_store("", data=data)
    found = {token for token in TOKENS if await store.accounts.by_token(token, NOW - timedelta(hours=1)) is not None}
    await store.close()
    return found
