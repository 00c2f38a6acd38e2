import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.store.making import NOON, new_job
from universal_agent.clock import SystemClock
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store, sqlite_store
from universal_agent.views.event_feed import EventFeed

#: Longer than any test takes: a stream that waits for it has nothing to say.
QUIET = 60.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = sqlite_store(tmp_path / "ua.db", synchronous="OFF")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def feed(store: Store) -> AsyncIterator[EventFeed]:
    feed = EventFeed(store, SystemClock(), Metrics(), size=100)
    await feed.start()
    task = asyncio.create_task(feed.run())
    yield feed
    feed.close_all()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def append(store: Store, *names: str) -> None:
    """One event a name: a job is created."""
    for name in names:
        await store.write(verbs.jobs.create_job, new_job(f"job_{name}"), now=NOON)


def frames(data: bytes) -> list[tuple[int, dict[str, Any]]]:
    """(id, payload) of every frame."""
    found = []
    for frame in data.decode().strip().split("\n\n"):
        first, second = frame.split("\n")
        found.append((int(first.removeprefix("id: ")), json.loads(second.removeprefix("data: "))))
    return found


class Reader:
    """Reads a stream frame by frame."""

    def __init__(self, feed: EventFeed, **options: Any) -> None:
        defaults = {
            "since_seq": None,
            "stream_id": None,
            "heartbeat_seconds": QUIET,
            "once": False,
        }
        self._stream = feed.stream(**(defaults | options))
        self._waiting: list[tuple[int, dict[str, Any]]] = []

    async def next(self) -> tuple[int, dict[str, Any]]:
        while not self._waiting:
            async with asyncio.timeout(10):
                self._waiting = frames(await anext(self._stream))
        return self._waiting.pop(0)

    async def seqs(self, number: int) -> list[int]:
        """The seqs of the next `number` events; keep-alives are passed over."""
        found: list[int] = []
        while len(found) < number:
            seq, payload = await self.next()
            if payload["kind"] == "event":
                found.append(seq)
        return found

    async def rest(self) -> list[tuple[int, dict[str, Any]]]:
        async with asyncio.timeout(10):
            return [frame async for chunk in self._stream for frame in frames(chunk)]


async def test_a_reader_from_zero_gets_every_event_once_and_in_order(
    store: Store, feed: EventFeed
) -> None:
    await append(store, "a", "b")
    reader = Reader(feed, since_seq=0)
    assert await reader.seqs(2) == [1, 2]

    await append(store, "c")

    assert await reader.seqs(1) == [3]


async def test_a_reader_goes_on_where_it_left_off(store: Store, feed: EventFeed) -> None:
    await append(store, *"abcde")

    assert await Reader(feed, since_seq=3).seqs(2) == [4, 5]


async def test_what_the_ring_has_forgotten_comes_from_the_log(store: Store) -> None:
    small = EventFeed(store, SystemClock(), Metrics(), size=2)
    await small.start()
    task = asyncio.create_task(small.run())
    names = [str(number) for number in range(9)]
    await append(store, *names)

    assert await Reader(small, since_seq=0).seqs(9) == list(range(1, 10))
    assert small.buffered_events <= 2
    small.close_all()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_reader_with_nothing_to_read_is_told_so_at_once(feed: EventFeed) -> None:
    _, payload = await Reader(feed).next()

    assert payload["kind"] == "heartbeat"
    assert payload["stream_id"] == feed.current_stream_id()


async def test_a_quiet_stream_sends_keep_alives(feed: EventFeed) -> None:
    reader = Reader(feed, heartbeat_seconds=0.01)

    kinds = [(await reader.next())[1]["kind"] for _ in range(3)]

    assert kinds == ["heartbeat"] * 3


async def test_once_sends_one_payload_and_ends(store: Store, feed: EventFeed) -> None:
    await append(store, "a", "b")

    assert [seq for seq, _ in await Reader(feed, since_seq=0, once=True).rest()] == [1]
    assert [p["kind"] for _, p in await Reader(feed, since_seq=2, once=True).rest()] == [
        "heartbeat"
    ]


async def test_what_was_committed_a_moment_ago_is_waited_for(store: Store) -> None:
    late = EventFeed(store, SystemClock(), Metrics(), size=100)
    await late.start()
    await append(store, "a")
    reading = asyncio.create_task(Reader(late, since_seq=0, once=True).rest())
    await store.read(verbs.event_log.log_bounds)
    task = asyncio.create_task(late.run())

    assert [payload["kind"] for _, payload in await reading] == ["event"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("since_seq", "stream_id", "reason"),
    [(99, None, "new_stream"), (1, "another", "new_stream")],
)
async def test_a_reader_of_another_log_is_told_to_begin_again(
    store: Store, feed: EventFeed, since_seq: int, stream_id: str | None, reason: str
) -> None:
    await append(store, "a")
    await Reader(feed, since_seq=0).seqs(1)
    reader = Reader(feed, since_seq=since_seq, stream_id=stream_id)

    seq, payload = await reader.next()
    await append(store, "b")

    assert (payload["kind"], payload["reason"], seq) == ("reset", reason, 1)
    assert await reader.seqs(1) == [2]


