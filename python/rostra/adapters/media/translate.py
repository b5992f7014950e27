"""Between the port's types and the protocol's."""

from typing import cast

from rostra.adapters.media import messages as m
from rostra.domain.ids import SessionId, SpaceId
from rostra.ports import Counts, Fact, Feed, Grant, MediaSession, SessionDown, SessionUp


def session_of(session: m.Session) -> MediaSession:
    """A session as the api knows it."""
    return MediaSession(SessionId(session.id), SpaceId(session.space), session.owner, cast(Feed, session.feed), session.connected)


def fact_of(message: m.SessionUp | m.SessionDown | m.Counts) -> Fact:
    """What happened."""
    match message:
        case m.SessionUp(session=session):
            return SessionUp(session_of(session))
        case m.SessionDown(session=session, reason=reason):
            return SessionDown(session_of(session), reason)
        case m.Counts(spaces=spaces):
            return Counts({SpaceId(count.space): count.listeners for count in spaces})


def wire_grant(grant: Grant) -> m.Grant:
    """A grant as the core reads it."""
    return m.Grant(grant.space, grant.account, grant.csrc, grant.seq)
