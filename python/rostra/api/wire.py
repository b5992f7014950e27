"""What clients send: bodies and commands as msgspec types, the one source for decoding and for the OpenAPI document.

Class names are those of ``rostra.domain.commands``; ``type`` on the wire is the name in snake case."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from rostra.domain.views import wire_name

Id = Annotated[str, Meta(min_length=1, max_length=24)]
Topics = Annotated[list[str], Meta(max_length=3)]
Visibility = Literal["public", "unlisted"]
WhoMaySpeak = Literal["everyone", "invited"]


class NewGuest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take a guest name."""

    name: str


class NewSpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Make a Space. ``scheduled_start`` is RFC 3339 with an offset; ``open`` starts it at once."""

    title: str
    description: str = ""
    lang: str = ""
    topics: Topics = []
    visibility: Visibility = "public"
    scheduled_start: Annotated[datetime, Meta(tz=True)] | None = None
    who_may_speak: WhoMaySpeak = "everyone"
    show_listeners: bool = False
    recording: Literal["off"] = "off"
    seats: Annotated[int, Meta(ge=1, le=50)] = 13
    open: bool = False


class Command(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag=lambda name: wire_name(type(name, (), {})),
):
    """A wish, as sent."""


class Open(Command, frozen=True):
    """Start a scheduled Space."""


class End(Command, frozen=True):
    """End a live Space for everyone."""


class Cancel(Command, frozen=True):
    """Call off a scheduled Space."""


class UpdateDetails(Command, frozen=True):
    """Change some of the details."""

    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    lang: str | UnsetType = UNSET
    topics: Topics | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    scheduled_start: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    who_may_speak: WhoMaySpeak | UnsetType = UNSET
    show_listeners: bool | UnsetType = UNSET


class RaiseHand(Command, frozen=True):
    """Ask to speak."""

    question: str = ""


class LowerHand(Command, frozen=True):
    """Withdraw one's own hand."""


class ApproveHand(Command, frozen=True):
    """Seat the owner of a raised hand at once, microphone off."""

    account: Id


class DeclineHand(Command, frozen=True):
    """Take a hand off the queue."""

    account: Id
    reason: str = ""


class InviteToStage(Command, frozen=True):
    """Offer a seat."""

    account: Id


class AcceptInvite(Command, frozen=True):
    """Take the offered seat, microphone off."""


class DeclineInvite(Command, frozen=True):
    """Refuse the offered seat."""


class StepDown(Command, frozen=True):
    """Leave one's own seat and listen on."""


class MoveToAudience(Command, frozen=True):
    """Take a seat away; the person stays and listens."""

    account: Id
    reason: str = ""


class SetMic(Command, frozen=True):
    """Turn one's own microphone on or off."""

    on: bool


class Mute(Command, frozen=True):
    """Impose a mute: only a host lifts it."""

    account: Id
    reason: str = ""


class MuteAll(Command, frozen=True):
    """Impose a mute on every speaker but hosts, co-hosts and ``except``."""

    exempt: list[Id] = msgspec.field(default_factory=list, name="except")


class Unmute(Command, frozen=True):
    """Lift an imposed mute; the microphone stays off."""

    account: Id


class AddCohost(Command, frozen=True):
    """Make someone a co-host."""

    account: Id


class RemoveCohost(Command, frozen=True):
    """Take the co-host role away; the seat stays."""

    account: Id


class TransferHost(Command, frozen=True):
    """Hand the Space to someone else."""

    account: Id


class Remove(Command, frozen=True):
    """Put someone out, for ``minutes`` or for the Space's whole life."""

    account: Id
    reason: str
    minutes: Annotated[int, Meta(ge=1, le=525_600)] | None = None


class Ban(Command, frozen=True):
    """Put someone out until a time or for the Space's whole life."""

    account: Id
    reason: str
    until: Annotated[datetime, Meta(tz=True)] | None = None


class Unban(Command, frozen=True):
    """End a removal or ban early."""

    account: Id


class Warn(Command, frozen=True):
    """Tell one person something as a host."""

    account: Id
    text: str


class LockStage(Command, frozen=True):
    """Stop hands, approvals and invites from filling seats."""


class UnlockStage(Command, frozen=True):
    """Open the stage again."""


class Pin(Command, frozen=True):
    """Show a link to everyone."""

    url: str
    title: str = ""


class Unpin(Command, frozen=True):
    """Take a pinned link down."""

    pin: Annotated[str, Meta(max_length=24)]


class React(Command, frozen=True):
    """Clap, laugh, …: aggregated, never logged."""

    emoji: Annotated[str, Meta(max_length=16)]


AnyCommand = (
    Open | End | Cancel | UpdateDetails
    | RaiseHand | LowerHand | ApproveHand | DeclineHand | InviteToStage | AcceptInvite | DeclineInvite | StepDown | MoveToAudience
    | SetMic | Mute | MuteAll | Unmute
    | AddCohost | RemoveCohost | TransferHost | Remove | Ban | Unban | Warn
    | LockStage | UnlockStage | Pin | Unpin | React
)  # fmt: skip
