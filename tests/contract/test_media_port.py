"""The ``Media`` port: one suite for the twin in memory and for the client of a real media process; then what only a process can do."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from media_process import MediaProcesses, offer

from rostra.adapters.media.client import MediaClient
from rostra.adapters.memory import MemoryMedia
from rostra.domain.ids import AccountId, Csrc, Seq, SessionId, SpaceId
from rostra.ports import (
    DenyScope,
    Fact,
    Feed,
    Grant,
    Media,
    MediaConnected,
    MediaRefused,
    SessionDown,
    SessionUp,
    Unavailable,
)

SPACE, OTHER = SpaceId("space23456789"), SpaceId("other23456789")
AMARA = AccountId("amara23456789bcd")


def session(number: int) -> SessionId:
    return SessionId(f"{number:032x}")


class Facts:
    """Facts as they come, to be waited for."""

    def __init__(self, media: Media) -> None:
        self._facts = media.facts()

    async def next(self) -> Fact:
        return await asyncio.wait_for(anext(self._facts), 10)

    async def until(self, kind: type[Fact]) -> Fact:
        while not isinstance(fact := await self.next(), kind):
            pass
        return fact


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[MediaProcesses]:
    held = MediaProcesses(tmp_path)
    yield held
    held.close()


@pytest.fixture
async def client(processes: MediaProcesses) -> AsyncIterator[MediaClient]:
    """Connected to the first of ``processes``."""
    first = processes.start()
    await processes.wait(first, "ready")
    made = MediaClient(processes.socket)
    facts = Facts(made)
    await made.start()
    assert await facts.next() == MediaConnected()
    yield made
    await made.close()


@pytest.fixture(params=["memory", "process"])
def media(request: pytest.FixtureRequest) -> Media:
    return MemoryMedia() if request.param == "memory" else request.getfixturevalue("client")


async def listen(media: Media, number: int, owner: str = AMARA, *, seq: int = 1, feed: Feed = "programme") -> str:
    """Opens a session; its answer's ETag."""
    csrc = None if feed == "programme" else Csrc(7)
    answer = await media.open_session(session(number), SPACE, owner, feed, csrc, Seq(seq), offer(feed))
    assert answer.sdp.startswith("v=0")
    return answer.etag


# The suite.


async def test_the_first_fact_is_that_media_answers(media: Media) -> None:
    assert media.connected()
    assert await Facts(media).next() == MediaConnected()
    assert media.sessions() == {}


async def test_an_opened_session_is_known_but_not_connected(media: Media) -> None:
    await listen(media, 1)
    (known,) = media.sessions().values()
    assert (known.id, known.space, known.owner, known.feed, known.connected) == (session(1), SPACE, AMARA, "programme", False)


@pytest.mark.parametrize("text", ["", "hello", "v=1\r\n"])
async def test_what_is_no_offer_is_refused_and_changes_nothing(media: Media, text: str) -> None:
    with pytest.raises(MediaRefused) as refused:
        await media.open_session(session(1), SPACE, AMARA, "programme", None, Seq(1), text)
    assert refused.value.code == "bad_sdp"
    assert media.sessions() == {}


async def test_a_second_session_of_the_same_owner_and_feed_replaces_the_first(media: Media) -> None:
    facts = Facts(media)
    await listen(media, 1)
    await listen(media, 2, "somebody else")
    await listen(media, 3, feed="ingest")
    answer = await media.open_session(session(4), SPACE, AMARA, "programme", None, Seq(1), offer())
    assert answer.replaced == (session(1),)
    down = await facts.until(SessionDown)
    assert isinstance(down, SessionDown) and (down.session.id, down.reason) == (session(1), "replaced")
    assert set(media.sessions()) == {session(2), session(3), session(4)}


async def test_closing_ends_a_session_once(media: Media) -> None:
    facts = Facts(media)
    await listen(media, 1)
    await media.close_session(session(1), "closed")
    down = await facts.until(SessionDown)
    assert isinstance(down, SessionDown) and (down.session.id, down.reason) == (session(1), "closed")
    assert media.sessions() == {}
    with pytest.raises(MediaRefused) as refused:
        await media.close_session(session(1), "closed")
    assert refused.value.code == "session_not_found"


