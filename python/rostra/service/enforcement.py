"""From events to the media core: what must be closed before the log says so, and what may open after (safety rule 10)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rostra.domain import events as e
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.domain.space import Space
from rostra.ports import Clock, DenyScope, Grant, Media, Unavailable
from rostra.service.callers import device_owner

PATIENCE_SECONDS = 1.5
"""How long a decision waits for a media core that is being replaced."""
LONGEST_GRANT = timedelta(seconds=15)
"""A grant that nobody renews ends by itself after this long."""


@dataclass(frozen=True, slots=True)
class Deny:
    """Close ``scope`` for ``account``, true from ``seq`` on."""

    account: AccountId
    seq: Seq
    scope: DenyScope


def denies(entries: Sequence[e.Entry]) -> list[Deny]:
    """Who must fall silent or leave because of ``entries``; the widest scope of each account."""
    widest: dict[AccountId, Deny] = {}
    for entry in entries:
        deny = _deny(entry)
        if deny is not None:
            before = widest.get(deny.account)
            scope = deny.scope if before is None or _WIDTH[deny.scope] >= _WIDTH[before.scope] else before.scope
            widest[deny.account] = Deny(deny.account, deny.seq, scope)
    return list(widest.values())


_WIDTH: dict[DenyScope, int] = {"mic": 0, "stage": 1, "space": 2}


def _deny(entry: e.Entry) -> Deny | None:
    seq = Seq(entry.seq)
    match entry.event:
        case e.Muted(account=account) | e.MicChanged(account=account, on=False):
            return Deny(account, seq, "mic")
        case e.SpeakerUnseated(account=account):
            return Deny(account, seq, "stage")
        case e.Removed(account=account) | e.Banned(account=account):
            return Deny(account.id, seq, "space")
    return None


def grants(space: Space) -> list[Grant]:
    """Every microphone of a Space that may be heard now."""
    if space.state != "live":
        return []
    return [Grant(space.id, seat.account.id, seat.csrc, space.seq) for seat in space.seats.values() if seat.mic]


class Enforcer:
    """Makes decisions true on packets."""

    def __init__(self, media: Media, clock: Clock) -> None:
        self._media, self._clock = media, clock

    async def close(self, space: SpaceId, entries: Sequence[e.Entry], devices: Mapping[str, AccountId]) -> datetime | None:
        """Close what ``entries`` deny, on ``devices`` of those put out too; call before they are appended. None when it is true on packets,
        else the latest moment at which somebody may still be heard, because the media core could not be asked."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(self._insist(space, deny, devices) for deny in denies(entries)))
                for entry in entries:
                    if isinstance(entry.event, (e.SpaceEnded, e.SpaceCanceled)):
                        await self._end(space, Seq(entry.seq))
        except TimeoutError:
            return self._clock.now() + LONGEST_GRANT
        return None

    async def open(self, space: Space, entries: Sequence[e.Entry]) -> None:
        """Open what ``entries`` allow; call after they are appended. If the media core is away, the renewal at its return does it."""
        turned_on = {entry.event.account for entry in entries if isinstance(entry.event, e.MicChanged) and entry.event.on}
        for grant in grants(space):
            if grant.account in turned_on:
                try:
                    await self._media.allow(grant)
                except Unavailable:
                    return

    async def _insist(self, space: SpaceId, deny: Deny, devices: Mapping[str, AccountId]) -> None:
        owners: list[str] = [deny.account]
        if deny.scope == "space":
            owners += [device_owner(device) for device, account in devices.items() if account == deny.account]
        for owner in owners:
            while True:
                try:
                    await self._media.deny(space, owner, deny.seq, deny.scope)
                    break
                except Unavailable:
                    await asyncio.sleep(0.02)  # It says when it is back only after it is; a deny may be repeated.

    async def _end(self, space: SpaceId, seq: Seq) -> None:
        while True:
            try:
                return await self._media.close_space(space, seq)
            except Unavailable:
                await asyncio.sleep(0.02)
