"""Responses, encoded by msgspec."""

from typing import Any

import msgspec
from starlette.responses import Response

_ENCODER = msgspec.json.Encoder()


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps."""
    return Response(_ENCODER.encode(value), status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json")


def no_content(headers: dict[str, str] | None = None) -> Response:
    """204."""
    return Response(status_code=204, headers=headers)
