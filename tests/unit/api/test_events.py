"""The event stream: exact resume, redaction by class, aggregates beside the numbers, and when it ends."""

import asyncio
from datetime import timedelta

import pytest
from world import Person, Watching, World

from rostra.service import crowd


async def test_a_stream_resumes_without_loss_or_repeat(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    watching = Watching(world, space, host.token, **{"last-event-id": "1"})
    assert [(await watching.next())["id"] for _ in range(2)] == ["2", "3"]
    await guest.must(space, "raise_hand")
    assert (await watching.next())["type"] == "hand_raised"
    await watching.leave()
    await guest.must(space, "lower_hand")
    again = Watching(world, space, host.token, **{"last-event-id": "4"})
    event = await again.next()
    assert (event["seq"], event["type"]) == (5, "hand_lowered")
    await again.leave()


async def test_every_viewer_gets_every_seq_and_private_fields_stay_private(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    hosts, own, public = (Watching(world, space, token, **{"last-event-id": "3"}) for token in (host.token, guest.token, ""))
    await guest.must(space, "raise_hand", question="private words")
    seen = [await watching.next() for watching in (hosts, own, public)]
    assert [event["seq"] for event in seen] == [4, 4, 4]
    assert [event.get("question") for event in seen] == ["private words", "private words", None]
    assert seen[2]["redacted"] is True
    for watching in (hosts, own, public):
        await watching.leave()


async def test_a_removed_persons_stream_says_so_and_ends(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    watching = Watching(world, space, guest.token)
    await watching.next(numbered=False)
    await host.must(space, "remove", account=guest.id, reason="insults", minutes=10)
    event = await watching.next()
    assert (event["type"], event["reason"]) == ("removed", "insults")
    assert await watching.ended()
    answer = await guest.get(f"/spaces/{space}/events")
    assert (answer.status_code, answer.json()["code"]) == (403, "removed")
    world.clock.advance(minutes=11)
    back = Watching(world, space, guest.token, **{"last-event-id": "0"})
    assert (await back.next())["seq"] == 1
    await back.leave()


async def test_a_stream_ends_with_its_space_and_is_not_asked_again(world: World, host: Person) -> None:
    space = await host.space()
    watching = Watching(world, space)
    await watching.next(numbered=False)
    await host.must(space, "end")
    assert (await watching.next())["type"] == "space_ended" and await watching.ended()
    assert (await host.get(f"/spaces/{space}/events", headers={"Last-Event-ID": "4"})).status_code == 204


async def test_what_is_older_than_the_ring_comes_from_the_log(world: World, host: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    space = await host.space()
    for _ in range(40):
        await host.must(space, "lock_stage")
        await host.must(space, "unlock_stage")
    async with World(clock=world.clock, store=world.store, people=world.people).serving() as again:
        monkeypatch.setattr("rostra.service.feed.RING", 10)
        monkeypatch.setattr("rostra.api.events.PAGE", 7)
        watching = Watching(again, space, **{"last-event-id": "2"})
        assert [(await watching.next())["seq"] for _ in range(81)] == list(range(3, 84))
        await watching.leave()


async def test_reactions_are_counted_together_and_never_logged(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    watching = Watching(world, space)
    await watching.next(numbered=False)
    for _ in range(3):
        assert (await guest.must(space, "react", emoji="👏"))["events"] == []
    event = await watching.next(numbered=False)
    while event["type"] != "reactions":
        event = await watching.next(numbered=False)
    assert event["reactions"] == {"👏": 3}
    assert (await host.get(f"/spaces/{space}")).json()["seq"] == 3
    await watching.leave()


async def test_a_reader_that_takes_nothing_is_cut_off(world: World, host: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "SLOW_SECONDS", 0.0)
    space = await host.space()
    stuck = asyncio.Event()

    class Stuck(Watching):
        async def _run(self, app, scope) -> None:  # type: ignore[no-untyped-def]
            async def receive() -> dict:
                await stuck.wait()
                return {"type": "http.disconnect"}

            async def send(message: dict) -> None:
                if message["type"] == "http.response.body":
                    await stuck.wait()

            await app(scope, receive, send)

    watching = Stuck(world, space)
    await asyncio.wait_for(asyncio.gather(watching.task, return_exceptions=True), 5)
    assert not next(iter(world.app.state.services.spaces.loaded.values())).feed.streams


async def test_a_bad_position_is_invalid(world: World, host: Person) -> None:
    space = await host.space()
    for after in ("x", "-1", "9" * 30):
        assert (await host.get(f"/spaces/{space}/events", params={"after": after})).json()["code"] == "invalid"
    assert timedelta(seconds=crowd.TICK_SECONDS) >= timedelta(seconds=0.25), "aggregates come at most four times a second"
