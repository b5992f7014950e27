"""What a crash costs: `kill -9` of media, of the api and of everything at once, while people talk and listen."""

import asyncio
import time

from following import Follower
from foreign import Connection, hears, listen, speak
from load import speaking
from machine import Bystander
from server import Person, Server
from sounds import voice
from waiting import eventually
from wire import Wire, Wires, last_heard, longest_gap
from writer import Writer

MEDIA_HOLE, API_GAP = 0.25, 0.06
"""Seconds. A hole of the first length is the bound at p95 (bench/crash_media.py measures it); 60 ms holds for every single packet."""


async def crowd(server: Server, space: str, wires: Wires, closing: list, size: int) -> list[tuple[Connection, Wire]]:
    """Listeners who hear."""
    out = []
    for _ in range(size):
        wire = wires()
        out.append((await listen(server.door(space, "whep"), wire=wire), wire))
        closing.append(out[-1][0])
    return out


async def again(server: Server, before: int) -> None:
    """Return once another media process than ``before`` is in charge."""
    await eventually(lambda: server.children("media") not in ([], [before]) and bool(server.children("media standby")), 10)


async def test_media_killed_again_and_again_and_nobody_reconnects(server: Server, wires: Wires, closing: list) -> None:
    host, ben, cem = (Person(server.url, name) for name in ("Amara", "Fatou", "Cem"))
    space = host.open_space()
    for person in (ben, cem):
        person.seat(host, space)
    for person, name in ((host, "ann"), (ben, "ben"), (cem, "cem")):
        closing.append(await speak(server.door(space, "whip"), person.token, voice(name)))
    listeners = await crowd(server, space, wires, closing, 3)
    gone = await listen(server.door(space, "whep"), cem.token)
    closing.append(gone)
    for connection, _ in listeners:
        for name in ("ann", "ben", "cem"):
            await hears(connection, name)
    await asyncio.to_thread(host.must, space, "mute", account=ben.id)
    await asyncio.to_thread(host.must, space, "remove", account=cem.id, reason="insults", minutes=60)
    settled = time.time() + 0.2
    seats = {"ann": 1, "ben": 2, "cem": 3}
    holes = []
    with Bystander() as bystander:
        for _ in range(5):
            (pid,) = server.children("media")
            killed = time.time()
            server.kill("media")
            await again(server, pid)
            await asyncio.sleep(1.0)
            holes += [longest_gap(wire.down, killed - 0.1, killed + 1.0) for _, wire in listeners]
    for connection, wire in listeners:
        assert connection.states == ["connecting", "connected"], "a listener reconnected"
        # A mute and a removal made before hold after: their packets went on arriving all the while.
        assert last_heard(wire.down, seats["ben"]) < settled and last_heard(wire.down, seats["cem"]) < settled
        assert last_heard(wire.down, seats["ann"]) > time.time() - 1
        await hears(connection, "ann")
    assert sorted(holes)[int(0.9 * len(holes))] < MEDIA_HOLE + bystander.late, holes
    refused = cem.http.post(server.door(space, "whep"), content="v=0\r\n", headers={"Content-Type": "application/sdp"})
    assert (refused.status_code, refused.json()["code"]) == (403, "removed")


async def test_the_api_dies_under_load_and_the_sound_goes_on(server: Server, wires: Wires, closing: list) -> None:
    host, ben = Person(server.url, "Amara"), Person(server.url, "Fatou")
    space = host.open_space()
    ben.seat(host, space)
    closing.append(await speak(server.door(space, "whip"), ben.token, voice("ben")))
    ((connection, wire),) = await crowd(server, space, wires, closing, 1)
    followers = [Follower(server.url, space, token).start() for token in (host.token, None)]
    closing.extend(followers)
    await hears(connection, "ben")
    async with Writer(server.url, space, host.token).writing() as writer:
        with speaking(server.door(space, "whip"), host.token), Bystander() as bystander:
            started = time.time()
            for _ in range(3):
                server.kill("api")
                await writer.more(20)
            ended = time.time()
    acknowledged = writer.acknowledged
    assert longest_gap(wire.down, started, ended) <= API_GAP + bystander.late
    assert connection.states == ["connecting", "connected"]
    kept = host.snapshot(space)["seq"]
    for follower in followers:
        await follower.until(kept)
        assert follower.seqs == list(range(1, kept + 1)), "events were lost or repeated"
        assert follower.connections >= 4
    assert set(acknowledged) <= set(range(1, kept + 1)) and len(set(acknowledged)) == len(acknowledged)
    await hears(connection, "ben")


async def test_everything_killed_at_once_and_back(server: Server, wires: Wires, closing: list) -> None:
    host, ben, cem = (Person(server.url, name) for name in ("Amara", "Fatou", "Cem"))
    space = host.open_space()
    for person in (ben, cem):
        person.seat(host, space)
    ann = await speak(server.door(space, "whip"), host.token, voice("ann"))
    ((connection, wire),) = await crowd(server, space, wires, closing, 1)
    closing.append(ann)
    await hears(connection, "ann")
    host.must(space, "mute", account=ben.id, reason="talking over others")
    host.must(space, "remove", account=cem.id, reason="insults", minutes=60)
    async with Writer(server.url, space, host.token).writing() as writer:
        # All children at once: the supervisor still has the sockets and the region, and everyone keeps their connection.
        await writer.more(20)
        killed = time.time()
        server.kill("media", "media standby", "api", "worker")
        await writer.more(20)
        assert connection.states == ["connecting", "connected"] and longest_gap(wire.down, killed - 0.1, time.time()) < 3.0
        await hears(connection, "ann")
        # And the supervisor too, in the middle of writes: what is in memory is gone, what was acknowledged is not.
        await writer.more(20)
        server.kill_all()
    server.start()
    server.ready()
    snapshot = host.snapshot(space)
    entries = [entry for after in range(0, snapshot["seq"], 100) for entry in page(host, space, after)]
    seqs = [entry["seq"] for entry in entries]
    assert seqs == list(range(1, snapshot["seq"] + 1)) and set(writer.acknowledged) <= set(seqs)
    seats = {seat["account"]["id"]: seat for seat in snapshot["stage"]}
    assert seats[ben.id]["mute"]["reason"] == "talking over others" and cem.id not in seats
    refused = cem.http.post(server.door(space, "whep"), content="v=0\r\n", headers={"Content-Type": "application/sdp"})
    assert (refused.status_code, refused.json()["code"]) == (403, "removed")
    # Everyone who connects again is heard again.
    closing.append(await speak(server.door(space, "whip"), host.token, voice("ann")))
    closing.append(await listen(server.door(space, "whep")))
    await hears(closing[-1], "ann")


def page(person: Person, space: str, after: int) -> list[dict]:
    """A page of the log."""
    answer = person.http.get(f"/api/v1/spaces/{space}/events?after={after}&limit=100", headers={"Accept": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
