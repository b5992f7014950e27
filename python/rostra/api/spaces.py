"""Spaces: lists, snapshots, participants, commands, the log of moderation."""

import base64
import binascii
import hashlib
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rostra.api import wire
from rostra.api.errors import Problem
from rostra.api.replies import json
from rostra.api.requests import address, caller, decoded, required
from rostra.domain.commands import Account
from rostra.domain.errors import FieldError
from rostra.domain.events import Entry
from rostra.domain.ids import SpaceId
from rostra.domain.views import class_of, concerns, entry_for, entry_whole, plain, snapshot, wire_time
from rostra.ports import BadCursor
from rostra.service.spaces import Loaded

_NEW_SPACE = msgspec.json.Decoder(wire.NewSpace)
_COMMAND: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wire.AnyCommand)
STATES = ("scheduled", "live", "ended", "canceled")
ROLES = ("host", "cohost", "speaker", "listener")
MAX_KEY = 200


async def create(request: Request) -> Response:
    """``POST /api/v1/spaces``."""
    services = request.app.state.services
    services.limit("commands", address(request))
    _, account = await required(request)
    sent, _ = await decoded(request, _NEW_SPACE)
    loaded = await services.spaces.create(services.wishes.create(sent), account)
    return json(_snapshot(request, loaded, account), 201, {"Location": f"/api/v1/spaces/{loaded.space.id}"})


async def index(request: Request) -> Response:
    """``GET /api/v1/spaces``: public Spaces, a page at a time."""
    services, query = request.app.state.services, request.query_params
    state = query.get("state")
    if state is not None and state not in STATES:
        raise bad_field("state", f"must be one of {', '.join(STATES)}")
    try:
        cards, cursor = await services.spaces.cards(state, query.get("q", "")[:200].strip(), query.get("cursor"), limit(request))
    except BadCursor as error:
        raise bad_field("cursor", "is not one of this list's") from error
    data = []
    for card in cards:
        loaded = services.spaces.loaded.get(card.id)
        speakers = [plain(seat.account) for seat in loaded.space.seats.values()] if loaded is not None and card.state == "live" else []
        data.append({**plain(card), "listener_count": services.sessions.listeners(card.id), "speakers": speakers})
    return json({"data": data, "next_cursor": cursor})


async def show(request: Request) -> Response:
    """``GET /api/v1/spaces/{id}``: the snapshot."""
    who = await caller(request)
    return json(_snapshot(request, await loaded_of(request), who.account))


async def participants(request: Request) -> Response:
    """``GET /api/v1/spaces/{id}/participants``."""
    services, query = request.app.state.services, request.query_params
    role = query.get("role", "")
    if role and role not in ROLES:
        raise bad_field("role", f"must be one of {', '.join(ROLES)}")
    who, loaded = await caller(request), await loaded_of(request)
    loaded.admit(who, services.clock.now())
    found = await services.crowd.participants(loaded, who.account, query.get("q", "")[:100], role)
    start, size = _offset(query.get("cursor")), limit(request)
    page = [{"account": plain(account), "role": kind} for account, kind in found[start : start + size]]
    more = start + size < len(found)
    return json({"data": page, "next_cursor": base64.urlsafe_b64encode(str(start + size).encode()).decode() if more else None})


async def command(request: Request) -> Response:
    """``POST /api/v1/spaces/{id}/commands``."""
    services = request.app.state.services
    services.limit("commands", address(request))
    _, account = await required(request)
    loaded = await loaded_of(request)
    sent, raw = await decoded(request, _COMMAND)
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY:
        raise bad_field("Idempotency-Key", f"may have {MAX_KEY} characters")
    hashed = hashlib.sha256(f"{account.id}\0{request.url.path}\0{key}".encode()).hexdigest() if key else ""
    wish = await services.wishes.command(sent)
    outcome = await services.spaces.command(loaded, wish, account, hashed, hashlib.sha256(raw).hexdigest() if key else "")
    events = [shown(entry, loaded, account) for entry in outcome.entries]
    pending = {} if outcome.pending is None else {"pending": {"until": wire_time(outcome.pending)}}
    return json({"seq": outcome.seq, "events": events, **pending})


async def loaded_of(request: Request) -> Loaded:
    """The Space that the path names."""
    return await request.app.state.services.spaces.load(SpaceId(request.path_params["id"]))


def shown(entry: Entry, loaded: Loaded, viewer: Account | None) -> dict[str, Any]:
    """A log entry as ``viewer`` may read it."""
    account = viewer.id if viewer else None
    return entry_whole(entry) if concerns(entry, account) else entry_for(entry, class_of(loaded.space.role(account)))


def limit(request: Request) -> int:
    """The page size asked for, 1 to 100, 20 by default."""
    asked = request.query_params.get("limit", "20")
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= 100):
        raise bad_field("limit", "must be a number from 1 to 100")
    return int(asked)


def bad_field(path: str, message: str) -> Problem:
    """A parameter that cannot be used."""
    return Problem("invalid", f"{path} {message}", errors=(FieldError(path, message),))


def _offset(cursor: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(cursor.encode())) if cursor else 0
    except (ValueError, binascii.Error) as error:
        raise bad_field("cursor", "is not one of this list's") from error


def _snapshot(request: Request, loaded: Loaded, viewer: Account | None) -> dict[str, Any]:
    services = request.app.state.services
    view = snapshot(loaded.space, viewer, services.clock.now(), services.sessions.listeners(loaded.space.id))
    return {**view, "on_air": sorted(loaded.on_air)}
