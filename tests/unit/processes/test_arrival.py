"""What comes to the HTTP port and is no request: answered with a code or hung up on, never kept, never logged as ours."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from rostra.processes import arrival

Say = Callable[[bytes], Awaitable[bytes]]


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(arrival, "ARRIVAL_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
        config = uvicorn.Config(app, http=arrival.Arrival, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.fixture
def say(port: int) -> Say:
    """Sends bytes and gives everything that comes back until the server hangs up, which it must."""

    async def exchange(data: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            return await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:  # It hung up while we still sent.
            return b""
        finally:
            writer.close()

    return exchange


def problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    told = json.loads(body)
    assert f"HTTP/1.1 {told['status']} ".encode() in head
    return told["status"], told["code"]


async def test_a_request_is_answered(say: Say) -> None:
    answer = await say(b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello")
    assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"\r\n\r\n5")


async def test_what_is_no_http_is_told_so(say: Say) -> None:
    assert problem(await say(b"\x16\x03\x01 hello\r\n\r\n")) == (400, "invalid")


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nhost: x\r\nx-endless: " + b"a" * 200_000,
        b"GET / HTTP/1.1\r\n" + b"x-many: a\r\n" * 20_000,
        b"GET /" + b"a" * 200_000,
    ],
    ids=["one long field", "many fields", "long address"],
)
async def test_an_endless_head_ends(say: Say, head: bytes) -> None:
    answer = await say(head)
    assert not answer or problem(answer) == (431, "too_large")


async def test_a_head_just_over_the_bound_is_told_so(say: Say) -> None:
    assert problem(await say(b"GET / HTTP/1.1\r\nx: " + b"a" * arrival.MOST_HEAD_BYTES)) == (431, "too_large")


async def test_a_head_that_never_ends_is_told_so(say: Say) -> None:
    assert problem(await say(b"GET / HTTP/1.1\r\nhost:")) == (408, "timeout")


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_connection_that_says_nothing_is_hung_up_on(say: Say, data: bytes) -> None:
    assert await say(data) == b""


async def test_a_body_that_never_ends_is_hung_up_on(say: Say) -> None:
    assert await say(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhel") == b""


async def test_line_ends_after_an_answer_hold_nothing(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n0")).startswith(b"HTTP/1.1 200 OK")
    writer.write(b"\r\n")
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_an_upgrade_that_is_not_offered_is_ignored(say: Say, caplog: pytest.LogCaptureFixture) -> None:
    answer = await say(b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nconnection: upgrade, close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert "pgrade" not in caplog.text


async def test_requests_may_follow_each_other(say: Say) -> None:
    one = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = await say(one * 3 + b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 4
