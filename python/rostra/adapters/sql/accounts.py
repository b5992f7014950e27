"""The ``Accounts`` port in SQL. A token is known by its SHA-256 alone: whoever reads the table can sign in as nobody."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from rostra.adapters.sql.database import Database, rows_of
from rostra.adapters.sql.spaces import KEPT
from rostra.adapters.sql.tables import accounts, answers, devices, sessions
from rostra.domain.commands import Account
from rostra.domain.ids import AccountId

_ACCOUNT = (accounts.c.id, accounts.c.handle, accounts.c.name, accounts.c.guest)


class SqlAccounts:
    """Accounts, their sessions and devices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, account: Account, token_hash: bytes, device: str, now: datetime, expires: datetime) -> None:
        person = {"id": account.id, "handle": account.handle, "name": account.name, "guest": account.guest, "created_at": now}
        session = {"token_hash": token_hash, "account_id": account.id, "created_at": now, "expires_at": expires}

        def work(connection: Connection) -> None:
            connection.execute(insert(accounts), person)
            connection.execute(insert(sessions), session)
            if device:
                connection.execute(insert(devices), {"account_id": account.id, "device": device})

        await self._database.write(work)

    async def devices(self, account: AccountId) -> set[str]:
        rows = await rows_of(self._database, select(devices.c.device).where(devices.c.account_id == account), account)
        return {row.device for row in rows}

    async def by_token(self, token_hash: bytes, now: datetime) -> Account | None:
        query = select(*_ACCOUNT).join(sessions, sessions.c.account_id == accounts.c.id)
        rows = await rows_of(self._database, query.where(sessions.c.token_hash == token_hash, sessions.c.expires_at > now))
        return _account(rows[0]) if rows else None

    async def by_id(self, account: AccountId) -> Account | None:
        rows = await rows_of(self._database, select(*_ACCOUNT).where(accounts.c.id == account), account)
        return _account(rows[0]) if rows else None

    async def end_session(self, token_hash: bytes) -> None:
        await self._database.write_one(lambda connection: connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash)))

    async def purge(self, now: datetime) -> int:
        def work(connection: Connection) -> int:
            expired = connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            old = connection.execute(delete(answers).where(answers.c.at <= now - KEPT))
            return expired.rowcount + old.rowcount

        return await self._database.write(work)


def _account(row: Row[Any]) -> Account:
    return Account(AccountId(row.id), row.handle, row.name, row.guest)