async def test_a_patch_needs_the_etag_and_a_restart_changes_it(media: Media) -> None:
    etag = await listen(media, 1)
    restart = "a=ice-ufrag:efgh\r\na=ice-pwd:9876543210abcdefghijklmn\r\n"
    with pytest.raises(MediaRefused) as refused:
        await media.patch_session(session(1), "another", restart)
    assert refused.value.code == "precondition_failed"
    answer = await media.patch_session(session(1), etag, restart)
    assert "a=ice-ufrag:" in answer.sdp and answer.etag != etag
    with pytest.raises(MediaRefused) as refused:
        await media.patch_session(session(1), etag, restart.replace("efgh", "ijkl"))
    assert refused.value.code == "precondition_failed"
    with pytest.raises(MediaRefused) as refused:
        await media.patch_session(session(9), etag, restart)
    assert refused.value.code == "session_not_found"


@pytest.mark.parametrize(("scope", "left"), [("mic", {"ingest", "stage", "programme"}), ("stage", {"programme"}), ("space", set[str]())])
async def test_a_deny_ends_what_its_scope_names(media: Media, scope: DenyScope, left: set[str]) -> None:
    feeds: tuple[Feed, ...] = ("ingest", "stage", "programme")
    for at, feed in enumerate(feeds):
        await listen(media, at + 1, feed=feed)
        await listen(media, at + 11, "somebody else", feed=feed)
    await media.deny(SPACE, AMARA, Seq(5), scope)
    await settled(media)
    assert {known.feed for known in media.sessions().values() if known.owner == AMARA} == left
    assert {known.feed for known in media.sessions().values() if known.owner != AMARA} == set(feeds)


async def test_after_a_deny_what_was_authorised_before_loses(media: Media) -> None:
    await media.deny(SPACE, AMARA, Seq(5), "space")
    with pytest.raises(MediaRefused) as refused:
        await listen(media, 1, seq=4)
    assert refused.value.code == "stale"
    await listen(media, 2, seq=5)
    await listen(media, 3, "somebody else", seq=4)


async def test_an_older_deny_does_not_undo_a_later_one(media: Media) -> None:
    await media.deny(SPACE, AMARA, Seq(9), "space")
    await media.deny(SPACE, AMARA, Seq(5), "space")
    with pytest.raises(MediaRefused):
        await listen(media, 1, seq=8)


async def test_an_older_allow_loses_in_silence(media: Media) -> None:
    await media.deny(SPACE, AMARA, Seq(9), "mic")
    await media.allow(Grant(SPACE, AMARA, Csrc(7), Seq(8)))
    await media.allow(Grant(SPACE, AMARA, Csrc(7), Seq(9)))


async def test_closing_a_space_ends_everyones_sessions_there(media: Media) -> None:
    await listen(media, 1)
    await listen(media, 2, "somebody else")
    await media.open_session(session(3), OTHER, AMARA, "programme", None, Seq(1), offer())
    await media.close_space(SPACE, Seq(7))
    await settled(media)
    assert set(media.sessions()) == {session(3)}
    with pytest.raises(MediaRefused) as refused:
        await listen(media, 4, seq=6)
    assert refused.value.code == "stale"


async def test_renewing_and_asking_for_counters(media: Media) -> None:
    await media.renew([Grant(SPACE, AMARA, Csrc(7), Seq(1))])
    stats = await media.stats()
    assert stats and all(name.startswith("rostra_media_") for name in stats)


async def settled(media: Media) -> None:
    """Facts about what was asked before have come: they precede the answer to the next question."""
    await media.stats()


# What only a process can do.


async def test_media_that_never_was_is_unavailable_within_the_deadline(tmp_path: Path) -> None:
    client = MediaClient(tmp_path / "nobody.sock")
    await client.start()
    assert not client.connected()
    await client.renew([])  # Nobody to tell: it is made up for once there is.
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await client.deny(SPACE, AMARA, Seq(1), "mic")
    assert 0.9 < time.monotonic() - started < 1.5
    await client.close()


async def test_a_frozen_process_is_unavailable_and_answers_again_once_it_can(processes: MediaProcesses, client: MediaClient) -> None:
    processes.freeze(processes.running[0])
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await client.open_session(session(1), SPACE, AMARA, "programme", None, Seq(1), offer())
    assert time.monotonic() - started < 1.5
    assert not client.connected()
    processes.thaw(processes.running[0])
    await client.stats()
    assert client.connected()


