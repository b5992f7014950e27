"""Made-up logs, cards and people for the store's tests."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rostra.adapters.sql.engine import Store
from rostra.domain import commands as c
from rostra.domain import events as e
from rostra.domain.ids import AccountId, Csrc, PinId, SpaceId
from rostra.ports import Accounts, Card, Spaces

NOW = datetime(2026, 11, 24, 9, 30, 15, 123457, tzinfo=UTC)
HOST = c.Account(AccountId("host"), "host", "Ms. Höst", guest=True)
ANN = c.Account(AccountId("ann"), "ann", "Ann", guest=True)
DETAILS = c.Details(
    "Title", "Text\twith “quotes” and \\", "de-CH", ("a", "b"), "unlisted", NOW + timedelta(days=1), "invited", show_listeners=True
)

ALL_EVENTS: list[e.Event] = [
    e.SpaceCreated(HOST, DETAILS, 13),
    e.SpaceOpened(),
    e.SpaceEnded(),
    e.SpaceCanceled(),
    e.DetailsUpdated(DETAILS),
    e.HandRaised(ANN, "why 👩‍🚀?"),
    e.HandLowered(ANN.id),
    e.HandDeclined(ANN.id, "later"),
    e.Invited(ANN),
    e.InviteDeclined(ANN.id),
    e.SpeakerSeated(ANN, "speaker", Csrc(2)),
    e.SpeakerUnseated(ANN.id, "moved", "time"),
    e.MicChanged(ANN.id, on=True),
    e.Muted(ANN.id, HOST.id, "noise"),
    e.Unmuted(ANN.id),
    e.CohostAdded(ANN),
    e.CohostRemoved(ANN.id),
    e.HostTransferred(ANN),
    e.Removed(ANN, "insults", NOW + timedelta(minutes=10, microseconds=1)),
    e.Banned(ANN, "insults", None),
    e.Unbanned(ANN.id),
    e.Warned(ANN, "please"),
    e.StageLocked(),
    e.StageUnlocked(),
    e.Pinned(PinId("p"), "https://example.org/?a=%5C", "A link"),
    e.Unpinned(PinId("p")),
]


@dataclass(frozen=True)
class Ports:
    """The two ports of one store."""

    spaces: Spaces
    accounts: Accounts


Opener = Callable[[], Awaitable[Store]]
"""Opens the store under test once more, as another process would."""


class FakeClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def entry(seq: int, event: e.Event | None = None, at: datetime = NOW) -> e.Entry:
    return e.Entry(seq, at, HOST.id, event or e.MicChanged(HOST.id, on=seq % 2 == 0))


def card(space: str, state: str = "live", title: str = "Title", *, minute: int = 0, **changes: object) -> Card:
    """A public Space's card; ``minute`` sets every time a list may sort by."""
    at = NOW + timedelta(minutes=minute)
    fields: dict[str, object] = {
        "id": SpaceId(space),
        "state": state,
        "title": title,
        "description": "",
        "lang": "",
        "topics": (),
        "visibility": "public",
        "host": HOST,
        "created_at": at,
        "scheduled_start": at if state == "scheduled" else None,
        "started_at": at if state in ("live", "ended") else None,
        "ended_at": at if state in ("ended", "canceled") else None,
    }
    return Card(**(fields | changes))  # type: ignore[arg-type]
