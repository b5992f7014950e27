"""Accounts and the tokens that prove them, with a cache so that a join asks no database."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

from rostra.domain.commands import Account
from rostra.domain.errors import Refused
from rostra.domain.ids import AccountId
from rostra.domain.text import clean
from rostra.ports import Accounts, Clock, Conflict, Ids

SESSION_DAYS = 30
CACHED = 100_000
FRESH_SECONDS = 600.0
"""How long a cached token is believed; ending a session here forgets it at once."""


@dataclass(frozen=True, slots=True)
class _Known:
    account: Account
    until: float


class AccountService:
    """Guests, their tokens and devices."""

    def __init__(self, store: Accounts, clock: Clock, ids: Ids) -> None:
        self._store, self._clock, self._ids = store, clock, ids
        self._tokens: OrderedDict[bytes, _Known] = OrderedDict()
        self._accounts: OrderedDict[AccountId, Account] = OrderedDict()

    async def create_guest(self, name: object, device: str) -> tuple[Account, str]:
        """A new guest and the bearer token of their first session. Raises ``Refused("invalid")`` for a bad name."""
        shown = clean("name", name, "name", required=True)
        token, now = self._ids.token(), self._clock.now()
        while True:
            account_id = self._ids.account()
            account = Account(account_id, f"guest-{account_id[:8]}", shown, guest=True)
            try:
                await self._store.create(account, _hash(token), device, now, now + timedelta(days=SESSION_DAYS))
            except Conflict:
                continue  # A handle of eight random letters was taken: draw again.
            self._remember(_hash(token), account)
            return account, token

    async def by_token(self, token: str) -> Account | None:
        """Whose token this is; one statement at most, none when warm."""
        key = _hash(token)
        known = self._tokens.get(key)
        if known is not None and self._clock.monotonic() < known.until:
            self._tokens.move_to_end(key)
            return known.account
        account = await self._store.by_token(key, self._clock.now())
        if account is not None:
            self._remember(key, account)
        return account

    async def by_id(self, account_id: str) -> Account:
        """Raises ``Refused("account_not_found")``."""
        known = self._accounts.get(AccountId(account_id)) or await self._store.by_id(AccountId(account_id))
        if known is None:
            raise Refused("account_not_found", "there is no such account")
        self._keep(known)
        return known

    async def end_session(self, token: str) -> None:
        """Sign out: the token opens nothing from now on."""
        await self._store.end_session(_hash(token))
        self._tokens.pop(_hash(token), None)

    async def devices(self, account: AccountId) -> set[str]:
        return await self._store.devices(account)

    def _remember(self, key: bytes, account: Account) -> None:
        self._tokens[key] = _Known(account, self._clock.monotonic() + FRESH_SECONDS)
        while len(self._tokens) > CACHED:
            self._tokens.popitem(last=False)
        self._keep(account)

    def _keep(self, account: Account) -> None:
        self._accounts[account.id] = account
        self._accounts.move_to_end(account.id)
        while len(self._accounts) > CACHED:
            self._accounts.popitem(last=False)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
