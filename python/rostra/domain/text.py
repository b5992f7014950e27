"""Cleaning of what people type: no control, bidi-override or invisible characters, one space at a time, bounded length."""

import re
import unicodedata

from rostra.domain.errors import FieldError, Refused

LIMITS = {"name": 60, "title": 120, "description": 2000, "topic": 40, "lang": 20, "question": 280, "reason": 280, "text": 500, "url": 2000}
# Format characters that shape scripts and emoji honestly; every other one is dropped.
_JOINERS = "\u200c\u200d"
# Letters and signs that show nothing, so that a name of them looks like no name: fillers, and marks without a form.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_STRAY_JOINER = re.compile(f"(?<![^\\s{_JOINERS}])[{_JOINERS}]+|[{_JOINERS}]+(?![^\\s{_JOINERS}])")
_MARKS = 4
"""Combining marks kept on one character: more than any script stacks, fewer than it takes to paint over other lines."""


def clean(path: str, value: object, kind: str, *, required: bool = False) -> str:
    """``value`` as text that is safe to show, or ``Refused("invalid")`` naming ``path``. Joiners stay only between visible characters."""
    if not isinstance(value, str):
        raise invalid(path, "must be text")
    kept = "".join(" " if char in "\n\r\t" else char for char in value if _visible(char))
    normal = unicodedata.normalize("NFC", _STRAY_JOINER.sub("", kept))
    text = " ".join(_few_marks(normal).split())
    if required and not any(unicodedata.category(char)[0] not in "ZCM" for char in text):
        raise invalid(path, "must not be empty")
    if len(text) > LIMITS[kind]:
        raise invalid(path, f"must be at most {LIMITS[kind]} characters")
    return text


def invalid(path: str, message: str) -> Refused:
    """The refusal of one bad field."""
    return Refused("invalid", f"{path} {message}", (FieldError(path, message),))


def _visible(char: str) -> bool:
    if char in "\n\r\t" or char in _JOINERS:
        return True
    # Emoji are added every year; this Python's tables may not have this year's.
    newer_emoji = "\U0001f000" <= char <= "\U0001fbff"
    return char not in _BLANK and (newer_emoji or unicodedata.category(char) not in _DROPPED)


def _few_marks(text: str) -> str:
    out, marks = [], 0
    for char in text:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        if marks <= _MARKS:
            out.append(char)
    return "".join(out)
