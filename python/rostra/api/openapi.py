"""The OpenAPI 3.1 document, made from the wire types and the domain's events: one source for code and text."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rostra import __version__
from rostra.api import wire
from rostra.api.errors import STATUS
from rostra.api.media import FRAGMENT, SDP
from rostra.api.replies import json
from rostra.domain import events as e
from rostra.domain.commands import Account
from rostra.domain.views import wire_name

REF = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``codes`` are the refusals it may answer with, besides the general ones."""

    method: str
    path: str
    summary: str
    status: int = 200
    takes: str = ""
    media_type: str = "application/json"
    gives: str = ""
    gives_type: str = "application/json"
    codes: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    anonymous: bool = False


SPACE = "/api/v1/spaces/{id}"
SESSION = "/api/v1/sessions/{session}"
DENIED = ("removed", "banned", "space_not_found")
MEDIA = (*DENIED, "not_live", "ended", "bad_sdp", "unsupported_media_type", "overloaded")
COMMANDS = (
    *DENIED, "not_permitted", "not_a_speaker", "muted", "stage_locked", "account_not_found", "not_live", "ended", "stage_full", "no_hand",
    "no_invite", "conflict", "rate_limited",
)  # fmt: skip
OPERATIONS = (
    Operation("post", "/api/v1/guests", "Take a guest name", 201, "NewGuest", gives="NewSession", codes=("rate_limited",), anonymous=True),
    Operation("get", "/api/v1/me", "Who the caller is", gives="Me"),
    Operation("delete", "/api/v1/me/session", "Sign out", 204),
    Operation("get", "/api/v1/spaces", "Public Spaces", gives="SpaceList", query=("state", "q", "cursor", "limit"), anonymous=True),
    Operation("post", "/api/v1/spaces", "Make a Space", 201, "NewSpace", gives="Snapshot", codes=("rate_limited",)),
    Operation("get", SPACE, "The snapshot of a Space", gives="Snapshot", codes=("space_not_found",), anonymous=True),
    Operation("get", f"{SPACE}/participants", "Who is here", gives="ParticipantList", codes=DENIED,
              query=("q", "role", "cursor", "limit"), anonymous=True),
    Operation("post", f"{SPACE}/commands", "Wish for something", 200, "Command", gives="Outcome", codes=COMMANDS,
              headers=("Idempotency-Key",)),
    Operation("get", f"{SPACE}/events", "Events as they happen", gives="Event", gives_type="text/event-stream", codes=DENIED,
              query=("after", "limit"), headers=("Last-Event-ID",), anonymous=True),
    Operation("post", f"{SPACE}/whip", "Speak (RFC 9725)", 201, SDP, SDP, SDP, SDP, (*MEDIA, "not_a_speaker"), ("mic",)),
    Operation("post", f"{SPACE}/whep", "Listen (WHEP)", 201, SDP, SDP, SDP, SDP, (*MEDIA, "not_a_speaker"), ("feed",), anonymous=True),
    Operation("patch", SESSION, "Trickle candidates or restart ICE", 200, FRAGMENT, FRAGMENT, FRAGMENT, FRAGMENT,
              ("session_not_found", "bad_sdp", "precondition_failed", "precondition_required"), headers=("If-Match",), anonymous=True),
    Operation("delete", SESSION, "End a session", codes=("session_not_found",), anonymous=True),
)  # fmt: skip


async def show(request: Request) -> Response:
    """``GET /api/v1/openapi.json``."""
    return json(document())


@cache
def document() -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rostra", "version": __version__, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "rostra_session"},
            },
        },
        "security": [{"bearer": []}, {"cookie": []}],
    }


def _operation(op: Operation) -> dict[str, Any]:
    names = [part[1:-1] for part in op.path.split("/") if part.startswith("{")]
    text = {"type": "string"}
    parameters = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    parameters += [{"name": name, "in": "query", "schema": text} for name in op.query]
    parameters += [{"name": name, "in": "header", "schema": text} for name in op.headers]
    out: dict[str, Any] = {"summary": op.summary, "parameters": parameters, "responses": _responses(op)}
    if op.takes:
        out["requestBody"] = {"required": True, "content": {op.media_type: {"schema": _schema_of(op.takes)}}}
    if op.anonymous:
        out["security"] = [{}, {"bearer": []}, {"cookie": []}]
    return out


