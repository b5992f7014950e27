"""A Space and its log, for tests that read as scripts."""

import copy
from datetime import UTC, datetime

import pytest

from rostra.adapters.codec import decode_event, encode_event
from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.handle import create, handle
from rostra.domain.ids import AccountId, SpaceId
from rostra.domain.space import Space
from rostra.domain.views import wire_name

NOW = datetime(2026, 11, 24, 9, 0, 0, 654321, tzinfo=UTC)


def person(name: str) -> c.Account:
    """An account whose id, handle and name say the same."""
    return c.Account(AccountId(name), name, name.title(), guest=True)


HOST, ANN, BEN, CEM, DAN = (person(name) for name in ("host", "ann", "ben", "cem", "dan"))


class Script:
    """One Space, commanded line by line."""

    def __init__(self, seats: int = 3, *, open: bool = True, who_may_speak: str = "everyone") -> None:
        self.space = Space(SpaceId("s"))
        self.log: list[e.Entry] = []
        self.now = NOW
        self.append(create(c.CreateSpace(c.Details("Title", who_may_speak=who_may_speak), seats, open), HOST), HOST)

    def append(self, events: list[e.Event], by: c.Account) -> None:
        """Let events happen."""
        for event in events:
            entry = e.Entry(len(self.log) + 1, self.now, by.id, event)
            self.log.append(entry)
            self.space.apply(entry)

    def do(self, by: c.Account, command: c.Command) -> list[str]:
        """What a command makes happen, by type."""
        events = handle(self.space, command, by, self.now)
        self.append(events, by)
        return [wire_name(type(event)) for event in events]

    def refused(self, by: c.Account, command: c.Command) -> str:
        """The code a command is refused with; it must change nothing."""
        before = copy.deepcopy(self.space)
        with pytest.raises(Refused) as refusal:
            handle(self.space, command, by, self.now)
        assert self.space == before
        return refusal.value.code

    def seat(self, *people: c.Account) -> None:
        """Bring people to the stage by their hands."""
        for who in people:
            self.do(who, c.RaiseHand())
            self.do(HOST, c.ApproveHand(who.id))

    def rebuilt(self) -> Space:
        """The Space as the stored log makes it again."""
        space = Space(SpaceId("s"))
        for entry in self.log:
            space.apply(e.Entry(entry.seq, entry.at, entry.actor, decode_event(*encode_event(entry.event))))
        return space
