"""A Space: a pure state machine. ``handle`` turns a command into events or refuses it; ``apply`` alone changes anything."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rostra.domain import events as e
from rostra.domain.commands import Account, Details
from rostra.domain.ids import AccountId, Csrc, PinId, Seq, SpaceId
from rostra.domain.state import State, after

_START = Seq(0)


@dataclass(frozen=True, slots=True)
class Seat:
    """One place on the stage. ``number`` is the lowest that was free; ``csrc`` is never used again in this Space."""

    account: Account
    number: int
    csrc: Csrc
    mic: bool = False


@dataclass(frozen=True, slots=True)
class Hand:
    """A request to speak."""

    account: Account
    question: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Mute:
    """A mute that only a host lifts; it outlives the seat."""

    by: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A removal or ban, until a time or for the Space's whole life."""

    account: Account
    reason: str
    until: datetime | None
    kind: str

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class PinnedLink:
    pin: PinId
    url: str
    title: str


@dataclass
class Space:
    """Everything the log says of one Space. Empty until ``SpaceCreated`` is applied."""

    id: SpaceId
    seq: Seq = _START
    state: State = "none"
    details: Details = field(default_factory=lambda: Details(title=""))
    size: int = 0
    host: Account | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seats: dict[AccountId, Seat] = field(default_factory=dict)
    next_csrc: int = 1
    hands: dict[AccountId, Hand] = field(default_factory=dict)
    invites: dict[AccountId, Account] = field(default_factory=dict)
    cohosts: dict[AccountId, Account] = field(default_factory=dict)
    mutes: dict[AccountId, Mute] = field(default_factory=dict)
    exclusions: dict[AccountId, Exclusion] = field(default_factory=dict)
    pins: dict[PinId, PinnedLink] = field(default_factory=dict)
    stage_locked: bool = False
    answering: Hand | None = None  # the hand brought up last, while its owner is seated

    def role(self, account: AccountId | None) -> e.Role:
        """What ``account`` is here; anyone unknown listens."""
        if account is not None:
            if self.host is not None and account == self.host.id:
                return "host"
            if account in self.cohosts:
                return "cohost"
            if account in self.seats:
                return "speaker"
        return "listener"

    def excluded(self, account: AccountId, now: datetime) -> Exclusion | None:
        """The removal or ban in force against ``account``."""
        found = self.exclusions.get(account)
        return found if found is not None and found.holds(now) else None

    def free_seat(self) -> int | None:
        """The lowest free seat number."""
        taken = {seat.number for seat in self.seats.values()}
        return next((number for number in range(1, self.size + 1) if number not in taken), None)

    def apply(self, entry: e.Entry) -> None:
        """Let a fact be true. Entries come in the order of ``seq``, without gaps."""
        assert entry.seq == self.seq + 1, f"entry {entry.seq} cannot follow {self.seq}"
        self.seq = Seq(entry.seq)
        self.state = after(self.state, entry.event)
        _APPLY[type(entry.event)](self, entry.event, entry.at)

    def _seat(self, event: e.SpeakerSeated) -> None:
        number = self.free_seat()
        assert number is not None, "handle checks for room"
        self.hands.pop(event.account.id, None)
        if event.question is not None and event.raised_at is not None:
            self.answering = Hand(event.account, event.question, event.raised_at)
        self.invites.pop(event.account.id, None)
        self.seats[event.account.id] = Seat(event.account, number, event.csrc)
        self.next_csrc = max(self.next_csrc, event.csrc + 1)

    def _unseat(self, account: AccountId) -> None:
        self.seats.pop(account, None)
        if self.answering is not None and self.answering.account.id == account:
            self.answering = None

    def _set_mic(self, account: AccountId, *, on: bool) -> None:
        seat = self.seats.get(account)
        if seat is not None:
            self.seats[account] = Seat(seat.account, seat.number, seat.csrc, on)

    def _exclude(self, event: e.Removed | e.Banned, kind: str) -> None:
        account = event.account.id
        self._unseat(account)
        self.cohosts.pop(account, None)
        self.hands.pop(account, None)
        self.invites.pop(account, None)
        self.exclusions[account] = Exclusion(event.account, event.reason, event.until, kind)


