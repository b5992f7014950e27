"""The media doors and what moderation asks of the core: closed before the log says so, opened after, reconciled at a return."""

import asyncio

import pytest
from world import OFFER, SDP, Person, World

from rostra.domain.ids import AccountId, SessionId

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


async def whip(person: Person, space: str, query: str = "") -> str:
    answer = await person.post(f"/spaces/{space}/whip{query}", content=OFFER, headers=SDP)
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"].startswith('"') and answer.headers["content-type"] == "application/sdp"
    return answer.headers["location"]


async def settled(world: World) -> None:
    """Let the service, which shares this loop and waits for nothing else, read every fact so far."""
    for _ in range(4 * world.media._facts.queue.qsize() + 8):
        await asyncio.sleep(0)


async def test_opening_whip_turns_the_microphone_on_unless_asked_not_to(world: World, host: Person) -> None:
    space = await host.space()
    await whip(host, space, "?mic=off")
    assert not world.media.grants
    await whip(host, space)
    assert [grant.csrc for grant in world.media.grants.values()] == [1]
    await whip(host, space, "?mic=off")
    assert not world.media.grants and (await host.get(f"/spaces/{space}")).json()["stage"][0]["mic"] == "off"


async def test_a_muted_speaker_may_connect_but_is_not_heard(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.seat(host, space)
    await whip(guest, space)
    await host.must(space, "mute", account=guest.id, reason="noise")
    assert not world.media.grants
    assert await guest.refused(space, "set_mic", on=True) == (403, "muted")
    await whip(guest, space)
    assert not world.media.grants
    await host.must(space, "unmute", account=guest.id)
    assert not world.media.grants
    await guest.must(space, "set_mic", on=True)
    assert len(world.media.grants) == 1


async def test_a_deny_reaches_the_core_before_the_log(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.seat(host, space)
    await whip(guest, space)
    order: list[str] = []
    append, deny = world.store.append, world.media.deny

    async def watched_append(*args: object) -> None:
        order.append("log")
        await append(*args)  # type: ignore[arg-type]

    async def watched_deny(*args: object) -> None:
        order.append("media")
        await deny(*args)  # type: ignore[arg-type]

    world.store.append, world.media.deny = watched_append, watched_deny  # type: ignore[method-assign, assignment]
    await host.must(space, "move_to_audience", account=guest.id)
    assert order == ["media", "log"]
    denied = [call for call in world.media.calls if call[0] == "deny"]
    assert denied[-1][2:] == (guest.id, 7, "stage")


async def test_a_removed_person_opens_nothing_until_it_ends(world: World, host: Person, guest: Person) -> None:
    space, other = await host.space(), await host.space()
    await guest.seat(host, space)
    location = await whip(guest, space)
    await host.must(space, "remove", account=guest.id, reason="insults", minutes=5)
    assert not world.media.sessions() and not world.media.grants
    for door in ("whip", "whep", "whep?feed=stage", "commands"):
        body = {"json": {"type": "raise_hand"}} if door == "commands" else {"content": OFFER, "headers": SDP}
        answer = await guest.post(f"/spaces/{space}/{door}", **body)
        assert (answer.status_code, answer.json()["code"]) == (403, "removed"), door
    async with world.http(guest.token) as http:
        assert (await http.delete(location)).status_code == 404
    assert (await guest.post(f"/spaces/{other}/whep", content=OFFER, headers=SDP)).status_code == 201
    world.clock.advance(minutes=6)
    assert (await guest.post(f"/spaces/{space}/whep", content=OFFER, headers=SDP)).status_code == 201


async def test_a_banned_persons_browser_does_not_listen_without_a_name(world: World, host: Person) -> None:
    space = await host.space()
    async with world.http() as browser:
        account = (await browser.post("/api/v1/guests", json={"name": "Troll"})).json()["account"]
        browser.cookies.delete("rostra_session")
        path = f"/api/v1/spaces/{space}/whep"
        assert (await browser.post(path, content=OFFER, headers=SDP)).status_code == 201
        await host.must(space, "ban", account=account["id"], reason="spam")
        assert not world.media.sessions()
        assert (await browser.post(path, content=OFFER, headers=SDP)).json()["code"] == "banned"
        assert (await browser.get(f"/api/v1/spaces/{space}/events")).json()["code"] == "banned"
    assert (await world.http().post(path, content=OFFER, headers=SDP)).status_code == 201


async def test_sessions_answer_only_to_their_owner(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    location = await whip(host, space)
    async with world.http(guest.token) as stranger, world.http(host.token) as owner:
        for method in ("DELETE", "PATCH", "OPTIONS"):
            assert (await stranger.request(method, location, content="", headers=FRAGMENT)).json()["code"] == "not_permitted"
        etag = next(iter(world.media.sessions()))
        stale = await owner.patch(location, content="a=ice-ufrag:x\r\n", headers={**FRAGMENT, "If-Match": '"old"'})
        assert stale.json()["code"] == "precondition_failed"
        fresh = await owner.patch(location, content="a=ice-ufrag:x\r\n", headers={**FRAGMENT, "If-Match": f'"{etag}-1"'})
        assert fresh.status_code == 200 and fresh.headers["etag"] == f'"{etag}-2"'
        assert (await owner.patch(location, content="", headers={**FRAGMENT, "If-Match": "*"})).status_code == 204
        assert (await owner.delete(location)).status_code == 200
        assert (await owner.delete(location)).json()["code"] == "session_not_found"


async def test_listening_needs_no_name_and_asks_no_database(world: World, host: Person) -> None:
    space = await host.space()
    world.store.down = world.people.down = True
    assert (await world.http().post(f"/api/v1/spaces/{space}/whep", content=OFFER, headers=SDP)).status_code == 201
    assert (await host.post(f"/spaces/{space}/whep", content=OFFER, headers=SDP)).status_code == 201
    assert len(world.media.sessions()) == 2


@pytest.mark.parametrize(
    ("door", "content", "kind", "code"),
    [
        ("whip", "garbage", "application/sdp", "bad_sdp"),
        ("whep", "", "application/sdp", "bad_sdp"),
        ("whep", OFFER, "text/plain", "unsupported_media_type"),
        ("whep", "v" * 70_000, "application/sdp", "too_large"),
        ("whep?feed=other", OFFER, "application/sdp", "invalid"),
        ("whip?mic=loud", OFFER, "application/sdp", "invalid"),
    ],
)
async def test_bad_offers_have_codes_and_open_nothing(world: World, host: Person, door: str, content: str, kind: str, code: str) -> None:
    space = await host.space()
    answer = await host.post(f"/spaces/{space}/{door}", content=content, headers={"Content-Type": kind})
    assert answer.json()["code"] == code and not world.media.sessions() and not world.media.grants


async def test_a_core_that_is_away_is_said_and_made_up_for(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.seat(host, space)
    await whip(guest, space)
    world.media.unreachable = True
    answer = await host.post(f"/spaces/{space}/whep", content=OFFER, headers=SDP)
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    removed = await host.must(space, "remove", account=guest.id, reason="insults")
    assert removed["pending"]["until"] > removed["events"][0]["at"]
    world.media.restart()
    await settled(world)
    assert not world.media.grants and not world.media.sessions()


async def test_listeners_are_counted_by_live_sessions(world: World, host: Person) -> None:
    space = await host.space()
    answer = await world.http().post(f"/api/v1/spaces/{space}/whep", content=OFFER, headers=SDP)
    session = SessionId(answer.headers["location"].rpartition("/")[2])
    assert (await host.get(f"/spaces/{space}")).json()["listener_count"] == 0
    world.media.connect(session)
    await settled(world)
    assert (await host.get(f"/spaces/{space}")).json()["listener_count"] == 1


async def test_foreign_pages_may_use_the_media_doors_without_cookies(world: World, host: Person) -> None:
    space = await host.space()
    headers = {"Origin": "https://player.example", "Access-Control-Request-Method": "POST"}
    preflight = await world.http().options(f"/api/v1/spaces/{space}/whep", headers=headers)
    assert preflight.status_code == 204 and preflight.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in preflight.headers
    assert "access-control-allow-origin" not in (await host.get(f"/spaces/{space}")).headers


async def test_a_removal_reads_devices_once_and_a_failure_to_read_them_changes_nothing(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    reads: list[str] = []
    devices = world.people.devices

    async def counted(account: AccountId) -> set[str]:
        reads.append(account)
        world.people.down = len(reads) == 1
        return await devices(account)

    world.people.devices = counted  # type: ignore[method-assign]
    assert await host.refused(space, "remove", account=guest.id, reason="insults") == (503, "overloaded")
    world.people.down = False
    assert (await host.get(f"/spaces/{space}")).json()["seq"] == 3
    await host.must(space, "remove", account=guest.id, reason="insults")
    assert reads == [guest.id, guest.id], "one read for each wish"
