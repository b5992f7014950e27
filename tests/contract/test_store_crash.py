"""Acknowledged means durable: writers are killed, and PostgreSQL is stopped as in a crash, at moments nobody chose."""

import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from private_postgres import PrivatePostgres

from rostra.adapters.sql.engine import open_store
from rostra.domain.ids import AccountId, Seq, SpaceId

WRITER = Path(__file__).with_name("store_writer.py")
Acknowledged = dict[str, int]


def start(url: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(WRITER), url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read(writer: subprocess.Popen[str], acknowledged: Acknowledged, lines: int) -> None:
    """Note ``lines`` more acknowledgements (all that come, if fewer)."""
    assert writer.stdout is not None
    for _, line in zip(range(lines), writer.stdout, strict=False):
        what, number = line.split()
        acknowledged[what] = max(acknowledged[what], int(number))


def finish(writer: subprocess.Popen[str], acknowledged: Acknowledged) -> str:
    read(writer, acknowledged, 10**9)
    return writer.communicate(timeout=30)[1]


async def check(url: str, acknowledged: Acknowledged) -> None:
    """Everything acknowledged is there, whole and without gaps."""
    store = await open_store(url, data=Path())
    try:
        for space, seq in acknowledged.items():
            if space == "account":
                account = await store.accounts.by_id(AccountId(f"a{seq}"))
                assert account is not None and await store.accounts.devices(account.id) == {"device"}
                continue
            log = await store.spaces.entries(SpaceId(space), Seq(0), 1_000_000)
            assert [entry.seq for entry in log] == list(range(1, len(log) + 1)) and seq <= len(log) <= seq + 1
            assert {answer.key for answer in await store.spaces.answers(SpaceId(space))} == {f"{space}-{entry.seq}" for entry in log}
    finally:
        await store.close()


async def test_a_killed_writer_loses_nothing_acknowledged(url: str) -> None:
    acknowledged: Acknowledged = defaultdict(int)
    for lines in (1, 90, 211):
        writer = start(url)
        read(writer, acknowledged, lines)
        os.kill(writer.pid, signal.SIGKILL)
        finish(writer, acknowledged)
        await check(url, acknowledged)
    assert sum(acknowledged.values()) > 290 and len(acknowledged) == 5


async def test_postgres_crashing_loses_nothing_acknowledged(postgres: PrivatePostgres) -> None:
    url = postgres.create_database("crashing")
    acknowledged: Acknowledged = defaultdict(int)
    for lines in (50, 120):
        writer = start(url)
        read(writer, acknowledged, lines)
        postgres.stop_immediately()
        assert "Unavailable" in finish(writer, acknowledged), "the writer must hear that the database is gone"
        postgres.start()
        await check(url, acknowledged)
    assert sum(acknowledged.values()) > 160
