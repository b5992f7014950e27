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
    audience: ClassVar[Audience] = "public"
    host: Account
    details: Details
    seats: int


@dataclass(frozen=True, slots=True)
class SpaceOpened(Event):
    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class SpaceEnded(Event):
    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class SpaceCanceled(Event):
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
    account: AccountId


@dataclass(frozen=True, slots=True)
class HandDeclined(Event):
    account: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Invited(Event):
    account: Account


@dataclass(frozen=True, slots=True)
class InviteDeclined(Event):
    account: AccountId


@dataclass(frozen=True, slots=True)
class SpeakerSeated(Event):
    """Someone sits on the stage, microphone off; a hand or invite of theirs is used up."""

    audience: ClassVar[Audience] = "public"
    account: Account
    role: Role
    csrc: Csrc


@dataclass(frozen=True, slots=True)
class SpeakerUnseated(Event):
    """A seat became free. ``reason`` is the host's text and is for hosts and the person alone."""

    visible_to_all: ClassVar[tuple[str, ...]] = ("account", "cause")
    account: AccountId
    cause: Literal["stepped_down", "moved", "removed"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MicChanged(Event):
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
    audience: ClassVar[Audience] = "public"
    account: AccountId


@dataclass(frozen=True, slots=True)
class CohostAdded(Event):
    audience: ClassVar[Audience] = "public"
    account: Account


@dataclass(frozen=True, slots=True)
class CohostRemoved(Event):
    audience: ClassVar[Audience] = "public"
    account: AccountId


@dataclass(frozen=True, slots=True)
class HostTransferred(Event):
    """The Space has a new host; the old one is a co-host now."""

    audience: ClassVar[Audience] = "public"
    account: Account


@dataclass(frozen=True, slots=True)
class Removed(Event):
    """Out of the Space until ``until`` (None: for its whole life). A ``SpeakerUnseated`` precedes it if they had a seat."""

    account: Account
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Banned(Event):
    account: Account
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Unbanned(Event):
    account: AccountId


@dataclass(frozen=True, slots=True)
class Warned(Event):
    account: Account
    text: str


@dataclass(frozen=True, slots=True)
class StageLocked(Event):
    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class StageUnlocked(Event):
    audience: ClassVar[Audience] = "public"


@dataclass(frozen=True, slots=True)
class Pinned(Event):
    audience: ClassVar[Audience] = "public"
    pin: PinId
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class Unpinned(Event):
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