async def test_a_slow_reader_is_cut_and_told(
    store: Store, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("universal_agent.views.event_feed.SLOW_EVENTS", 3)
    slow, fast = Reader(feed), Reader(feed, since_seq=0)
    await slow.next()

    await append(store, *"abcdef")
    assert await fast.seqs(6) == [1, 2, 3, 4, 5, 6]
    rest = await slow.rest()

    assert [(p["kind"], p.get("reason")) for _, p in rest] == [("reset", "slow_consumer")]
    assert feed.subscriber_count == 1


async def test_closing_ends_every_open_stream(feed: EventFeed) -> None:
    reader = Reader(feed)
    await reader.next()

    feed.close_all()

    assert await reader.rest() == []
    assert feed.subscriber_count == 0


async def test_replay_pages_without_a_hole_and_tells_a_gap(store: Store, feed: EventFeed) -> None:
    await append(store, *"abcde")

    page = await feed.replay(since_seq=0, limit=2)
    rest = await feed.replay(since_seq=2, limit=10)
    beyond = await feed.replay(since_seq=6, limit=10)

    assert [event["seq"] for event in page["events"]] == [1, 2]
    assert (page["has_more"], page["gap"], page["oldest_seq"]) == (True, False, 1)
    assert [event["seq"] for event in rest["events"]] == [3, 4, 5]
    assert not rest["has_more"]
    assert beyond["gap"]


async def test_a_reader_of_forgotten_events_is_told_of_the_gap(
    store: Store, feed: EventFeed
) -> None:
    await append(store, *"abcde")
    await store.forget_events(until=3)
    behind, at_the_edge = Reader(feed, since_seq=2), Reader(feed, since_seq=3)

    seq, payload = await behind.next()
    await append(store, "f")

    assert (payload["kind"], payload["reason"], seq) == ("reset", "gap", 5)
    assert await behind.seqs(1) == [6]
    assert await at_the_edge.seqs(3) == [4, 5, 6]


async def test_a_reader_from_zero_begins_with_the_oldest_event_kept(
    store: Store, feed: EventFeed
) -> None:
    await append(store, *"abcde")
    await store.forget_events(until=3)

    assert await Reader(feed, since_seq=0).seqs(2) == [4, 5]


async def test_a_reader_that_is_overtaken_by_forgetting_is_told_of_the_gap(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("universal_agent.views.event_feed._PIECE", 2)
    small = EventFeed(store, SystemClock(), Metrics(), size=2)
    await small.start()
    task = asyncio.create_task(small.run())
    await append(store, *"abcdefghi")
    await Reader(small, since_seq=8).seqs(1)
    reader = Reader(small, since_seq=1)
    assert await reader.seqs(2) == [2, 3]

    await store.forget_events(until=6)
    seq, payload = await reader.next()

    assert (payload["kind"], payload["reason"], seq) == ("reset", "gap", 9)
    small.close_all()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_replay_tells_of_forgotten_events(store: Store, feed: EventFeed) -> None:
    await append(store, *"abcde")
    await store.forget_events(until=3)

    pages = [await feed.replay(since_seq=seq, limit=10) for seq in (0, 2, 3)]

    assert [page["oldest_seq"] for page in pages] == [4, 4, 4]
    assert [page["gap"] for page in pages] == [False, True, False]
    assert [[event["seq"] for event in page["events"]] for page in pages] == [[4, 5]] * 3


async def test_many_readers_do_not_hold_up_what_else_there_is_to_do(
    store: Store, feed: EventFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("universal_agent.views.event_feed._WAKE_BATCH", 2)
    readers = [Reader(feed) for _ in range(9)]
    for reader in readers:
        await reader.next()
    reading = [asyncio.create_task(reader.seqs(1)) for reader in readers]
    loop, done_at_a_turn = asyncio.get_running_loop(), set[int]()

    def other_work() -> None:
        done_at_a_turn.add(sum(task.done() for task in reading))
        if not all(task.done() for task in reading):
            loop.call_soon(other_work)

    other_work()
    await append(store, "a")
    assert await asyncio.gather(*reading) == [[1]] * 9
    assert len(done_at_a_turn) > 4


async def test_a_client_that_comes_again_ends_its_own_stream_and_no_other(feed: EventFeed) -> None:
    readers = [Reader(feed, client_id=name) for name in ("a", "b", "a", None, None)]
    for reader in readers:
        await reader.next()

    assert await readers[0].rest() == []
    assert feed.subscriber_count == 4

    again = [Reader(feed, client_id="a") for _ in range(20)]
    for reader in again:
        await reader.next()
        await readers[2].rest()
        readers[2] = reader
        assert feed.subscriber_count == 4
