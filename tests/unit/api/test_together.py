"""Commands that come at once: batches, two nodes on one log, a store that fails in the middle. The log is right whatever happens."""

import asyncio

from world import Person, World

from rostra.domain.ids import SpaceId
from rostra.domain.space import Space


async def logged(world: World, space: str) -> Space:
    """The Space as its log alone tells it."""
    told = Space(SpaceId(space))
    for entry in await world.store.entries(SpaceId(space), told.seq, 10_000):
        told.apply(entry)
    return told


async def test_a_crowd_of_commands_at_once_is_answered_one_by_one(world: World, host: Person) -> None:
    space = await host.space()
    people = [await world.person(f"P{at}") for at in range(30)]
    answers = await asyncio.gather(*(person.must(space, "raise_hand") for person in people))
    assert sorted(answer["seq"] for answer in answers) == list(range(4, 34))
    told = await logged(world, space)
    assert [hand.account.id for hand in told.hands.values()] == [person.id for person in people]


async def test_of_two_hosts_for_the_last_seat_one_is_refused(world: World, host: Person, guest: Person) -> None:
    space = await host.space(seats=2)
    other = await world.person("Jonas")
    for person in (guest, other):
        await person.must(space, "raise_hand")
    answers = await asyncio.gather(*(host.wish(space, "approve_hand", account=person.id) for person in (guest, other)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len((await logged(world, space)).seats) == 2


async def test_two_nodes_write_one_log_without_gaps(world: World, host: Person) -> None:
    space = await host.space()
    async with World(clock=world.clock, store=world.store, people=world.people).serving() as other:
        here = [await world.person(f"H{at}") for at in range(10)]
        there = [Person(other, person.account, person.token) for person in [await world.person(f"T{at}") for at in range(10)]]
        for _ in range(3):
            await asyncio.gather(*(person.must(space, "raise_hand", question=str(_)) for person in [*here, *there]))
    told = await logged(world, space)
    assert told.seq == 3 + 60 and len(told.hands) == 20


async def test_a_store_that_fails_in_the_middle_leaves_nothing_half_done(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.must(space, "raise_hand")
    append = world.store.append

    async def failing(*args: object) -> None:
        world.store.down = True
        await append(*args)  # type: ignore[arg-type]

    world.store.append = failing  # type: ignore[method-assign, assignment]
    assert await host.refused(space, "approve_hand", account=guest.id) == (503, "overloaded")
    world.store.down, world.store.append = False, append  # type: ignore[method-assign]
    seated = await host.must(space, "approve_hand", account=guest.id)
    assert seated["seq"] == 5 and seated["events"][0]["csrc"] == 2


async def test_one_key_sent_twice_at_once_acts_once(world: World, host: Person) -> None:
    space = await host.space()
    wish = {"json": {"type": "pin", "url": "https://example.org/"}, "headers": {"Idempotency-Key": "k"}}
    answers = await asyncio.gather(*(host.post(f"/spaces/{space}/commands", **wish) for _ in range(3)))
    assert len({answer.text for answer in answers}) == 1 and len((await logged(world, space)).pins) == 1
