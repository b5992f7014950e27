"""Why a command is refused: a stable code that names the guilty side. ``api/errors.py`` maps codes to HTTP, once."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: ``path`` as in ``topics.2``, ``message`` for a person."""

    path: str
    message: str


@dataclass(eq=False)
class Refused(Exception):
    """The caller asked for what the Space's rules do not allow. Nothing changed.

    ``code`` is one of the contract's: ``not_permitted``, ``not_a_speaker``, ``muted``, ``removed``, ``banned``, ``stage_locked``,
    ``account_not_found``, ``not_live``, ``ended``, ``stage_full``, ``no_hand``, ``no_invite``, ``conflict``, ``invalid``.
    """

    code: str
    detail: str = ""
    errors: tuple[FieldError, ...] = field(default=())

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code
