"""Commands: wishes, in the imperative. ``Space.handle`` turns one into events or refuses it.

``type`` on the wire is the class name in snake case. Commands that need a party the Space does not know yet by name
(an invited, banned or appointed account) carry an ``Account`` resolved by the service layer, never a bare id.
"""

from dataclasses import dataclass
from datetime import datetime

from rostra.domain.ids import AccountId, PinId


@dataclass(frozen=True, slots=True)
class Account:
    """A person as the log names them; ``handle`` is unique, ``name`` is what people read."""

    id: AccountId
    handle: str
    name: str
    guest: bool


@dataclass(frozen=True, slots=True)
class Details:
    """What a Space says of itself. All text is cleaned at the edge (no control or bidi-override characters)."""

    title: str
    description: str = ""
    lang: str = ""
    topics: tuple[str, ...] = ()
    visibility: str = "public"  # public: listed · unlisted: by link only
    scheduled_start: datetime | None = None
    who_may_speak: str = "everyone"  # everyone: hands open to all · invited: hosts invite, no hands
    show_listeners: bool = False  # whether people other than hosts see listeners by name


@dataclass(frozen=True, slots=True)
class CreateSpace:
    """Make a Space whose host is the caller; ``open`` starts it at once."""

    details: Details
    seats: int = 13
    open: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Start a scheduled Space."""


@dataclass(frozen=True, slots=True)
class End:
    """End a live Space for everyone. Host only."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Call off a scheduled Space. Host only."""


@dataclass(frozen=True, slots=True)
class UpdateDetails:
    """Change some of the details: ``changes`` maps a field of ``Details`` to its new value."""

    changes: dict[str, object]


@dataclass(frozen=True, slots=True)
class RaiseHand:
    """Ask to speak. A second one with another question replaces the question and keeps the place."""

    question: str = ""


@dataclass(frozen=True, slots=True)
class LowerHand:
    """Withdraw one's own hand."""


@dataclass(frozen=True, slots=True)
class ApproveHand:
    """Seat the owner of a raised hand at once, microphone off."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class DeclineHand:
    """Take a hand off the queue."""

    account: AccountId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InviteToStage:
    """Offer a seat. The invited person accepts or declines."""

    account: Account


@dataclass(frozen=True, slots=True)
class AcceptInvite:
    """Take the offered seat, microphone off."""


@dataclass(frozen=True, slots=True)
class DeclineInvite:
    """Refuse the offered seat."""


@dataclass(frozen=True, slots=True)
class StepDown:
    """Leave one's own seat and listen on. A host transfers first."""


@dataclass(frozen=True, slots=True)
class MoveToAudience:
    """Take a seat away; the person stays and listens."""

    account: AccountId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetMic:
    """Turn one's own microphone on or off. Refused with ``muted`` while a mute is imposed."""

    on: bool


@dataclass(frozen=True, slots=True)
class Mute:
    """Impose a mute: only a host lifts it."""

    account: AccountId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MuteAll:
    """Impose a mute on every seat but hosts', co-hosts' and ``exempt`` ones."""

    exempt: tuple[AccountId, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmute:
    """Lift an imposed mute; the microphone stays off until its owner turns it on."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class AddCohost:
    """Make someone a co-host. Host only. A co-host on no seat gets one when they take an invite."""

    account: Account


@dataclass(frozen=True, slots=True)
class RemoveCohost:
    """Take the co-host role away; the seat stays."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class TransferHost:
    """Hand the Space to someone else; the old host becomes a co-host."""

    account: Account


@dataclass(frozen=True, slots=True)
class Remove:
    """Put someone out of the Space until ``until`` (None: for its whole life): seat, hand, invite and role go at once."""

    account: Account
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ban:
    """Like ``Remove``, and it may name someone who never came."""

    account: Account
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unban:
    """End a removal or ban early."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell one person something as a host; only they and the hosts see it."""

    account: Account
    text: str


@dataclass(frozen=True, slots=True)
class LockStage:
    """Stop hands, approvals and invites from filling seats."""


@dataclass(frozen=True, slots=True)
class UnlockStage:
    """Open the stage again."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Show a link to everyone. ``pin`` is made by the service layer."""

    pin: PinId
    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Unpin:
    """Take a pinned link down."""

    pin: PinId


@dataclass(frozen=True, slots=True)
class React:
    """Clap, laugh, …: permitted or not like any command, but aggregated and never logged (``handle`` returns no event)."""

    emoji: str


Command = (
    CreateSpace | Open | End | Cancel | UpdateDetails
    | RaiseHand | LowerHand | ApproveHand | DeclineHand | InviteToStage | AcceptInvite | DeclineInvite | StepDown | MoveToAudience
    | SetMic | Mute | MuteAll | Unmute
    | AddCohost | RemoveCohost | TransferHost | Remove | Ban | Unban | Warn
    | LockStage | UnlockStage | Pin | Unpin | React
)  # fmt: skip
