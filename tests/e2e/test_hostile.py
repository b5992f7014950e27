"""Clients that do not obey: the microphone still sends, and yet nobody hears. Measured on packets, by the kernel's clock."""

import asyncio
import time

import httpx
from following import Follower
from foreign import hears, listen, speak
from server import Person, Server
from sounds import voice
from wire import Wires, last_heard

BOUND = 0.2
"""Seconds from the answer to silence at every listener."""


async def decided(person: Person, space: str, kind: str, **fields: object) -> float:
    """Decide, and return the wall time at which the answer was there."""
    await asyncio.to_thread(person.must, space, kind, **fields)
    return time.time()


async def test_a_mute_is_silence_while_the_microphone_sends(
    house: Server, host: Person, guest: Person, wires: Wires, closing: list
) -> None:
    space = host.open_space()
    guest.seat(host, space)
    sending, hearing = wires(), wires()
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben"), sending))
    stranger = await listen(house.door(space, "whep"), wire=hearing)
    onstage = await listen(house.door(space, "whep?feed=stage"), host.token, wire := wires(), sections=3)
    closing += [stranger, onstage]
    await hears(stranger, "ben")
    await hears(onstage, "ben")
    answered = await decided(host, space, "mute", account=guest.id)
    await asyncio.sleep(1.5)
    assert sending.up[-1].at > time.time() - 0.2, "the microphone stopped sending by itself: nothing was tested"
    for listener, path in ((stranger, hearing), (onstage, wire)):
        assert last_heard(path.down, 2) < answered + BOUND
        loud = listener.loud(path)
        assert loud[0][0] < answered and max(at for at, _ in loud) < answered + BOUND, loud[-3:]
    assert guest.snapshot(space)["stage"][1]["mute"] is not None
    refused = guest.command(space, "set_mic", on=True)
    assert (refused.status_code, refused.json()["code"]) == (403, "muted")
    # A second WHIP session does not get round it, and an unmute leaves the microphone off until its owner turns it on.
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben")))
    unmuted = await decided(host, space, "unmute", account=guest.id)
    await asyncio.sleep(0.5)
    assert last_heard(hearing.down, 2) < answered + BOUND and unmuted > answered
    guest.must(space, "set_mic", on=True)
    await hears(stranger, "ben")


async def test_a_removed_person_is_out_at_every_door(house: Server, host: Person, guest: Person, wires: Wires, closing: list) -> None:
    space = host.open_space()
    guest.seat(host, space)
    sending, hearing, own = wires(), wires(), wires()
    sending.is_obstinate = own.is_obstinate = True
    ben = await speak(house.door(space, "whip"), guest.token, voice("ben"), sending)
    ann = await speak(house.door(space, "whip"), host.token, voice("ann"))
    stranger = await listen(house.door(space, "whep"), wire=hearing)
    theirs = await listen(house.door(space, "whep"), guest.token, own)
    follower = Follower(house.url, space, guest.token).start()
    closing += [ben, ann, stranger, theirs, follower]
    for name in ("ann", "ben"):
        await hears(stranger, name)
        await hears(theirs, name)
    await follower.until(host.snapshot(space)["seq"])
    answered = await decided(host, space, "remove", account=guest.id, reason="insults", minutes=10)
    await follower.over(seconds=BOUND + 0.3)
    assert follower.events[-1]["type"] == "removed" and follower.refused and follower.refused["code"] == "removed"
    await asyncio.sleep(1.5)
    assert sending.up[-1].at > answered + 1.0, "the microphone stopped sending by itself: nothing was tested"
    assert last_heard(hearing.down, 2) < answered + BOUND, "a removed speaker is heard"
    assert max((packet.at for packet in own.down), default=0.0) < answered + BOUND, "a removed listener hears"
    assert hearing.down[-1].at > time.time() - 0.5 and last_heard(hearing.down, 1) > time.time() - 0.5, "the others hear nothing either"
    await every_door_is_shut(house, space, guest, ben.location)
    # Elsewhere their account is as it was.
    assert guest.http.get("/api/v1/me").json()["account"]["id"] == guest.id
    elsewhere = guest.open_space("Somewhere else")
    closing.append(await listen(house.door(elsewhere, "whep"), guest.token))


async def every_door_is_shut(house: Server, space: str, guest: Person, session: str) -> None:
    for door in ("whip", "whep", "whep?feed=stage"):
        answer = guest.http.post(house.door(space, door), content="v=0\r\n", headers={"Content-Type": "application/sdp"})
        assert (answer.status_code, answer.json()["code"]) == (403, "removed"), door
    for door in ("events", "participants"):
        answer = guest.http.get(house.door(space, door))
        assert (answer.status_code, answer.json()["code"]) == (403, "removed"), door
    for kind in ("raise_hand", "set_mic", "react", "step_down"):
        extra = {"on": True} if kind == "set_mic" else {"emoji": "👏"} if kind == "react" else {}
        answer = guest.command(space, kind, **extra)
        assert (answer.status_code, answer.json()["code"]) == (403, "removed"), (kind, answer.text)
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
    restart = "a=ice-ufrag:abcd\r\na=ice-pwd:" + "a" * 24 + "\r\n"
    assert guest.http.patch(session, content=restart, headers=fragment).status_code in (403, 404)
    assert guest.http.delete(session).status_code in (403, 404)


async def test_a_demoted_or_muted_all_stage_falls_silent(house: Server, host: Person, guest: Person, wires: Wires, closing: list) -> None:
    space = host.open_space()
    guest.seat(host, space)
    hearing = wires()
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben")))
    closing.append(await speak(house.door(space, "whip"), host.token, voice("ann")))
    stranger = await listen(house.door(space, "whep"), wire=hearing)
    closing.append(stranger)
    await hears(stranger, "ben")
    answered = await decided(host, space, "mute_all")
    await asyncio.sleep(0.7)
    assert last_heard(hearing.down, 2) < answered + BOUND and last_heard(hearing.down, 1) > answered + BOUND, "a host mutes the others"
    host.must(space, "unmute", account=guest.id)
    guest.must(space, "set_mic", on=True)
    await hears(stranger, "ben")
    answered = await decided(host, space, "move_to_audience", account=guest.id)
    await asyncio.sleep(0.7)
    assert last_heard(hearing.down, 2) < answered + BOUND
    answered = await decided(host, space, "end")
    await asyncio.sleep(0.7)
    assert max(packet.at for packet in hearing.down) < answered + BOUND, "an ended Space is heard"


async def test_nobody_speaks_with_somebody_elses_session(house: Server, host: Person, guest: Person, closing: list) -> None:
    space = host.open_space()
    ann = await speak(house.door(space, "whip"), host.token, voice("ann"))
    closing.append(ann)
    for method in ("DELETE", "OPTIONS"):
        assert guest.http.request(method, ann.location).status_code == 403
        async with httpx.AsyncClient() as nobody:
            assert (await nobody.request(method, house.url + ann.location)).status_code in (401, 403)
    refused = guest.http.post(house.door(space, "whip"), content="v=0\r\n", headers={"Content-Type": "application/sdp"})
    assert (refused.status_code, refused.json()["code"]) == (403, "not_a_speaker")
    assert host.http.request("OPTIONS", ann.location).status_code == 204
