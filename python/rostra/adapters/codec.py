"""Events to JSON and back, as the log stores them: every field, moments to the microsecond."""

import msgspec

from rostra.domain import events as e
from rostra.domain.views import wire_name

EVENTS: dict[str, type[e.Event]] = {wire_name(kind): kind for kind in e.KINDS}


def encode_event(event: e.Event) -> tuple[str, bytes]:
    """An event's type and its fields as JSON."""
    return wire_name(type(event)), msgspec.json.encode(event)


def decode_event(kind: str, data: bytes | str) -> e.Event:
    """The event that ``encode_event`` was given. Fields added since it was written take their defaults."""
    return msgspec.json.decode(data, type=EVENTS[kind])
