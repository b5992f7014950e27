"""The doors of accounts and Spaces: what is answered, in which words, and what stays private."""

import pytest
from world import Person, World

from rostra.api.limits import RateLimit


async def test_a_guest_gets_a_name_a_token_and_a_cookie_that_needs_its_own_page(world: World) -> None:
    async with world.http() as http:
        answer = await http.post("/api/v1/guests", json={"name": "  Ann\u202e \x07 Lee "})
        assert answer.status_code == 201 and answer.json()["account"]["name"] == "Ann Lee"
        assert "HttpOnly" in answer.headers["set-cookie"] and answer.json()["account"]["guest"] is True
        assert (await http.get("/api/v1/me")).json()["account"] == answer.json()["account"]
        strange = await http.post("/api/v1/spaces", json={"title": "x"})
        assert (strange.status_code, strange.json()["code"]) == (403, "not_permitted")
        own = await http.post("/api/v1/spaces", json={"title": "x"}, headers={"Origin": "http://127.0.0.1:8080"})
        assert own.status_code == 201
        assert (await http.delete("/api/v1/me/session", headers={"Origin": "http://127.0.0.1:8080"})).status_code == 204
        assert (await http.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize(
    ("body", "path"),
    [({}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"), ({"name": "\u200b"}, "name"), ({"name": "x" * 61}, "name")],
)
async def test_a_bad_name_is_named(world: World, body: dict, path: str) -> None:
    answer = await world.http().post("/api/v1/guests", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["path"]) == (422, "invalid", path)


@pytest.mark.parametrize(
    ("content", "headers", "code"),
    [
        (b"{", {}, "invalid"),
        (b"[" * 60_000, {}, "invalid"),
        (b'{"name": "\xff"}', {}, "invalid"),
        (b"x" * 70_000, {}, "too_large"),
        (b'{"name":"a"}', {"Content-Type": "text/plain"}, "unsupported_media_type"),
        (b'{"name":"a"}', {"Host": "evil.example"}, "misdirected"),
    ],
)
async def test_bad_bodies_have_codes(world: World, content: bytes, headers: dict[str, str], code: str) -> None:
    answer = await world.http().post("/api/v1/guests", content=content, headers={"Content-Type": "application/json", **headers})
    assert answer.json()["code"] == code and answer.headers["content-type"] == "application/problem+json"


async def test_unknown_addresses_are_problems_and_never_the_page(world: World) -> None:
    for method, path, code in [
        ("GET", "/api/v1/nope", "no_route"),
        ("GET", "/api", "no_route"),
        ("PUT", "/api/v1/spaces", "method_not_allowed"),
    ]:
        answer = await world.http().request(method, path)
        assert answer.json()["code"] == code, path
    assert (await world.http().get("/api/v1/spaces/zzz")).json()["code"] == "space_not_found"
    assert (await world.http("wrong").get("/api/v1/me")).json()["code"] == "unauthenticated"


async def test_a_hand_becomes_a_seat_and_a_wish_already_true_is_no_event(host: Person, guest: Person) -> None:
    space = await host.space()
    asked = await guest.must(space, "raise_hand", question="Why?")
    assert [event["type"] for event in asked["events"]] == ["hand_raised"]
    assert (await guest.must(space, "raise_hand", question="Why?"))["events"] == []
    seated = await host.must(space, "approve_hand", account=guest.id)
    assert seated["events"][0]["csrc"] == 2 and seated["seq"] == asked["seq"] + 1
    snapshot = (await guest.get(f"/spaces/{space}")).json()
    assert snapshot["you"]["role"] == "speaker" and snapshot["stage"][1]["mic"] == "off"
    assert snapshot["answering"]["question"] == "Why?"


async def test_questions_and_reasons_are_for_hosts_and_their_owner(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    stranger = await world.person("Nobody")
    await guest.must(space, "raise_hand", question="private words")
    for who, sees in ((host, True), (guest, True), (stranger, False)):
        assert ("private words" in (await who.get(f"/spaces/{space}")).text) is sees
        assert ("private words" in (await who.get(f"/spaces/{space}/events", headers={"Accept": "application/json"})).text) is sees
    assert (await stranger.get(f"/spaces/{space}")).json()["hand_count"] == 1


async def test_refusals_have_the_contracts_codes_and_change_nothing(world: World, host: Person, guest: Person) -> None:
    space = await host.space(seats=1)
    assert await guest.refused(space, "set_mic", on=True) == (403, "not_a_speaker")
    assert await guest.refused(space, "mute", account=host.id) == (403, "not_permitted")
    assert await host.refused(space, "mute", account="nobody") == (404, "account_not_found")
    assert await host.refused(space, "approve_hand", account=guest.id) == (409, "no_hand")
    assert await guest.refused(space, "accept_invite") == (409, "no_invite")
    await guest.must(space, "raise_hand")
    assert await host.refused(space, "approve_hand", account=guest.id) == (409, "stage_full")
    assert await host.refused(space, "dance") == (422, "invalid")
    assert await host.refused(space, "pin", url="javascript:alert(1)") == (422, "invalid")
    assert (await host.get(f"/spaces/{space}")).json()["seq"] == 4
    await host.must(space, "end")
    assert await guest.refused(space, "raise_hand") == (409, "ended")


async def test_a_retry_with_its_key_gets_the_first_answer_and_acts_once(world: World, host: Person) -> None:
    space = await host.space()
    key = {"Idempotency-Key": "k1"}
    wish = {"type": "pin", "url": "https://example.org/"}
    first = await host.post(f"/spaces/{space}/commands", json=wish, headers=key)
    again = await host.post(f"/spaces/{space}/commands", json=wish, headers=key)
    assert first.json() == again.json() and len((await host.get(f"/spaces/{space}")).json()["pins"]) == 1
    other = await host.post(f"/spaces/{space}/commands", json={"type": "lock_stage"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_lists_page_by_page_and_bad_limits_are_invalid(world: World, host: Person) -> None:
    made = {await host.space(title=f"Grid {at}") for at in range(5)}
    await host.space(title="Hidden grid", visibility="unlisted")
    seen, cursor = set(), None
    while True:
        params = {"state": "live", "q": "grid", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await world.http().get("/api/v1/spaces", params=params)).json()
        seen |= {card["id"] for card in page["data"]}
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made
    for bad in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "%%%"}, {"cursor": "AAAA"}, {"state": "gone"}):
        assert (await world.http().get("/api/v1/spaces", params=bad)).json()["code"] == "invalid", bad


async def test_participants_show_listeners_to_hosts_only(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.must(space, "raise_hand")
    names = [each["account"]["name"] for each in (await host.get(f"/spaces/{space}/participants")).json()["data"]]
    assert names == ["Amara", "Fatou"]
    assert len((await guest.get(f"/spaces/{space}/participants")).json()["data"]) == 1
    found = (await host.get(f"/spaces/{space}/participants", params={"q": "fat", "role": "listener"})).json()["data"]
    assert [each["account"]["id"] for each in found] == [guest.id]


async def test_the_log_outlives_the_process(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    await guest.seat(host, space)
    before = (await host.get(f"/spaces/{space}")).json()
    async with World(clock=world.clock, store=world.store, people=world.people).serving() as again:
        after = (await Person(again, host.account, host.token).get(f"/spaces/{space}")).json()
    assert after == before


async def test_a_database_that_is_away_is_503_and_nothing_happened(world: World, host: Person, guest: Person) -> None:
    space = await host.space()
    world.store.down = True
    answer = await guest.wish(space, "raise_hand")
    assert (answer.status_code, answer.json()["code"], "retry-after" in answer.headers) == (503, "overloaded", True)
    assert (await world.http().get("/readyz")).status_code == 503
    world.store.down = False
    assert (await guest.get(f"/spaces/{space}")).json()["you"]["hand"] is None


async def test_one_address_is_limited_and_told_when_to_come_back() -> None:
    world = World()
    world.limits = {"guests": RateLimit(2, world.clock)}
    async with world.serving():
        answers = [await world.http().post("/api/v1/guests", json={"name": "A"}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429] and answers[2].headers["Retry-After"] == "30"
        world.clock.advance(seconds=30)
        assert (await world.http().post("/api/v1/guests", json={"name": "A"})).status_code == 201


async def test_metrics_name_no_space_and_are_for_loopback(world: World, host: Person) -> None:
    space = await host.space()
    answer = await world.http().get("/metrics")
    assert answer.status_code == 200 and space not in answer.text and "rostra_spaces_live 1.0" in answer.text


async def test_openapi_types_every_command_and_event(world: World) -> None:
    document = (await world.http().get("/api/v1/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert len(schemas["Event"]["oneOf"]) > 20 and "raise_hand" in schemas["Command"]["discriminator"]["mapping"]
    assert schemas["MutedEvent"]["properties"]["type"] == {"const": "muted"}
