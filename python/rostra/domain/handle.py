"""Deciding: ``handle(space, command, by, now)`` returns the events a command makes, or raises ``Refused``. It changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.errors import Refused
from rostra.domain.ids import Csrc
from rostra.domain.roles import BEFORE_LIVE, require_permission, require_power_over
from rostra.domain.space import Space

REACTIONS = ("👏", "❤️", "😂", "🎉", "🤔", "✅")
MAX_PINS = 20
MAX_SEATS = 50


def create(command: c.CreateSpace, by: c.Account) -> list[e.Event]:
    """The first events of a Space: its host holds a seat from the start."""
    if not 1 <= command.seats <= MAX_SEATS:
        raise Refused("invalid", f"seats must be between 1 and {MAX_SEATS}")
    events: list[e.Event] = [
        e.SpaceCreated(by, command.details, command.seats),
        e.SpeakerSeated(by, "host", Csrc(1)),
    ]
    return [*events, e.SpaceOpened()] if command.open else events


def handle(space: Space, command: c.Command, by: c.Account, now: datetime) -> list[e.Event]:
    """The events ``command`` makes; none if what it wishes is already true."""
    exclusion = space.excluded(by.id, now)
    if exclusion is not None:
        raise Refused(exclusion.kind, exclusion.reason)
    role = space.role(by.id)
    require_permission(command, role)
    if space.state in ("ended", "canceled"):
        return _when_over(space, command)
    if space.state != "live" and type(command) not in BEFORE_LIVE:
        raise Refused("not_live", "this Space has not started")
    return _HANDLE[type(command)](space, command, by, now)


def _when_over(space: Space, command: c.Command) -> list[e.Event]:
    already = {"ended": c.End, "canceled": c.Cancel}.get(space.state)
    if already is not None and isinstance(command, already):
        return []
    raise Refused("ended", "this Space is over")


def _open(space: Space, command: c.Open, by: c.Account, now: datetime) -> list[e.Event]:
    return [] if space.state == "live" else [e.SpaceOpened()]


def _cancel(space: Space, command: c.Cancel, by: c.Account, now: datetime) -> list[e.Event]:
    if space.state == "live":
        raise Refused("conflict", "a live Space is ended, not canceled")
    return [e.SpaceCanceled()]


def _end(space: Space, command: c.End, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.SpaceEnded()]


def _update(space: Space, command: c.UpdateDetails, by: c.Account, now: datetime) -> list[e.Event]:
    details = replace(space.details, **command.changes)  # type: ignore[arg-type]
    return [] if details == space.details else [e.DetailsUpdated(details)]


def _raise_hand(space: Space, command: c.RaiseHand, by: c.Account, now: datetime) -> list[e.Event]:
    if by.id in space.seats:
        return []
    hand = space.hands.get(by.id)
    if hand is not None and hand.question == command.question:
        return []
    if space.details.who_may_speak == "invited":
        raise Refused("not_permitted", "hosts invite speakers here")
    if space.stage_locked and hand is None:
        raise Refused("stage_locked", "the stage is locked")
    return [e.HandRaised(by, command.question)]


def _lower_hand(space: Space, command: c.LowerHand, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.HandLowered(by.id)] if by.id in space.hands else []


def _seat(space: Space, account: c.Account, role: e.Role | None = None) -> list[e.Event]:
    if space.free_seat() is None:
        raise Refused("stage_full", "every seat is taken")
    here = space.role(account.id)
    hand, mute = space.hands.get(account.id), space.mutes.get(account.id)
    question, raised_at = (hand.question, hand.raised_at) if hand is not None else (None, None)
    seated = e.SpeakerSeated(account, role or ("speaker" if here == "listener" else here), Csrc(space.next_csrc), question, raised_at)
    return [seated] if mute is None else [seated, e.Muted(account.id, mute.by, mute.reason)]


def _approve(space: Space, command: c.ApproveHand, by: c.Account, now: datetime) -> list[e.Event]:
    if command.account in space.seats:
        return []
    hand = space.hands.get(command.account)
    if hand is None:
        raise Refused("no_hand", "this person has no hand up")
    if space.stage_locked:
        raise Refused("stage_locked", "the stage is locked")
    return _seat(space, hand.account)


def _decline_hand(space: Space, command: c.DeclineHand, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.HandDeclined(command.account, command.reason)] if command.account in space.hands else []


def _invite(space: Space, command: c.InviteToStage, by: c.Account, now: datetime) -> list[e.Event]:
    account = command.account
    if account.id in space.seats or account.id in space.invites:
        return []
    if space.excluded(account.id, now):
        raise Refused("conflict", "this person was removed from the Space")
    if space.stage_locked:
        raise Refused("stage_locked", "the stage is locked")
    return [e.Invited(account)]


def _accept(space: Space, command: c.AcceptInvite, by: c.Account, now: datetime) -> list[e.Event]:
    if by.id in space.seats:
        return []
    # A co-host or a host who lost the seat comes back without asking.
    if by.id not in space.invites and space.role(by.id) not in ("host", "cohost"):
        raise Refused("no_invite", "nobody invited you to the stage")
    if space.stage_locked and space.role(by.id) != "host":
        raise Refused("stage_locked", "the stage is locked")
    return _seat(space, by)


def _decline_invite(space: Space, command: c.DeclineInvite, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.InviteDeclined(by.id)] if by.id in space.invites else []


def _step_down(space: Space, command: c.StepDown, by: c.Account, now: datetime) -> list[e.Event]:
    if by.id not in space.seats:
        return []
    if space.role(by.id) == "host":
        raise Refused("conflict", "hand the Space to someone else first")
    return [e.SpeakerUnseated(by.id, "stepped_down")]


def _move(space: Space, command: c.MoveToAudience, by: c.Account, now: datetime) -> list[e.Event]:
    require_power_over(space.role(by.id), space.role(command.account))
    if command.account not in space.seats:
        return []
    return [e.SpeakerUnseated(command.account, "moved", command.reason)]


def _set_mic(space: Space, command: c.SetMic, by: c.Account, now: datetime) -> list[e.Event]:
    seat = space.seats.get(by.id)
    if seat is None:
        raise Refused("not_a_speaker", "you have no seat on the stage")
    if seat.mic == command.on:
        return []
    if command.on and space.state != "live":
        raise Refused("not_live", "this Space has not started")
    if command.on and by.id in space.mutes:
        raise Refused("muted", "a host muted you; only a host can unmute you")
    return [e.MicChanged(by.id, command.on)]


def _mute(space: Space, command: c.Mute, by: c.Account, now: datetime) -> list[e.Event]:
    if command.account != by.id:
        require_power_over(space.role(by.id), space.role(command.account))
    if command.account in space.mutes:
        return []
    if command.account not in space.seats:
        raise Refused("account_not_found", "this person has no seat on the stage")
    return [e.Muted(command.account, by.id, command.reason)]


def _mute_all(space: Space, command: c.MuteAll, by: c.Account, now: datetime) -> list[e.Event]:
    spared = {*command.exempt, *space.mutes}
    return [e.Muted(account, by.id, "") for account in space.seats if account not in spared and space.role(account) == "speaker"]


def _unmute(space: Space, command: c.Unmute, by: c.Account, now: datetime) -> list[e.Event]:
    mute = space.mutes.get(command.account)
    if mute is None:
        return []
    if command.account == by.id and mute.by != by.id and space.role(by.id) != "host":
        raise Refused("muted", "another host must lift this")
    return [e.Unmuted(command.account)]


def _add_cohost(space: Space, command: c.AddCohost, by: c.Account, now: datetime) -> list[e.Event]:
    account = command.account
    if account.id in space.cohosts or account.id == by.id:
        return []
    if space.excluded(account.id, now):
        raise Refused("conflict", "this person was removed from the Space")
    return [e.CohostAdded(account)]


def _remove_cohost(space: Space, command: c.RemoveCohost, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.CohostRemoved(command.account)] if command.account in space.cohosts else []


def _transfer(space: Space, command: c.TransferHost, by: c.Account, now: datetime) -> list[e.Event]:
    account = command.account
    if account.id == by.id:
        return []
    if space.excluded(account.id, now):
        raise Refused("conflict", "this person was removed from the Space")
    # Nobody has power over a host, so no mute of theirs remains. A full stage does not keep the Space from changing hands.
    lifted: list[e.Event] = [e.Unmuted(account.id)] if account.id in space.mutes else []
    if account.id in space.seats or space.free_seat() is None:
        return [*lifted, e.HostTransferred(account)]
    return [*lifted, _seat(space, account, "host")[0], e.HostTransferred(account)]


def _remove(space: Space, command: c.Remove | c.Ban, by: c.Account, now: datetime) -> list[e.Event]:
    account, until = command.account, command.until
    require_power_over(space.role(by.id), space.role(account.id))
    if until is not None and until <= now:
        raise Refused("invalid", "until must be in the future")
    kind = "removed" if isinstance(command, c.Remove) else "banned"
    standing = space.excluded(account.id, now)
    if standing is not None and _outlasts(standing.until, until):
        if standing.kind in (kind, "banned"):
            return []
        until = standing.until  # Only lifting ends a removal early: a ban on top of it shortens nothing.
    events: list[e.Event] = []
    if account.id in space.seats:
        events.append(e.SpeakerUnseated(account.id, "removed", command.reason))
    if account.id in space.cohosts:
        events.append(e.CohostRemoved(account.id))
    event = e.Removed if isinstance(command, c.Remove) else e.Banned
    return [*events, event(account, command.reason, until)]


def _outlasts(standing: datetime | None, wished: datetime | None) -> bool:
    """Whether an exclusion until ``standing`` lasts at least as long as one until ``wished`` (None: for ever)."""
    return standing is None or (wished is not None and wished <= standing)


def _unban(space: Space, command: c.Unban, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.Unbanned(command.account)] if space.excluded(command.account, now) else []


def _warn(space: Space, command: c.Warn, by: c.Account, now: datetime) -> list[e.Event]:
    require_power_over(space.role(by.id), space.role(command.account.id))
    return [e.Warned(command.account, command.text)]


def _lock(space: Space, command: c.LockStage, by: c.Account, now: datetime) -> list[e.Event]:
    return [] if space.stage_locked else [e.StageLocked()]


def _unlock(space: Space, command: c.UnlockStage, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.StageUnlocked()] if space.stage_locked else []


def _pin(space: Space, command: c.Pin, by: c.Account, now: datetime) -> list[e.Event]:
    if any(pinned.url == command.url and pinned.title == command.title for pinned in space.pins.values()):
        return []
    if len(space.pins) >= MAX_PINS:
        raise Refused("conflict", f"at most {MAX_PINS} links can be pinned")
    return [e.Pinned(command.pin, command.url, command.title)]


def _unpin(space: Space, command: c.Unpin, by: c.Account, now: datetime) -> list[e.Event]:
    return [e.Unpinned(command.pin)] if command.pin in space.pins else []


def _react(space: Space, command: c.React, by: c.Account, now: datetime) -> list[e.Event]:
    if command.emoji not in REACTIONS:
        raise Refused("invalid", "this reaction is not one of the Space's")
    return []


_HANDLE: dict[type, Callable[[Space, Any, c.Account, datetime], list[e.Event]]] = {
    c.Open: _open,
    c.Cancel: _cancel,
    c.End: _end,
    c.UpdateDetails: _update,
    c.RaiseHand: _raise_hand,
    c.LowerHand: _lower_hand,
    c.ApproveHand: _approve,
    c.DeclineHand: _decline_hand,
    c.InviteToStage: _invite,
    c.AcceptInvite: _accept,
    c.DeclineInvite: _decline_invite,
    c.StepDown: _step_down,
    c.MoveToAudience: _move,
    c.SetMic: _set_mic,
    c.Mute: _mute,
    c.MuteAll: _mute_all,
    c.Unmute: _unmute,
    c.AddCohost: _add_cohost,
    c.RemoveCohost: _remove_cohost,
    c.TransferHost: _transfer,
    c.Remove: _remove,
    c.Ban: _remove,
    c.Unban: _unban,
    c.Warn: _warn,
    c.LockStage: _lock,
    c.UnlockStage: _unlock,
    c.Pin: _pin,
    c.Unpin: _unpin,
    c.React: _react,
}
