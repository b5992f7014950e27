"""The list of Spaces, for every store: what is listed, in which order, page by page, and what a search finds."""

import base64
from datetime import timedelta

import pytest
from store_examples import ANN, HOST, NOW, card, entry

from rostra.domain import commands as c
from rostra.domain.ids import AccountId, Seq, SpaceId
from rostra.ports import BadCursor, Card, Spaces


async def put(spaces: Spaces, *cards: Card) -> None:
    for made in cards:
        await spaces.append(made.id, Seq(0), [entry(1)], made, None)


async def ids(spaces: Spaces, state: str | None, query: str = "") -> list[str]:
    cards, cursor = await spaces.cards(state, query, None, 100)
    assert cursor is None
    return [found.id for found in cards]


async def paged(spaces: Spaces, state: str | None, limit: int) -> list[str]:
    out: list[str] = []
    cursor: str | None = None
    while True:
        cards, cursor = await spaces.cards(state, "", cursor, limit)
        out += [found.id for found in cards]
        if cursor is None:
            return out
        assert len(cards) == limit


async def test_a_card_comes_back_as_it_was(spaces: Spaces) -> None:
    full = card(
        "s1",
        "scheduled",
        "A “title”",
        description="Long\\ text",
        lang="de",
        topics=("x", "y,z"),
        host=c.Account(AccountId("a"), "h", "N", guest=False),
    )
    await put(spaces, full)
    assert await spaces.cards("scheduled", "", None, 10) == ([full], None)


async def test_newest_first_but_the_scheduled_soonest_first(spaces: Spaces) -> None:
    for state in ("live", "scheduled", "ended", "canceled"):
        await put(spaces, *(card(f"{state[0]}{minute}", state, minute=minute) for minute in (1, 3, 2)))
    await put(spaces, card("s0", "scheduled", scheduled_start=None))
    assert await ids(spaces, "live") == ["l3", "l2", "l1"]
    assert await ids(spaces, "ended") == ["e3", "e2", "e1"]
    assert await ids(spaces, "scheduled") == ["s1", "s2", "s3", "s0"], "one without a time comes last"
    assert await ids(spaces, None) == [f"{state}{minute}" for minute in (3, 2, 1) for state in "slec"] + ["s0"]


async def test_live_ones_by_when_they_started(spaces: Spaces) -> None:
    await put(spaces, card("old", started_at=NOW + timedelta(hours=2)), card("new", minute=9))
    assert await ids(spaces, "live") == ["old", "new"]
    assert await ids(spaces, None) == ["new", "old"], "all together by when they were made"


async def test_a_space_moves_between_lists(spaces: Spaces) -> None:
    await put(spaces, card("s1", "scheduled"), card("s2", "scheduled"))
    await spaces.append(SpaceId("s1"), Seq(1), [entry(2)], card("s1", "live", "New title"), None)
    assert (await ids(spaces, "scheduled"), await ids(spaces, "live")) == (["s2"], ["s1"])
    assert (await ids(spaces, None, "new"), await ids(spaces, None, "title")) == (["s1"], ["s2", "s1"])


async def test_unlisted_ones_are_live_but_not_listed(spaces: Spaces) -> None:
    await put(spaces, card("open"), card("hidden", visibility="unlisted"), card("over", "ended"), card("soon", "scheduled"))
    assert await ids(spaces, "live") == ["open"] and "hidden" not in await ids(spaces, None)
    assert sorted(await spaces.live()) == ["hidden", "open"]


@pytest.mark.parametrize("state", ["live", "scheduled", None])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_over_equal_times_lose_and_repeat_nothing(spaces: Spaces, state: str | None, limit: int) -> None:
    made = [card(f"{name}{minute}", state or "ended", minute=minute) for minute in (0, 0, 1) for name in ("b", "A", "c", "Z")][2:]
    made = list({one.id: one for one in made}.values())
    await put(spaces, *made)
    whole = await ids(spaces, state)
    assert sorted(whole) == sorted(one.id for one in made)
    assert await paged(spaces, state, limit) == whole


async def test_a_page_goes_on_where_it_was_though_the_list_changed(spaces: Spaces) -> None:
    await put(spaces, *(card(f"p{minute}", minute=minute) for minute in range(6)))
    first, cursor = await spaces.cards("live", "", None, 3)
    assert [one.id for one in first] == ["p5", "p4", "p3"]
    await spaces.append(SpaceId("p3"), Seq(1), [entry(2)], card("p3", "ended", minute=3), None)
    await put(spaces, card("p9", minute=9))
    second, end = await spaces.cards("live", "", cursor, 3)
    assert [one.id for one in second] == ["p2", "p1", "p0"] and end is None


async def test_a_search_reads_title_description_topics_and_host(spaces: Spaces) -> None:
    await put(
        spaces,
        card("s1", title="Straße & Ärger", host=ANN),
        card("s2", description="All about JAZZ music", host=ANN),
        card("s3", topics=("Jazz", "brass"), host=ANN),
        card("s4", host=HOST),
    )
    assert await ids(spaces, None, "jazz") == ["s3", "s2"]
    assert await ids(spaces, None, "STRASSE") == ["s1"]
    assert await ids(spaces, None, "a\u0308rger") == ["s1"], "composed or not"
    assert await ids(spaces, None, "höst") == ["s4"]
    assert await ids(spaces, None, "music  jazz") == ["s2"], "every word, in any order"
    assert await ids(spaces, None, "jazz brassica") == []
    assert await ids(spaces, None, "jazzbrass") == [], "no word across two fields"
    assert await ids(spaces, None, "   ") == ["s4", "s3", "s2", "s1"]


@pytest.mark.parametrize("query", ["100%", "a_b", "c\\d", "%", "_", "\\", "/", "'", '"', "%%", "\\%", "o'"])
async def test_a_search_takes_every_character_for_itself(spaces: Spaces, query: str) -> None:
    titles = {
        "t1": "100% true",
        "t2": "a_b",
        "t3": "c\\d",
        "t4": "o'clock",
        "t5": "plain 100 axb",
        "t6": 'say "hi"',
        "t7": "a/b",
        "t8": "\\% %%",
    }
    await put(spaces, *(card(space, title=title) for space, title in titles.items()))
    assert sorted(await ids(spaces, None, query)) == [space for space, title in titles.items() if query in title]


@pytest.mark.parametrize("query", ["a\0b", "\0", "\ud800", "x" * 60_000, " ".join("abcdefghijklmnop")])
async def test_an_odd_query_finds_nothing(spaces: Spaces, query: str) -> None:
    await put(spaces, card("s1", title="a\u00e4b"))
    assert await ids(spaces, None, query) == []


async def test_a_cursor_of_elsewhere_is_refused(spaces: Spaces) -> None:
    await put(spaces, card("s1"), card("s2"))
    _, cursor = await spaces.cards("live", "", None, 1)
    assert cursor is not None
    forged = [
        base64.urlsafe_b64encode(text.encode()).decode()
        for text in ("live:1:", "live:x:s1", "live:99999999999999999999:s1", "dead:1:s1", "live:1:s-1")
    ]
    for state, bad in [
        ("ended", cursor),
        (None, cursor),
        *(("live", one) for one in ("", "?", "é", cursor[:-1] + "!", cursor + "=", "A" * 4000, *forged)),
    ]:
        with pytest.raises(BadCursor):
            await spaces.cards(state, "", bad, 1)
