"""Events to JSON and back, as the log stores them."""

from typing import Any

import msgspec

from rostra.domain import events as e
from rostra.domain.views import plain, wire_name

EVENTS: dict[str, type[e.Event]] = {wire_name(kind): kind for kind in e.Event.__subclasses__()}


def encode_event(event: e.Event) -> tuple[str, bytes]:
    """An event's type and its fields as JSON."""
    return wire_name(type(event)), msgspec.json.encode(plain(event))


def decode_event(kind: str, data: bytes | str) -> e.Event:
    """The event that ``encode_event`` was given."""
    fields: dict[str, Any] = msgspec.json.decode(data)
    return msgspec.convert(fields, EVENTS[kind])
