"""A Space's lifecycle: which events may follow which state. One table; nothing else changes ``state``."""

from typing import Literal

from rostra.domain import events as e

State = Literal["none", "scheduled", "live", "ended", "canceled"]

TRANSITIONS: dict[tuple[State, type[e.Event]], State] = {
    ("none", e.SpaceCreated): "scheduled",
    ("scheduled", e.SpaceOpened): "live",
    ("scheduled", e.SpaceCanceled): "canceled",
    ("live", e.SpaceEnded): "ended",
}


def after(state: State, event: e.Event) -> State:
    """The state once ``event`` has happened. An event that the table does not name leaves it."""
    return TRANSITIONS.get((state, type(event)), state)
