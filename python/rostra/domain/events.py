"""Events: facts, in the past tense. ``Space.apply`` is the only thing that changes a Space, and an event is its only argument.

Each class says who may read its fields (``audience``): private is the default, and a viewer outside the class still gets the
event's seq and type with ``VISIBLE_TO_ALL`` fields only (safety rule 14). ``type`` on the wire is the class name in snake case.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from rostra.domain.commands import Account, Details
from rostra.domain.ids import AccountId, Csrc, PinId

Audience = Literal["public", "stage", "host", "private"]
Role = Literal["host", "cohost", "speaker", "listener"]


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has. Subclasses add facts; seq, time and actor belong to the log entry around it."""

    audience: ClassVar[Audience] = "private"  # private: the hosts and the account it names
    visible_to_all: ClassVar[tuple[str, ...]] = ()  # fields a viewer outside the audience still gets


@dataclass(frozen=True, slots=True)
class SpaceCreated(Event):
    """A Space exists; its host is seated by the entry that follows."""

    audience: ClassVar[Audience] = "public"
    host: Account
    details: Details
    seats: int


@dataclass(frozen=True, slots=True)
class SpaceOpened(Event):
    """The Space is live."""

    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class SpaceEnded(Event):
    """The Space is over, and everyone falls silent."""

    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class SpaceCanceled(Event):
    """A scheduled Space will not happen."""

    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class DetailsUpdated(Event):
    """``details`` is the whole new text, not a difference."""

    audience: ClassVar[Audience] = "public"
    details: Details


@dataclass(frozen=True, slots=True)
class HandRaised(Event):
    """A hand went up, or its question changed."""

    account: Account
    question: str


@dataclass(frozen=True, slots=True)
class HandLowered(Event):
    """Its owner took the hand down."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class HandDeclined(Event):
    """A host took the hand off the queue."""

    account: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Invited(Event):
    """A host offers a seat."""

    account: Account


@dataclass(frozen=True, slots=True)
class InviteDeclined(Event):
    """The offered seat was refused."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class SpeakerSeated(Event):
    """Someone sits on the stage, microphone off; a hand or invite of theirs is used up.

    ``question`` and ``raised_at`` are the hand's, which everyone may read from now on (None: there was no hand). A mute that outlived an
    earlier seat follows as ``Muted``, so that everyone who follows the log knows of it."""

    audience: ClassVar[Audience] = "public"
    account: Account
    role: Role
    csrc: Csrc
    question: str | None = None
    raised_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpeakerUnseated(Event):
    """A seat became free, its microphone with it. ``reason`` is the host's text and is for hosts and the person alone."""

    visible_to_all: ClassVar[tuple[str, ...]] = ("account", "cause")
    account: AccountId
    cause: Literal["stepped_down", "moved", "removed"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MicChanged(Event):
    """Someone turned their own microphone on or off."""

    audience: ClassVar[Audience] = "public"
    account: AccountId
    on: bool


@dataclass(frozen=True, slots=True)
class Muted(Event):
    """A host imposed a mute: the microphone is off and stays off until ``Unmuted``."""

    visible_to_all: ClassVar[tuple[str, ...]] = ("account",)
    account: AccountId
    by: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Unmuted(Event):
    """The imposed mute is lifted; the microphone stays off until its owner turns it on. Who lifted it is for hosts and the person alone."""

    visible_to_all: ClassVar[tuple[str, ...]] = ("account",)
    account: AccountId


@dataclass(frozen=True, slots=True)
class CohostAdded(Event):
    """Someone is a co-host."""

    audience: ClassVar[Audience] = "public"
    account: Account


@dataclass(frozen=True, slots=True)
class CohostRemoved(Event):
    """Someone is no co-host any more; their seat stays."""

    audience: ClassVar[Audience] = "public"
    account: AccountId


@dataclass(frozen=True, slots=True)
class HostTransferred(Event):
    """The Space has a new host; the old one is a co-host now."""

    audience: ClassVar[Audience] = "public"
    account: Account


@dataclass(frozen=True, slots=True)
class Removed(Event):
    """Out of the Space until ``until`` (None: for its whole life). ``SpeakerUnseated`` and ``CohostRemoved`` precede it if they had a seat
    or were a co-host, for these are public and this is not."""

    account: Account
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Banned(Event):
    """As ``Removed``, by a ban."""

    account: Account
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Unbanned(Event):
    """A removal or ban ended early."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Warned(Event):
    """A host told one person something."""

    account: Account
    text: str


@dataclass(frozen=True, slots=True)
class StageLocked(Event):
    """Nobody takes a seat until it is unlocked."""

    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class StageUnlocked(Event):
    """Seats can be taken again."""

    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class Pinned(Event):
    """A link is shown to everyone."""

    audience: ClassVar[Audience] = "public"
    pin: PinId
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Unpinned(Event):
    """A pinned link is gone."""

    audience: ClassVar[Audience] = "public"
    pin: PinId


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a Space's log: a fact, when it became one, and who made it so (None: the server itself)."""

    seq: int
    at: datetime
    actor: AccountId | None
    event: Event


KINDS: tuple[type[Event], ...] = tuple(
    kind for kind in list(globals().values()) if isinstance(kind, type) and issubclass(kind, Event) and kind is not Event
)
"""Every event there is. (``Event.__subclasses__()`` also knows the classes that ``slots=True`` replaced.)"""
