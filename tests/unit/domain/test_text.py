"""What people type, made safe to show: nothing hidden, nothing reversed, nothing that looks like nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rostra.domain.errors import Refused
from rostra.domain.text import LIMITS, clean


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("  Ann   Lee \n", "Ann Lee"),
        ("a\tb\r\nc", "a b c"),
        ("e\u0301", "\u00e9"),
        ("a\u202eb\u2066c\u200fd\ufeffe\u00adf", "abcdef"),
        ("a\0b\x1b[31mc\x7f", "ab[31mc"),
        ("a\u2028b\u2029c", "abc"),
        ("👩‍🚀 👨‍👩‍👧", "👩‍🚀 👨‍👩‍👧"),
        ("می‌خواهم", "می‌خواهم"),
        ("\u200dAnn\u200d \u200c Lee\u200c", "Ann Lee"),
        ("a\u200d\u200c\u200db a\u200cb", "ab a\u200cb"),
        ("e\u200b\u0301", "\u00e9"),
        ("\U0001fae9", "\U0001fae9"),
        ("\u3164Ann\u2800", "Ann"),
        ("Z" + "\u0335" * 40 + "!", "Z" + "\u0335" * 4 + "!"),
        ("\ud800x", "x"),
        ("ﬁ", "ﬁ"),
    ],
)
def test_text_as_it_is_shown(typed: str, shown: str) -> None:
    assert clean("name", typed, "name") == shown


@pytest.mark.parametrize("typed", ["", "   ", "\u200d", "\u3164", "\u2800\u2800", "\u202e", "\u0301", "\u00a0\u3000", "\0"])
def test_what_shows_nothing_is_empty(typed: str) -> None:
    with pytest.raises(Refused) as refusal:
        clean("name", typed, "name", required=True)
    assert (refusal.value.code, refusal.value.errors[0].path) == ("invalid", "name")


@pytest.mark.parametrize("typed", [None, 5, ["a"], b"a", {"a": 1}])
def test_what_is_not_text(typed: object) -> None:
    with pytest.raises(Refused, match="must be text"):
        clean("title", typed, "title")


def test_the_length_counts_after_cleaning() -> None:
    assert len(clean("name", " " * 500 + "x" * 60, "name")) == 60
    with pytest.raises(Refused, match="at most 60"):
        clean("name", "x" * 61, "name")


_TYPED = st.text(
    st.one_of(st.characters(), st.sampled_from(" \u200c\u200d\u0301\u0323\u0335e\u2800\U0001f469\u1100\u1161\u202e")), max_size=80
)


@given(_TYPED, st.sampled_from(sorted(LIMITS)))
@settings(max_examples=400, deadline=None)
def test_cleaning_twice_changes_nothing(typed: str, kind: str) -> None:
    try:
        once = clean("f", typed, kind)
    except Refused:
        return
    assert clean("f", once, kind) == once
