"""How lists of Spaces are searched, ordered and paged: one meaning for every store."""

import base64
import binascii
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rostra.ports import BadCursor, Card

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNDATED = 1 << 62  # a scheduled Space without a time comes after all that have one
_CURSOR = re.compile(r"(none|scheduled|live|ended|canceled):(-?\d{1,19}):([a-zA-Z0-9]{1,13})", re.ASCII)
MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the sort key (microseconds since 1970) and id of its last Space."""

    key: int
    id: str


def micros(at: datetime) -> int:
    """A moment as whole microseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """The moment ``micros`` was given."""
    return _EPOCH + timedelta(microseconds=value)


def soonest_first(state: str | None) -> bool:
    """Scheduled Spaces are listed soonest first, all others newest first."""
    return state == "scheduled"


def key_within(card: Card) -> int:
    """The sort key of a Space among those of its own state: when it starts, started or ended."""
    if card.state == "scheduled":
        return _UNDATED if card.scheduled_start is None else micros(card.scheduled_start)
    return micros((card.started_at if card.state == "live" else card.ended_at) or card.created_at)


def key_in(state: str | None, card: Card) -> int:
    """The sort key of a Space in a list of one state, or of all."""
    return micros(card.created_at) if state is None else key_within(card)


def search_text(card: Card) -> str:
    """What a search reads of a Space, folded as ``words`` folds a query; no word can match across two fields."""
    return _fold("\n".join((card.title, card.description, *card.topics, card.host.name)))


def words(query: str) -> list[str]:
    """The words of a query, folded. Each must occur somewhere in a Space's text; at most eight are looked at."""
    return _fold(query).split()[:MAX_WORDS]


def write_cursor(state: str | None, place: Place) -> str:
    """The cursor of the page after ``place``."""
    return base64.urlsafe_b64encode(f"{state or 'none'}:{place.key}:{place.id}".encode()).decode().rstrip("=")


def read_cursor(state: str | None, cursor: str) -> Place:
    """The place a cursor names. Raises ``BadCursor`` for anything that ``write_cursor`` did not make for the same ``state``."""
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (UnicodeError, binascii.Error, ValueError):
        raise BadCursor(cursor) from None
    found = _CURSOR.fullmatch(text)
    if found is None or abs(int(found[2])) > _UNDATED:
        raise BadCursor(cursor)
    place = Place(int(found[2]), found[3])
    if write_cursor(state, place) != cursor:
        raise BadCursor(cursor)
    return place


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
