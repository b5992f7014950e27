"""The ports: every interface to the world that the service layer owns. Each has an in-memory twin in ``adapters/memory.py``."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from rostra.domain.commands import Account
from rostra.domain.events import Entry
from rostra.domain.ids import AccountId, Csrc, PinId, Seq, SessionId, SpaceId


class Unavailable(Exception):
    """A port's other side cannot answer now. Nothing is known to have happened; retry later. ``port`` names the port."""

    def __init__(self, port: str, detail: str = "") -> None:
        super().__init__(f"{port} is unavailable{': ' if detail else ''}{detail}")
        self.port = port


class Conflict(Exception):
    """Someone else appended at this seq first: load what they wrote and decide again."""


class BadCursor(Exception):
    """A page cursor that this store did not make."""


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """The wall clock, UTC, aware."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class Ids(Protocol):
    """Fresh names that nobody can guess, as an argument."""

    def space(self) -> SpaceId:
        """13 characters of ``[a-z0-9]``."""
        ...

    def account(self) -> AccountId: ...

    def session(self) -> SessionId:
        """128 random bits."""
        ...

    def pin(self) -> PinId: ...

    def token(self) -> str:
        """A bearer token of 256 random bits."""
        ...


@dataclass(frozen=True, slots=True)
class Card:
    """What a list of Spaces shows of one, kept in the same transaction as the event that changed it."""

    id: SpaceId
    state: Literal["scheduled", "live", "ended", "canceled"]
    title: str
    description: str
    lang: str
    topics: tuple[str, ...]
    visibility: str
    host: Account
    created_at: datetime
    scheduled_start: datetime | None
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's first answer under its idempotency key: the log positions it made, and a hash of the body that asked."""

    key: str  # account, route and key, hashed
    body: str
    first: Seq
    last: Seq  # first - 1 when nothing happened


class Spaces(Protocol):
    """The log of every Space. Acknowledged means durable."""

    async def append(self, space: SpaceId, after: Seq, entries: Sequence[Entry], card: Card | None, answer: Answer | None) -> None:
        """Write ``entries`` (seq ``after + 1`` and on), the card if it changed, and the answer, all or nothing and durably, in at
        most two statements. ``after`` 0 creates the Space. ``entries`` may be empty when there is only an ``answer`` to keep.
        Raises ``Conflict`` if the log is not at ``after``."""
        ...

    async def entries(self, space: SpaceId, after: Seq, limit: int) -> list[Entry]:
        """The log past ``after``, oldest first; empty for an unknown Space."""
        ...

    async def answers(self, space: SpaceId) -> list[Answer]:
        """The idempotency answers still kept for this Space (24 hours)."""
        ...

    async def cards(self, state: str | None, query: str, cursor: str | None, limit: int) -> tuple[list[Card], str | None]:
        """Public Spaces, newest first (scheduled ones: soonest first), and the cursor of the next page. ``query`` matches title,
        description, topics and the host's name, case-insensitively. Raises ``BadCursor``."""
        ...

    async def live(self) -> list[SpaceId]:
        """Every live Space, unlisted ones too."""
        ...


class Accounts(Protocol):
    """Who people are and the sessions that prove it. Tokens are stored as hashes."""

    async def create(self, account: Account, token_hash: bytes, device: str, now: datetime, expires: datetime) -> None:
        """A new account and its first session, made on ``device`` (a hash of the device cookie, or empty). Raises ``Conflict`` if
        the id or handle is taken."""
        ...

    async def devices(self, account: AccountId) -> set[str]:
        """Every device (hashed) that a session of this account was made on."""
        ...

    async def by_token(self, token_hash: bytes, now: datetime) -> Account | None:
        """The account of a session that is neither expired nor ended."""
        ...

    async def by_id(self, account: AccountId) -> Account | None: ...

    async def end_session(self, token_hash: bytes) -> None: ...

    async def purge(self, now: datetime) -> int:
        """Delete expired sessions and answers past their keeping; the number deleted."""
        ...


