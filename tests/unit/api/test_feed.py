"""The ring and its readers by themselves: nobody misses a wake-up, and a newcomer hears nothing twice."""

import asyncio

from rostra.api.events import encode
from rostra.domain.ids import Seq, SpaceId
from rostra.domain.space import Space
from rostra.service.feed import CHUNK, Feed


async def test_what_comes_while_a_crowd_is_being_woken_wakes_all_of_it() -> None:
    feed = Feed(Space(SpaceId("s")), encode)
    streams = [feed.attach(None, Seq(0)) for _ in range(3 * CHUNK)]
    feed.beat()
    await asyncio.sleep(0)
    woken = [stream for stream in streams if stream.wake.is_set()]
    assert len(woken) == CHUNK, "the first chunk has had its turn"
    for stream in woken:
        stream.wake.clear()
    feed.beat()
    for _ in range(12):
        await asyncio.sleep(0)
    assert all(stream.wake.is_set() for stream in streams)


async def test_a_newcomer_is_not_told_of_reactions_from_before() -> None:
    feed = Feed(Space(SpaceId("s")), encode)
    feed.publish_aggregates([{"type": "reactions", "reactions": {"👏": 3}}])
    stream = feed.attach(None, Seq(0))
    assert feed.next(stream) == b""
    feed.publish_aggregates([{"type": "reactions", "reactions": {"🎉": 1}}])
    assert "🎉" in (feed.next(stream) or b"").decode()