def _responses(op: Operation) -> dict[str, Any]:
    good: dict[str, Any] = {"description": op.summary}
    if op.gives:
        good["content"] = {op.gives_type: {"schema": _schema_of(op.gives)}}
    out: dict[str, Any] = {str(op.status): good}
    if op.method == "patch":
        out["204"] = {"description": "Candidates taken; nothing to say"}
    codes = [
        *op.codes,
        "invalid",
        "too_large",
        "overloaded",
        "misdirected",
        *(() if op.anonymous and op.method == "get" else ("unauthenticated", "not_permitted")),
    ]
    for status in sorted({STATUS[code][0] for code in codes}):
        named = ", ".join(sorted({code for code in codes if STATUS[code][0] == status}))
        out[str(status)] = {"description": named, "content": {"application/problem+json": {"schema": _schema_of("Problem")}}}
    return out


def _schema_of(name: str) -> dict[str, Any]:
    return {"type": "string"} if "/" in name else {"$ref": REF.format(name=name)}


def _schemas() -> dict[str, Any]:
    (command, *_), schemas = msgspec.json.schema_components([wire.AnyCommand, wire.NewGuest, wire.NewSpace, Account], ref_template=REF)
    schemas["Command"] = command
    schemas |= _event_schemas()
    schemas |= _view_schemas()
    return schemas


def _event_schemas() -> dict[str, Any]:
    found, components = msgspec.json.schema_components(e.KINDS, ref_template=REF)
    out: dict[str, Any] = {}
    for kind, reference in zip(e.KINDS, found, strict=True):
        name = reference["$ref"].rpartition("/")[2]
        fields = components.pop(name)
        entry = {
            "seq": {"type": "integer"},
            "at": {"type": "string", "format": "date-time"},
            "actor": {"type": ["string", "null"]},
            "type": {"const": wire_name(kind)},
            "redacted": {"const": True, "description": "private fields are left out for this viewer"},
        }
        out[f"{name}Event"] = {
            "type": "object",
            "description": fields.get("description", ""),
            "properties": {**entry, **fields.get("properties", {})},
            "required": ["seq", "at", "type", *(list(kind.visible_to_all) if kind.audience != "public" else fields.get("required", []))],
        }
    mapping = {out[name]["properties"]["type"]["const"]: REF.format(name=name) for name in out}
    union = {"oneOf": [{"$ref": ref} for ref in mapping.values()], "discriminator": {"propertyName": "type", "mapping": mapping}}
    return {**components, **out, "Event": union}


def _view_schemas() -> dict[str, Any]:
    account, text, number = _schema_of("Account"), {"type": "string"}, {"type": "integer"}

    def made(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": list(properties)}

    def listed(item: dict[str, Any]) -> dict[str, Any]:
        return made(data={"type": "array", "items": item}, next_cursor={"type": ["string", "null"]})

    seat = made(account=account, role=text, mic={"enum": ["on", "off"]}, mute={"type": ["object", "null"]}, csrc=number, seat=number)
    space = {
        "id": {"type": "string", "pattern": "^[a-zA-Z0-9]{1,13}$"},
        "title": text,
        "state": {"enum": ["scheduled", "live", "ended", "canceled"]},
    }
    error = made(path=text, message=text)
    return {
        "Problem": {
            "type": "object",
            "properties": {
                "type": text, "title": text, "status": number, "code": {"enum": sorted(STATUS)}, "detail": text,
                "errors": {"type": "array", "items": error},
            },
            "required": ["type", "title", "status", "code", "detail"],
        },
        "NewSession": made(account=account, token=text),
        "Me": made(account=account),
        "Card": made(**space, host=account, listener_count=number),
        "Seat": seat,
        "Snapshot": made(
            **space, seq=number, host=account, stage={"type": "array", "items": _schema_of("Seat")}, listener_count=number,
            you={"type": "object"},
        ),
        "SpaceList": listed(_schema_of("Card")),
        "ParticipantList": listed(made(account=account, role=text)),
        "Outcome": made(seq=number, events={"type": "array", "items": _schema_of("Event")}),
    }  # fmt: skip