async def test_a_question_asked_while_nobody_serves_is_answered_by_the_successor(processes: MediaProcesses, client: MediaClient) -> None:
    facts = Facts(client)
    await facts.until(MediaConnected)
    processes.kill(processes.running[0])
    asked = asyncio.create_task(client.deny(SPACE, AMARA, Seq(5), "space"))
    successor = processes.start()
    await processes.wait(successor, "ready")
    await facts.until(MediaConnected)
    await asyncio.wait_for(asked, 1)
    with pytest.raises(MediaRefused):
        await listen(client, 1, seq=4)


async def test_a_deny_under_way_when_its_process_dies_is_repeated(processes: MediaProcesses, client: MediaClient) -> None:
    standby = processes.start()
    await processes.wait(standby, "standby")
    processes.freeze(processes.running[0])
    asked = asyncio.create_task(client.deny(SPACE, AMARA, Seq(5), "space"))
    opened = asyncio.create_task(listen(client, 1, "somebody else"))
    patched = asyncio.create_task(client.patch_session(session(1), "x", ""))
    await asyncio.sleep(0)  # They are written; nobody will ever read them.
    processes.kill(processes.running[0])
    await asyncio.wait_for(asked, 1)
    await asyncio.wait_for(opened, 1)
    with pytest.raises(Unavailable):  # Repeating it could be refused for having succeeded.
        await patched
    with pytest.raises(MediaRefused):
        await listen(client, 2, seq=4)


async def test_what_was_denied_stays_denied_when_the_process_dies(processes: MediaProcesses, client: MediaClient) -> None:
    facts = Facts(client)
    await facts.until(MediaConnected)
    await client.deny(SPACE, AMARA, Seq(5), "space")
    processes.start()
    processes.kill(processes.running[0])
    await facts.until(MediaConnected)
    with pytest.raises(MediaRefused) as refused:
        await listen(client, 1, seq=4)
    assert refused.value.code == "stale"


async def test_a_connected_session_outlives_its_process(processes: MediaProcesses, client: MediaClient) -> None:
    facts = Facts(client)
    await facts.until(MediaConnected)
    async with listener(client, 1) as peer:
        up = cast(SessionUp, await facts.until(SessionUp))
        assert up.session.id == session(1) and up.session.connected
        for _ in range(3):
            standby = processes.start()
            await processes.wait(standby, "standby")
            processes.kill(processes.running[0])
            await facts.until(MediaConnected)
            (known,) = client.sessions().values()
            assert (known.id, known.owner, known.feed, known.connected) == (session(1), AMARA, "programme", True)
        assert peer.connectionState == "connected"
        await client.close_session(session(1), "closed")
        down = cast(SessionDown, await facts.until(SessionDown))
        assert down.session.id == session(1)
        assert client.sessions() == {}


async def test_a_session_that_was_not_connected_yet_does_not(processes: MediaProcesses, client: MediaClient) -> None:
    facts = Facts(client)
    await facts.until(MediaConnected)
    await listen(client, 1)
    processes.start()
    processes.kill(processes.running[0])
    await facts.until(MediaConnected)
    assert client.sessions() == {}


async def test_two_api_processes_hear_the_same(processes: MediaProcesses, client: MediaClient) -> None:
    other = MediaClient(processes.socket)
    facts = Facts(other)
    await other.start()
    await facts.until(MediaConnected)
    await listen(client, 1)
    await client.close_session(session(1), "closed")
    down = cast(SessionDown, await facts.until(SessionDown))
    assert down.session.id == session(1)
    await other.close()
    assert client.connected()


@contextlib.asynccontextmanager
async def listener(client: MediaClient, number: int) -> AsyncIterator[RTCPeerConnection]:
    """A foreign WebRTC peer that listens."""
    peer = RTCPeerConnection()
    peer.addTransceiver("audio", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    answer = await client.open_session(session(number), SPACE, AMARA, "programme", None, Seq(1), peer.localDescription.sdp)
    await peer.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
    try:
        yield peer
    finally:
        await peer.close()