Feed = Literal["ingest", "programme", "stage"]
DenyScope = Literal["mic", "stage", "space"]


@dataclass(frozen=True, slots=True)
class MediaSession:
    """One media connection as the media core reports it. ``owner`` is an account id or an anonymous listener's key."""

    id: SessionId
    space: SpaceId
    owner: str
    feed: Feed
    connected: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to ingest for one seat. ``seq`` is the log position it is true at."""

    space: SpaceId
    account: AccountId
    csrc: Csrc
    seq: Seq


@dataclass(frozen=True, slots=True)
class SdpAnswer:
    """An SDP answer (or ICE fragment) and its strong ETag, without quotes; an empty ``sdp`` means nothing to say (204)."""

    sdp: str
    etag: str
    replaced: tuple[SessionId, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionUp:
    """A session's media connection stands."""

    session: MediaSession


@dataclass(frozen=True, slots=True)
class SessionDown:
    """A session is gone for good: closed, replaced, expired, denied."""

    session: MediaSession
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Live listening sessions by Space; only Spaces whose number changed, at most once a second."""

    listeners: dict[SpaceId, int]


@dataclass(eq=False)
class MediaRefused(Exception):
    """The media core will not: ``bad_sdp``, ``overloaded``, ``session_not_found``, ``stale`` (a later deny is in force),
    ``precondition_failed``."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MediaConnected:
    """The media core answers (again). What it holds may differ from the log: reconcile ``sessions()`` and renew every grant."""


Fact = SessionUp | SessionDown | Counts | MediaConnected


class Media(Protocol):
    """The media core, wherever it runs. It obeys; it never decides. Every call raises ``Unavailable`` when it cannot be reached
    within its deadline (1 s), in which case a grant that was not renewed ends by itself 15 s after its last renewal."""

    def connected(self) -> bool:
        """Whether the media core answers now; no I/O."""
        ...

    async def open_session(
        self, session: SessionId, space: SpaceId, owner: str, feed: Feed, csrc: Csrc | None, seq: Seq, offer: str
    ) -> SdpAnswer:
        """Answer an offer. A session of the same owner, Space and feed is replaced. Raises ``MediaRefused``."""
        ...

    async def patch_session(self, session: SessionId, if_match: str | None, fragment: str) -> SdpAnswer:
        """Trickle or ICE restart (RFC 9725 §4.3). Raises ``MediaRefused``."""
        ...

    async def close_session(self, session: SessionId, reason: str) -> None: ...

    async def allow(self, grant: Grant) -> None:
        """Open a microphone until its next renewal is missed. Loses against a later deny."""
        ...

    async def deny(self, space: SpaceId, owner: str, seq: Seq, scope: DenyScope) -> None:
        """True on packets when this returns. ``mic`` closes the grant; ``stage`` also ends ingest and stage feed;
        ``space`` ends every session of the owner there and refuses those authorised before ``seq``."""
        ...

    async def close_space(self, space: SpaceId, seq: Seq) -> None:
        """End every session and grant of a Space."""
        ...

    async def renew(self, grants: Sequence[Grant]) -> None:
        """Every grant that stands now; each lives 15 s more. Sent every 5 s and at connection."""
        ...

    async def stats(self) -> dict[str, float]:
        """Counters and gauges of the core, for ``/metrics``."""
        ...

    def sessions(self) -> dict[SessionId, MediaSession]:
        """Every session known to stand, kept up to date from facts; no I/O."""
        ...

    def facts(self) -> AsyncIterator[Fact]:
        """What happens, in order, from now on; one reader. The first fact of every connection is ``MediaConnected``."""
        ...


class Bus(Protocol):
    """Hints between api nodes. Losing one costs a moment, never truth."""

    async def hint(self, space: SpaceId, seq: Seq) -> None:
        """Say that a Space's log has reached ``seq``."""
        ...

    def hints(self) -> AsyncIterator[tuple[SpaceId, Seq]]:
        """Hints from everyone, this node included."""
        ...
