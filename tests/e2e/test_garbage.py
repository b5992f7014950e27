"""Bad input at every door gets a clear error with a code, or silence where the RFC wants silence; never a 500, a death, growth or a gap."""

import asyncio
import contextlib
import random
import socket
import time
from pathlib import Path

import httpx
import pytest
import schemathesis
from foreign import hears, listen, speak
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from load import speaking
from machine import Bystander
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from server import Person, Server
from sounds import voice
from wire import Wire, Wires, longest_gap

KIB = 1024


@pytest.fixture
def crowd(house: Server) -> tuple[Person, str]:
    """Somebody with a live Space."""
    host = Person(house.url, "Amara")
    return host, host.open_space()


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def as_text(_: schemathesis.SerializationContext, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def test_requests_made_from_the_openapi_document(house: Server, crowd: tuple[Person, str]) -> None:
    host, space = crowd
    schema = schemathesis.openapi.from_url(f"{house.url}/api/v1/openapi.json")
    # An open event stream never ends: its parameters are tried below.
    operations = [found.ok() for found in schema.exclude(path_regex="/events$").get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= 12
    asked: list[str] = []

    @settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def tried(case: schemathesis.Case) -> None:
        asked.append(case.operation.label)
        answered(case, house, host, space)

    for operation in operations:
        for mode in schemathesis.GenerationMode:
            with contextlib.suppress(Unsatisfiable):  # What takes any text at all cannot be given a wrong one.
                given(case=operation.as_strategy(generation_mode=mode))(tried)()
    assert len(asked) > 200


def answered(case: schemathesis.Case, house: Server, host: Person, space: str) -> None:
    """The server knows what to say to one generated request. Most of those for a Space are for one that exists."""
    if "id" in case.path_parameters and len(str(case.body)) % 4:
        case.path_parameters["id"] = space
    answer = case.call(base_url=house.url, headers={"Authorization": f"Bearer {host.token}"}, timeout=10)
    case.validate_response(answer, checks=[not_a_server_error])
    if answer.status_code >= 400 and case.method != "HEAD":
        problem = answer.json()
        assert problem["code"] and problem["status"] == answer.status_code, answer.text
        assert answer.headers["content-type"][0].startswith("application/problem+json"), answer.headers


@pytest.mark.parametrize("after", ["-1", "x", "1e9", "٣", "9" * 40, "1 2", "%00", ""])
def test_absurd_positions_in_the_log(after: str, house: Server, crowd: tuple[Person, str]) -> None:
    _, space = crowd
    with httpx.stream("GET", f"{house.url}/api/v1/spaces/{space}/events", params={"after": after}, timeout=10) as answer:
        assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json", after


RAW = {
    "nothing": b"",
    "no words": bytes(range(256)) * 4,
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "half a request": b"POST /api/v1/guests HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{",
    "a long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(20_000)) + b"\r\n",
    "broken chunks": b"POST /api/v1/guests HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "two lengths": b"POST /api/v1/guests HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "a strange host": b"GET /api/v1/spaces HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "a negative length": b"POST /api/v1/guests HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_hardly_http(name: str, house: Server) -> None:
    host, port = house.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as door:
        try:
            door.sendall(RAW[name])
            door.shutdown(socket.SHUT_WR)
            answer = door.recv(65_536)
        except ConnectionError:
            answer = b""  # Closed on us, which is an answer too.
    assert not answer or answer.split(b" ")[1][:1] == b"4", answer[:300]
    assert httpx.get(f"{house.url}/healthz", timeout=5).status_code == 200


def test_a_body_that_never_ends_is_cut_off(house: Server, crowd: tuple[Person, str]) -> None:
    host, space = crowd
    for path, kind in ((f"/api/v1/spaces/{space}/commands", "application/json"), (f"/api/v1/spaces/{space}/whep", "application/sdp")):
        answer = host.http.post(path, content=b"a" * 4_000_000, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text


async def test_absurd_sdp(house: Server, crowd: tuple[Person, str], closing: list) -> None:
    host, space = crowd
    good = await listen(house.door(space, "whep"), host.token)
    closing.append(good)
    offer = good.link.localDescription.sdp
    chance = random.Random(7)
    offers = ["", "v=0", "v=0\r\n", "\0" * 100, "v=0\r\n" * 3000, "💥" * 5000, offer[: len(offer) // 2], offer.replace("audio", "video")]
    offers += [offer.replace("opus/48000/2", "PCMU/8000"), offer.replace("a=ice-pwd:", "a=ice-pwd:\r\n"), offer.replace("sha-256", "sha-1")]
    offers += [offer + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\n" * n for n in (1, 5, 500)]
    for _ in range(150):
        lines = offer.split("\r\n")
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(lines))
            line, letter = lines[at], chr(chance.randrange(1, 0x2FFF))
            lines[at] = chance.choice(["", line[::-1], line * 50, line + letter, chance.choice(lines)])
        offers.append("\r\n".join(lines))
    async with httpx.AsyncClient(timeout=10, headers={"Authorization": f"Bearer {host.token}", "Content-Type": "application/sdp"}) as http:
        for text in offers:
            answer = await http.post(house.door(space, "whep"), content=text.encode())
            assert answer.status_code in (201, 413, 422), answer.text
            if answer.status_code != 201:
                assert answer.json()["code"] in ("bad_sdp", "too_large", "invalid"), answer.text


def memory(pid: int) -> int:
    """Resident KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def junk(chance: random.Random, own: list[bytes]) -> list[bytes]:
    """Datagrams of every length that begin as STUN, DTLS, RTP or RTCP do (RFC 7983), and the client's own ones cut, bent and repeated."""
    out = []
    for size in range(1501):
        for first in (0, 1, 20, 22, 63, 128, 144, 191, 255):
            data = bytearray(chance.randbytes(size))
            if data:
                data[0] = first
            if first == 1 and size >= 20:
                data[2:8] = (size - 20).to_bytes(2) + b"\x21\x12\xa4\x42"
            if first == 22 and size >= 13:
                data[1:3], data[11:13] = b"\xfe\xfd", (size - 13).to_bytes(2)
            if first == 191 and size > 1:
                data[1] = 200
            out.append(bytes(data))
    for packet in own:
        bent = bytearray(packet)
        bent[chance.randrange(len(bent))] ^= 1 << chance.randrange(8)
        out += [packet, packet, bytes(bent), packet[: chance.randrange(len(packet))], packet + chance.randbytes(9)]
    chance.shuffle(out)
    return out


async def test_datagrams_of_every_length_and_no_gap(
    house: Server, crowd: tuple[Person, str], guest: Person, wires: Wires, closing: list
) -> None:
    host, space = crowd
    guest.seat(host, space)
    (pid,) = house.children("media")
    talking, hearing = wires(), wires()
    closing.append(await speak(house.door(space, "whip"), guest.token, voice("ben"), talking))
    stranger = await listen(house.door(space, "whep"), wire=hearing)
    closing.append(stranger)
    await hears(stranger, "ben")
    candidate = next(line for line in stranger.answer.splitlines() if line.startswith("a=candidate:")).split()
    before = memory(pid)
    with (
        speaking(house.door(space, "whip"), host.token),
        Wire.socket_to(candidate[4], int(candidate[5])) as elsewhere,
        Bystander() as bystander,
    ):
        started = time.time()
        for at, data in enumerate(junk(random.Random(11), [*talking.sent, *hearing.sent])):
            match at % 3:
                case 0:
                    elsewhere.send(data)
                case 1:
                    talking.inject(data)
                case _:
                    hearing.inject(data)
            if at % 20 == 0:
                await asyncio.sleep(0.002)
        ended = time.time()
    assert longest_gap(hearing.down, started, ended) <= 0.06 + bystander.late
    assert house.children("media") == [pid], "the media process died"
    assert memory(pid) - before < 4 * KIB, f"{memory(pid) - before} KiB grown"
    assert stranger.states == ["connecting", "connected"]
    await hears(stranger, "ben")
