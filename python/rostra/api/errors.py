"""Every refusal as RFC 9457 problem+json: one table from codes to HTTP, at the edge."""

import re
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from rostra.domain.errors import FieldError, Refused

STATUS: dict[str, tuple[int, str]] = {
    "unauthenticated": (401, "Sign in or take a guest name first"),
    "not_permitted": (403, "Not permitted"),
    "not_a_speaker": (403, "Not on the stage"),
    "muted": (403, "Muted by a host"),
    "removed": (403, "Removed from this Space"),
    "banned": (403, "Banned from this Space"),
    "stage_locked": (403, "The stage is locked"),
    "space_not_found": (404, "No such Space"),
    "account_not_found": (404, "No such account"),
    "session_not_found": (404, "No such session"),
    "no_route": (404, "No such address"),
    "method_not_allowed": (405, "This address does not take that method"),
    "not_live": (409, "Not live"),
    "ended": (409, "Over"),
    "stage_full": (409, "The stage is full"),
    "no_hand": (409, "No hand is up"),
    "no_invite": (409, "No invite"),
    "conflict": (409, "In conflict"),
    "precondition_failed": (412, "The session has changed"),
    "too_large": (413, "Too large"),
    "unsupported_media_type": (415, "Unsupported media type"),
    "misdirected": (421, "Not this server's name"),
    "invalid": (422, "Invalid"),
    "bad_sdp": (422, "The SDP cannot be used"),
    "precondition_required": (428, "If-Match is needed"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "Our fault"),
    "overloaded": (503, "Overloaded"),
}
_PATH = re.compile(r" - at `\$\.?(.*?)`$")
_MISSING = re.compile(r"missing required field `(\w+)`")


class Problem(Exception):
    """A refusal by an edge itself, with a ``code`` of the table."""

    def __init__(self, code: str, detail: str = "", *, errors: tuple[FieldError, ...] = (), headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.code, self.detail, self.errors, self.headers = code, detail, errors, headers or {}


def problem(code: str, detail: str = "", errors: tuple[FieldError, ...] = (), headers: dict[str, str] | None = None) -> Response:
    """The response for ``code``."""
    status, title = STATUS[code]
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail or title}
    if errors:
        body["errors"] = [{"path": error.path, "message": error.message} for error in errors]
    headers = dict(headers or {})
    if code == "unauthenticated":
        headers.setdefault("WWW-Authenticate", "Bearer")
    if code in ("rate_limited", "overloaded"):
        headers.setdefault("Retry-After", "1")
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")


async def on_problem(request: Request, error: Exception) -> Response:
    """Turns any refusal raised below into its response."""
    if isinstance(error, Problem):
        return problem(error.code, error.detail, error.errors, error.headers)
    if isinstance(error, Refused):
        return problem(error.code, error.detail, error.errors)
    code, detail = getattr(error, "code", "overloaded"), getattr(error, "detail", "")
    return problem(code if code in STATUS else "overloaded", detail)


def invalid_body(error: msgspec.DecodeError) -> Problem:
    """What msgspec found wrong, as a field error with its path."""
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return Problem("invalid", "the body is not JSON", errors=(FieldError("", text),))
    found = _PATH.search(text)
    path = found.group(1) if found else ""
    message = _PATH.sub("", text)
    missing = _MISSING.search(message)
    if missing:
        path = f"{path}.{missing.group(1)}" if path else missing.group(1)
    path = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", path).strip(".")
    return Problem("invalid", f"{path}: {message}" if path else message, errors=(FieldError(path, message),))
