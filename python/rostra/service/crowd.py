"""What is said of a crowd without a row in the log: counts, reactions, who is present. At most four times a second per Space."""

import asyncio
from typing import Any

from rostra.domain.commands import Account
from rostra.domain.ids import AccountId
from rostra.domain.roles import HOSTS
from rostra.service.accounts import AccountService
from rostra.service.sessions import SessionService
from rostra.service.spaces import Loaded, SpaceService

TICK_SECONDS = 0.25
CROWD = 500
"""From this many streams on, aggregates come once a second."""
BEAT_TICKS = 60
SLOW_SECONDS = 15.0
"""A reader that has taken nothing for this long is cut off, to resume."""


class CrowdService:
    """Counts, reactions and presence."""

    def __init__(self, spaces: SpaceService, sessions: SessionService, accounts: AccountService) -> None:
        self._spaces, self._sessions, self._accounts = spaces, sessions, accounts
        self._hands: dict[str, int] = {}

    def counts(self, loaded: Loaded) -> dict[str, Any]:
        """The ``counts`` aggregate; ``on_air`` names the accounts whose microphone is connected."""
        space = loaded.space
        return {
            "type": "counts",
            "listeners": self._sessions.listeners(space.id),
            "hands": len(space.hands),
            "on_air": sorted(loaded.on_air),
        }

    async def tell(self) -> None:
        """Publish aggregates and heartbeats, for ever."""
        loop, tick = asyncio.get_running_loop(), 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            tick += 1
            for loaded in list(self._spaces.loaded.values()):
                if loaded.feed.streams:
                    self._tell(loaded, tick, loop.time())

    def _tell(self, loaded: Loaded, tick: int, now: float) -> None:
        feed, id = loaded.feed, loaded.space.id
        for stream in feed.streams:
            if stream.sending_since is not None and now - stream.sending_since > SLOW_SECONDS and stream.task is not None:
                stream.task.cancel()
        if tick % BEAT_TICKS == 0:
            feed.beat()
        if len(feed.streams) >= CROWD and tick % 4:
            return
        aggregates: list[dict[str, Any]] = []
        hands = len(loaded.space.hands)
        if id in self._sessions.dirty or self._hands.get(id) != hands:
            self._sessions.dirty.discard(id)
            self._hands[id] = hands
            aggregates.append(self.counts(loaded))
        if reactions := feed.take_reactions():
            aggregates.append({"type": "reactions", "reactions": reactions})
        if aggregates:
            feed.publish_aggregates(aggregates)

    async def participants(self, loaded: Loaded, viewer: Account | None, query: str, role: str) -> list[tuple[Account, str]]:
        """Who is here, stage first, then by name. Listeners appear for hosts, or for everyone where the Space shows them."""
        space = loaded.space
        people = {seat.account.id: seat.account for seat in space.seats.values()}
        viewer_role = space.role(viewer.id if viewer else None)
        if viewer_role in HOSTS or space.details.show_listeners:
            people |= {stream.account.id: stream.account for stream in loaded.feed.streams if stream.account}
            people |= {hand.account.id: hand.account for hand in space.hands.values()}
            for owner in self._sessions.owners(space.id) - people.keys():
                if "." not in owner:
                    account = await self._accounts.by_id(AccountId(owner))
                    people[account.id] = account
        wanted = query.casefold()
        found = [(account, space.role(account.id)) for account in people.values() if wanted in account.name.casefold()]
        order = ("host", "cohost", "speaker", "listener")
        return sorted(
            ((account, kind) for account, kind in found if role in ("", kind)),
            key=lambda item: (order.index(item[1]), item[0].name.casefold(), item[0].id),
        )
