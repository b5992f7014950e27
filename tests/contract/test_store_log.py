"""The log's contract, for every store: who appends at a seq first has it, and nothing is lost, skipped or half done."""

import asyncio
from datetime import timedelta

import pytest
from store_examples import ALL_EVENTS, HOST, NOW, FakeClock, card, entry

from rostra.domain import events as e
from rostra.domain.ids import Seq, SpaceId
from rostra.ports import Answer, Conflict, Spaces

S = SpaceId("space1")


async def write(spaces: Spaces, after: int, count: int = 1, answer: Answer | None = None, space: SpaceId = S) -> list[e.Entry]:
    entries = [entry(after + 1 + index) for index in range(count)]
    await spaces.append(space, Seq(after), entries, card(space) if after == 0 else None, answer)
    return entries


async def log_of(spaces: Spaces, space: SpaceId = S) -> list[e.Entry]:
    return await spaces.entries(space, Seq(0), 1000)


def test_the_examples_name_every_event() -> None:
    assert {type(event) for event in ALL_EVENTS} == set(e.KINDS)


async def test_every_event_comes_back_as_it_was(spaces: Spaces) -> None:
    entries = [
        e.Entry(seq, NOW + timedelta(microseconds=seq), None if seq == 3 else HOST.id, event) for seq, event in enumerate(ALL_EVENTS, 1)
    ]
    await spaces.append(S, Seq(0), entries, card(S), None)
    assert await log_of(spaces) == entries


async def test_the_log_is_read_from_anywhere(spaces: Spaces) -> None:
    entries = await write(spaces, 0, 5)
    assert await spaces.entries(S, Seq(2), 2) == entries[2:4]
    assert await spaces.entries(S, Seq(5), 10) == []
    assert await spaces.entries(S, Seq(99), 10) == []
    assert await spaces.entries(SpaceId("nobody"), Seq(0), 10) == []


@pytest.mark.parametrize("name", ["", "\0", "a\0b", "\ud800", "x" * 300, "'; DROP TABLE events; --"])
async def test_an_impossible_id_is_an_unknown_one(spaces: Spaces, name: str) -> None:
    assert await spaces.entries(SpaceId(name), Seq(0), 10) == []
    assert await spaces.answers(SpaceId(name)) == []


@pytest.mark.parametrize("after", [0, 1, 2, 4, 9])
async def test_only_the_end_of_the_log_can_be_appended_to(spaces: Spaces, after: int) -> None:
    entries = await write(spaces, 0, 3)
    late = Answer("k", "b", Seq(after + 1), Seq(after + 2))
    with pytest.raises(Conflict):
        await spaces.append(S, Seq(after), [entry(after + 1), entry(after + 2)], card(S, title="Other"), late)
    assert await log_of(spaces) == entries
    assert await spaces.answers(S) == [] and (await spaces.cards("live", "", None, 10))[0] == [card(S)]


async def test_logs_of_different_spaces_are_apart(spaces: Spaces) -> None:
    mine = await write(spaces, 0, 2)
    theirs = await write(spaces, 0, 3, space=SpaceId("space2"))
    assert await log_of(spaces) == mine and await log_of(spaces, SpaceId("space2")) == theirs
    with pytest.raises(Conflict):
        await write(spaces, 2, space=SpaceId("space3"))


async def test_of_many_at_the_same_seq_exactly_one_wins(spaces: Spaces) -> None:
    await write(spaces, 0)
    for seq in range(1, 6):
        rivals = [[entry(seq + 1, e.Unmuted(f"rival{rival}")), entry(seq + 2)] for rival in range(12)]  # type: ignore[arg-type]
        results = await asyncio.gather(
            *(spaces.append(S, Seq(2 * seq - 1), _at(2 * seq, rival), None, None) for rival in rivals), return_exceptions=True
        )
        won = [rival for rival, result in zip(rivals, results, strict=True) if result is None]
        assert len(won) == 1 and all(result is None or isinstance(result, Conflict) for result in results)
        assert [line.event for line in (await log_of(spaces))[-2:]] == [line.event for line in won[0]]
    assert [line.seq for line in await log_of(spaces)] == list(range(1, 12))


def _at(first: int, entries: list[e.Entry]) -> list[e.Entry]:
    return [e.Entry(first + index, line.at, line.actor, line.event) for index, line in enumerate(entries)]


async def test_many_spaces_at_once(spaces: Spaces) -> None:
    async def live(space: SpaceId) -> None:
        for after in range(8):
            await write(spaces, after, space=space)

    names = [SpaceId(f"many{number}") for number in range(20)]
    await asyncio.gather(*(live(name) for name in names))
    for name in names:
        assert [line.seq for line in await log_of(spaces, name)] == list(range(1, 9))


async def test_a_conflict_among_others_undoes_only_itself(spaces: Spaces) -> None:
    await write(spaces, 0, 2)
    names = [SpaceId(f"other{number}") for number in range(6)]
    tasks = [write(spaces, 0, 2, space=name) for name in names]
    tasks.insert(3, write(spaces, 1))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [index == 3 for index in range(7)]
    for name in names:
        assert len(await log_of(spaces, name)) == 2


async def test_one_who_stops_waiting_harms_nobody(spaces: Spaces) -> None:
    tasks = [asyncio.create_task(write(spaces, 0, space=SpaceId(f"c{number}"))) for number in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [number for number, result in enumerate(results) if isinstance(result, BaseException)] in ([], [2])
    for number in {0, 1, 3, 4, 5}:
        assert len(await log_of(spaces, SpaceId(f"c{number}"))) == 1


async def test_answers_ride_on_events_or_stand_alone(spaces: Spaces) -> None:
    with_events, alone = Answer("k1", "b1", Seq(2), Seq(4)), Answer("k2", "b2", Seq(5), Seq(4))
    await write(spaces, 0)
    await write(spaces, 1, 3, with_events)
    await spaces.append(S, Seq(4), [], None, alone)
    assert sorted(await spaces.answers(S), key=lambda answer: answer.key) == [with_events, alone]
    assert len(await log_of(spaces)) == 4
    assert await spaces.answers(SpaceId("other")) == []


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_an_answer_alone_also_needs_the_end_of_the_log(spaces: Spaces, after: int) -> None:
    await write(spaces, 0, 2)
    with pytest.raises(Conflict):
        await spaces.append(S, Seq(after), [], None, Answer("k", "b", Seq(after + 1), Seq(after)))
    assert await spaces.answers(S) == []


async def test_answers_are_kept_for_a_day(spaces: Spaces, clock: FakeClock) -> None:
    await write(spaces, 0)
    await write(spaces, 1, 1, Answer("k1", "b", Seq(2), Seq(2)))
    await spaces.append(S, Seq(2), [], None, Answer("k2", "b", Seq(3), Seq(2)))
    clock.at = NOW + timedelta(hours=24, microseconds=-1)
    assert len(await spaces.answers(S)) == 2
    clock.at = NOW + timedelta(hours=24)
    assert await spaces.answers(S) == []
    # The key may be used anew, and then it is the new answer that counts.
    await spaces.append(S, Seq(2), [], None, Answer("k2", "c", Seq(3), Seq(2)))
    assert [answer.body for answer in await spaces.answers(S)] == ["c"]


async def test_the_longest_single_command(spaces: Spaces) -> None:
    await write(spaces, 0)
    entries = await write(spaces, 1, 60)
    assert (await log_of(spaces))[1:] == entries