def _created(space: Space, event: e.SpaceCreated, at: datetime) -> None:
    space.host, space.details, space.size, space.created_at = event.host, event.details, event.seats, at


def _opened(space: Space, event: e.SpaceOpened, at: datetime) -> None:
    space.started_at = at


def _over(space: Space, event: e.SpaceEnded | e.SpaceCanceled, at: datetime) -> None:
    space.ended_at = at
    space.hands.clear()
    space.invites.clear()
    for account in list(space.seats):
        space._set_mic(account, on=False)


def _transferred(space: Space, event: e.HostTransferred, at: datetime) -> None:
    if space.host is not None:
        space.cohosts[space.host.id] = space.host
    space.cohosts.pop(event.account.id, None)
    space.hands.pop(event.account.id, None)
    space.host = event.account


def _cohost(space: Space, event: e.CohostAdded, at: datetime) -> None:
    space.cohosts[event.account.id] = event.account


def _muted(space: Space, event: e.Muted, at: datetime) -> None:
    space._set_mic(event.account, on=False)
    space.mutes[event.account] = Mute(event.by, event.reason)


def _details(space: Space, event: e.DetailsUpdated, at: datetime) -> None:
    space.details = event.details


def _lock(*, locked: bool) -> Callable[[Space, Any, datetime], None]:
    def apply(space: Space, event: e.Event, at: datetime) -> None:
        space.stage_locked = locked

    return apply


def _raised(space: Space, event: e.HandRaised, at: datetime) -> None:
    before = space.hands.get(event.account.id)
    space.hands[event.account.id] = Hand(event.account, event.question, before.raised_at if before else at)


def _forget(name: str, key: str = "account") -> Callable[[Space, Any, datetime], None]:
    """Take what the event names out of one of the Space's tables."""

    def apply(space: Space, event: e.Event, at: datetime) -> None:
        getattr(space, name).pop(getattr(event, key), None)

    return apply


def _nothing(space: Space, event: e.Event, at: datetime) -> None:
    """Told to someone; the Space stays as it is."""


_APPLY: dict[type[e.Event], Callable[[Space, Any, datetime], None]] = {
    e.SpaceCreated: _created,
    e.SpaceOpened: _opened,
    e.SpaceEnded: _over,
    e.SpaceCanceled: _over,
    e.DetailsUpdated: _details,
    e.HandRaised: _raised,
    e.HandLowered: _forget("hands"),
    e.HandDeclined: _forget("hands"),
    e.Invited: lambda space, event, at: space.invites.__setitem__(event.account.id, event.account),
    e.InviteDeclined: _forget("invites"),
    e.SpeakerSeated: lambda space, event, at: space._seat(event),
    e.SpeakerUnseated: lambda space, event, at: space._unseat(event.account),
    e.MicChanged: lambda space, event, at: space._set_mic(event.account, on=event.on),
    e.Muted: _muted,
    e.Unmuted: _forget("mutes"),
    e.CohostAdded: _cohost,
    e.CohostRemoved: _forget("cohosts"),
    e.HostTransferred: _transferred,
    e.Removed: lambda space, event, at: space._exclude(event, "removed"),
    e.Banned: lambda space, event, at: space._exclude(event, "banned"),
    e.Unbanned: _forget("exclusions"),
    e.Warned: _nothing,
    e.StageLocked: _lock(locked=True),
    e.StageUnlocked: _lock(locked=False),
    e.Pinned: lambda space, event, at: space.pins.__setitem__(event.pin, PinnedLink(event.pin, event.url, event.title)),
    e.Unpinned: _forget("pins", "pin"),
}
