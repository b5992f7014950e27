"""What a viewer may see: the snapshot of a Space, and log entries with private fields taken out. Plain data, ready for any encoder."""

import re
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.commands import Account
from rostra.domain.ids import AccountId
from rostra.domain.roles import PERMITTED
from rostra.domain.space import Space

VisibilityClass = Literal["public", "stage", "host"]
_SNAKE = re.compile(r"(?<!^)(?=[A-Z])")


def wire_name(kind: type) -> str:
    """The ``type`` of a command or event on the wire: its class name in snake case."""
    return _SNAKE.sub("_", kind.__name__).lower()


def wire_time(at: datetime | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Dataclasses, tuples and times as what JSON knows."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return wire_time(value)
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def entry_whole(entry: e.Entry) -> dict[str, Any]:
    """A log entry with every field: for hosts, for the actor and for the account it names."""
    return {"seq": entry.seq, "at": wire_time(entry.at), "actor": entry.actor, "type": wire_name(type(entry.event)), **plain(entry.event)}


def entry_for(entry: e.Entry, viewer: VisibilityClass) -> dict[str, Any]:
    """A log entry as one class of viewers sees it: never skipped, but redacted outside its audience (safety rule 14)."""
    audience = entry.event.audience
    if viewer == "host" or audience == "public" or audience == viewer == "stage":
        return entry_whole(entry)
    shown = {name: plain(getattr(entry.event, name)) for name in entry.event.visible_to_all}
    return {"seq": entry.seq, "at": wire_time(entry.at), "type": wire_name(type(entry.event)), "redacted": True, **shown}


def concerns(entry: e.Entry, account: AccountId | None) -> bool:
    """Whether ``account`` made this entry happen or is named by it, and so sees it whole."""
    if account is None:
        return False
    named = getattr(entry.event, "account", None)
    return account in (entry.actor, named.id if isinstance(named, Account) else named)


def class_of(role: e.Role) -> VisibilityClass:
    """The visibility class of a role."""
    return "host" if role in ("host", "cohost") else "stage" if role == "speaker" else "public"


def snapshot(space: Space, viewer: Account | None, now: datetime, listener_count: int) -> dict[str, Any]:
    """The whole Space as ``viewer`` (None: nobody known) may see it; the contract's ``GET /api/v1/spaces/{id}``."""
    account = viewer.id if viewer else None
    role = space.role(account)
    sees_all = role in ("host", "cohost")
    hands = [hand for hand in space.hands.values() if sees_all or hand.account.id == account]
    return {
        "id": space.id,
        **plain(space.details),
        "state": space.state,
        "created_at": wire_time(space.created_at),
        "started_at": wire_time(space.started_at),
        "ended_at": wire_time(space.ended_at),
        "seq": space.seq,
        "host": plain(space.host),
        "seats": space.size,
        "stage_locked": space.stage_locked,
        "stage": stage(space, account),
        "cohosts": [plain(cohost) for cohost in space.cohosts.values()],
        "hands": [plain(hand) for hand in hands],
        "hand_count": len(space.hands),
        "answering": plain(space.answering),
        "invites": [plain(invited) for invited in space.invites.values() if sees_all or invited.id == account],
        "removed": [plain(exclusion) for exclusion in space.exclusions.values() if sees_all and exclusion.holds(now)],
        "pins": [plain(pin) for pin in space.pins.values()],
        "listener_count": listener_count,
        "recording": "off",
        "you": _you(space, viewer, role, now),
    }


def stage(space: Space, viewer: AccountId | None) -> list[dict[str, Any]]:
    """The seats, by number. Why someone was muted is for hosts and themselves."""
    sees_all = space.role(viewer) in ("host", "cohost")
    out = []
    for account, seat in sorted(space.seats.items(), key=lambda item: item[1].number):
        mute = space.mutes.get(account)
        told = sees_all or account == viewer
        shown = None if mute is None else {"by": mute.by if told else None, "reason": mute.reason if told else None}
        out.append(
            {
                "account": plain(seat.account),
                "role": space.role(account),
                "mic": "on" if seat.mic else "off",
                "mute": shown,
                "csrc": seat.csrc,
                "seat": seat.number,
            }
        )
    return out


def _you(space: Space, viewer: Account | None, role: e.Role, now: datetime) -> dict[str, Any]:
    exclusion = space.excluded(viewer.id, now) if viewer else None
    hand = space.hands.get(viewer.id) if viewer else None
    over = space.state in ("ended", "canceled") or exclusion is not None
    return {
        "account": plain(viewer),
        "role": role,
        "permissions": [] if over else sorted(wire_name(kind) for kind, roles in PERMITTED.items() if role in roles),
        "invited": bool(viewer and viewer.id in space.invites),
        "hand": plain(hand),
        "removed": None if exclusion is None else {"reason": exclusion.reason, "until": wire_time(exclusion.until), "kind": exclusion.kind},
    }


COMMANDS: dict[str, type] = {wire_name(kind): kind for kind in PERMITTED}
"""Every command a Space takes, by its name on the wire."""
assert c.CreateSpace not in PERMITTED
