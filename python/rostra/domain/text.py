"""Cleaning of what people type: no control, bidi-override or invisible characters, one space at a time, bounded length."""

import unicodedata

from rostra.domain.errors import FieldError, Refused

LIMITS = {"name": 60, "title": 120, "description": 2000, "topic": 40, "lang": 20, "question": 280, "reason": 280, "text": 500, "url": 2000}
# Format characters that shape scripts and emoji honestly; every other one is dropped.
_KEPT = {"\u200d", "\u200c"}


def clean(path: str, value: object, kind: str, *, required: bool = False) -> str:
    """``value`` as text that is safe to show, or ``Refused("invalid")`` naming ``path``. Joiners stay only between visible characters."""
    if not isinstance(value, str):
        raise invalid(path, "must be text")
    normal = unicodedata.normalize("NFC", value)
    kept = "".join(" " if char in "\n\r\t" else char for char in normal if _visible(char))
    text = " ".join(kept.split()).strip("\u200d\u200c")
    if required and not any(unicodedata.category(char)[0] not in "ZCM" for char in text):
        raise invalid(path, "must not be empty")
    if len(text) > LIMITS[kind]:
        raise invalid(path, f"must be at most {LIMITS[kind]} characters")
    return text


def invalid(path: str, message: str) -> Refused:
    """The refusal of one bad field."""
    return Refused("invalid", f"{path} {message}", (FieldError(path, message),))


def _visible(char: str) -> bool:
    return char in "\n\r\t" or char in _KEPT or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
