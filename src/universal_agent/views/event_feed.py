"""The push stream of events: a ring of the latest events in front of the durable log.

A subscriber is a cursor, not a queue: it reads the events between its cursor and the head from the
ring, or from the log if they are no longer in the ring. A subscriber that cannot keep up gets a
reset and is disconnected, without slowing the others.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from enum import StrEnum
from functools import partial
from typing import Any

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.unreadable_event import stub_of
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import LogBounds
from universal_agent.views.event_frames import Frame, encode_frame
from universal_agent.views.event_rows import EventRows
from universal_agent.views.filled import fill
from universal_agent.views.slot_counts import SlotCounts

_log = structlog.get_logger(__name__)

#: A subscriber that had caught up and is this far behind the head is disconnected.
SLOW_EVENTS = 1000

#: Subscribers that are woken in one iteration of the event loop.
_WAKE_BATCH = 25

#: A round of wake-ups that is shorter needs no pause before the next round.
_SHORT_ROUND_SECONDS = 0.005

#: Events per read of the log.
_BATCH = 500

#: Events per write to a client: the most that is buffered for a client that stops reading.
_PIECE = 64


class ResetReason(StrEnum):
    """Why a client must reload its data."""

    #: Events after its cursor were removed from the log.
    GAP = "gap"
    #: It could not keep up.
    SLOW_CONSUMER = "slow_consumer"
    #: Its cursor belongs to another database.
    NEW_STREAM = "new_stream"


class Subscriber:
    """The position of a client in the stream."""

    def __init__(self, after_seq: int) -> None:
        self.after_seq = after_seq
        self.closed = False
        self._waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class EventFeed:
    """The ring, its subscribers, and the loop that fills the ring."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        *,
        size: int,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._ring: deque[Frame] = deque(maxlen=size)
        self._subscribers: set[Subscriber] = set()
        #: The stream of each client that named itself.
        self._of_client: dict[str, Subscriber] = {}
        #: Subscribers that wait for an event, the longest waiting first.
        self._idle: OrderedDict[Subscriber, None] = OrderedDict()
        self._is_waking = False
        self._rows = EventRows(store)
        self._slot_counts = SlotCounts(metrics)
        self._stream_id = ""
        self._head = 0
        self.size = size
        self.event_counts: dict[str, Counter[str]] = {"cron": Counter(), "heartbeat": Counter()}

    # -- filling

    async def run(self) -> None:
        """Append all new events of the log to the ring, until cancelled."""
        await self.start()
        async for newest in self._store.appended(after_seq=self._head):
            while self._head < newest:
                events = await self._store.read_events(after_seq=self._head, limit=_BATCH)
                if not events:
                    break
                await self._rows.learn(events)
                self._publish(events)

    async def start(self) -> None:
        """Set the head to the end of the log; idempotent."""
        if not self._stream_id:
            bounds = await self._store.read(verbs.event_log.log_bounds)
            self._stream_id, self._head = bounds.stream_id, bounds.newest_seq

    def _publish(self, events: Sequence[Event]) -> None:
        self._ring.extend(map(self._frame, events))
        self._metrics.count("event_emissions_total", len(events))
        self._metrics.count("event_bus_published", len(events))
        for (source, kind), count in Counter((e.source, e.type) for e in events).items():
            if source in self.event_counts:
                self._metrics.count(f"{source}_events_total", count)
                self.event_counts[source][kind.value] += count
        self._slot_counts.add(events)
        self._head = events[-1].seq
        if not self._is_waking:
            self._wake()

    def _wake(self) -> None:
        """Wake all subscribers that wait for an event up to the head."""
        self._is_waking = True
        self._wake_some(self._head, self._clock.monotonic())

    def _wake_some(self, seq: int, began: float) -> None:
        """Wake a batch of subscribers, and schedule the next batch.

        A write to a client takes time of the event loop. A thousand writes in one iteration would
        delay due slots, and so would rounds without a pause: if events arrive faster than they are
        delivered, the next round waits as long as the last one took and delivers more per client.
        """
        for _ in range(_WAKE_BATCH):
            longest = next(iter(self._idle), None)
            # Subscribers wait in order, and each had caught up when it began to wait.
            if longest is None or longest.after_seq >= seq:
                break
            del self._idle[longest]
            longest.wake()
        else:
            asyncio.get_running_loop().call_soon(self._wake_some, seq, began)
            return
        self._is_waking = False
        if self._head > seq:
            took = self._clock.monotonic() - began
            if took < _SHORT_ROUND_SECONDS:
                self._wake()
            else:
                self._is_waking = True
                self._clock.call_later(took, self._wake)

    def _frame(self, event: Event) -> Frame:
        return Frame(event.seq, partial(self._payload, event))

    def _payload(self, event: Event) -> dict[str, Any]:
        return {
            "kind": "event",
            "event": self.envelope(event),
            "projection_version": event.seq,
            "projection_last_event_seq": event.seq,
        }

    def envelope(self, event: Event) -> dict[str, Any]:
        """An event's wire form, with the calendar rows that it changes.

        Without `rows`, the client must query those of `source_ref`.
        """
        envelope = event.envelope()
        try:
            rows = self._rows.of(event)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            _log.error("event_without_rows", seq=event.seq, error=repr(error))
            return stub_of(envelope, error)
        if rows is not None:
            envelope["data"] = {**event.data, "rows": rows}
        return envelope

    # -- state

    @property
    def head(self) -> int:
        """The newest seq in the ring."""
        return self._head

    @property
    def buffered_events(self) -> int:
        return len(self._ring)

    @property
    def subscriber_count(self) -> int:
        return len(self._subscribers)

    def current_stream_id(self) -> str:
        """The identity of this database's event log."""
        return self._stream_id

    # -- reading

    def close_all(self) -> None:
        """End all open streams: push was switched off, or the gateway stops."""
        for subscriber in self._subscribers:
            subscriber.closed = True
            subscriber.wake()

    async def stream(
        self,
        *,
        since_seq: int | None,
        stream_id: str | None,
        heartbeat_seconds: float,
        once: bool,
        client_id: str | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """Frames for one client: missing events, then new events; a keep-alive when idle.

        A client whose cursor is not in this log gets a reset first. A `client_id` has one stream:
        a new one ends the one before, whose end a proxy may not pass on.
        """
        subscriber = Subscriber(self._head if since_seq is None else since_seq)
        self._subscribers.add(subscriber)
        if client_id is not None:
            if (before := self._of_client.get(client_id)) is not None:
                before.closed = True
                before.wake()
            self._of_client[client_id] = subscriber
        self._metrics.count("push_stream_connects")
        try:
            bounds = await self._store.read(verbs.event_log.log_bounds)
            if since_seq == 0:
                subscriber.after_seq = bounds.oldest_seq - 1
            reason = _reset_reason(since_seq, stream_id, bounds)
            if reason is not None:
                yield self._reset(subscriber, reason)
                if once:
                    return
            while since_seq is not None and self._head < bounds.newest_seq:
                # Committed, but not in the ring yet.
                if not await self._wait_for_event(subscriber, heartbeat_seconds):
                    break
            caught_up = False
            while not subscriber.closed:
                if self._head - subscriber.after_seq > SLOW_EVENTS and caught_up:
                    yield self._reset(subscriber, ResetReason.SLOW_CONSUMER)
                    return
                frames = await self._after(subscriber.after_seq)
                if frames and frames[0].seq > subscriber.after_seq + 1:
                    # The events were removed from the log during the stream.
                    yield self._reset(subscriber, ResetReason.GAP)
                elif frames:
                    if once:
                        frames = frames[:1]
                    subscriber.after_seq = frames[-1].seq
                    self._metrics.count("push_stream_event_payloads", len(frames))
                    yield b"".join(frame.data for frame in frames)
                elif once or not caught_up:
                    caught_up = True
                    yield self._keepalive()
                elif not await self._wait_for_event(subscriber, heartbeat_seconds):
                    yield self._keepalive()
                if once:
                    return
        finally:
            self._subscribers.discard(subscriber)
            if client_id is not None and self._of_client.get(client_id) is subscriber:
                del self._of_client[client_id]
            self._metrics.count("push_stream_disconnects")

    def _reset(self, subscriber: Subscriber, reason: ResetReason) -> bytes:
        subscriber.after_seq = self._head
        self._metrics.count("push_stream_resets")
        return encode_frame(
            self._head,
            {"kind": "reset", "reason": reason, "seq": self._head, **self._position()},
        )

    def _keepalive(self) -> bytes:
        self._metrics.count("push_stream_keepalives")
        return encode_frame(
            self._head, {"kind": "heartbeat", "seq": self._head, **self._position()}
        )

    def _position(self) -> dict[str, Any]:
        return {
            "stream_id": self._stream_id,
            "projection_version": self._head,
            "projection_last_event_seq": self._head,
        }

    async def _after(self, seq: int) -> list[Frame]:
        """The next frames after `seq`, from the ring or from the log."""
        if seq >= self._head:
            return []
        if self._ring and self._ring[0].seq <= seq + 1:
            first = seq + 1 - self._ring[0].seq
            last = min(first + _PIECE, len(self._ring))
            return [self._ring[index] for index in range(first, last)]
        events = await self._store.read_events(after_seq=seq, limit=_PIECE)
        await self._rows.learn(events)
        return [self._frame(event) for event in events]

    async def _wait_for_event(self, subscriber: Subscriber, seconds: float) -> bool:
        """Wait for an event; False if none arrived within `seconds`."""
        timer = self._clock.call_later(seconds, subscriber.wake)
        self._idle[subscriber] = None
        try:
            await subscriber.wait()
        finally:
            self._idle.pop(subscriber, None)
            timer.cancel()
        return subscriber.closed or subscriber.after_seq < self._head

    async def _read(self, after_seq: int, limit: int) -> Sequence[Event]:
        events = await self._store.read_events(after_seq=after_seq, limit=limit)
        await self._rows.learn(events)
        return events

    async def replay(self, *, since_seq: int, limit: int) -> dict[str, Any]:
        """The first `limit` events after `since_seq`, oldest first (docs/contract.md, Events);
        fewer, with `has_more`, if the answer would be too large.

        `gap` says that events after `since_seq` were removed from the log, or that the log has not
        reached `since_seq`.
        """
        self._metrics.count("push_replay_requests")
        found = await fill(
            self._read, self.envelope, lambda event: event.seq, after=since_seq, limit=limit
        )
        events = found.entries
        bounds = await self._store.read(verbs.event_log.log_bounds)
        last = events[-1].seq if events else since_seq
        follows = events[0].seq == since_seq + 1 if events else not misplaced(since_seq, bounds)
        return {
            "events": found.documents,
            "event_bus_seq": bounds.newest_seq,
            "projection_version": bounds.newest_seq,
            "projection_last_event_seq": bounds.newest_seq,
            "stream_id": bounds.stream_id,
            "oldest_seq": bounds.oldest_seq,
            "has_more": last < bounds.newest_seq,
            "gap": since_seq > 0 and not follows,
        }


def misplaced(since_seq: int, bounds: LogBounds) -> ResetReason | None:
    """Why a reader cannot continue after `since_seq` in this log; None if it can."""
    if since_seq < bounds.oldest_seq - 1:
        return ResetReason.GAP
    if since_seq > bounds.newest_seq:
        return ResetReason.NEW_STREAM
    return None


def _reset_reason(
    since_seq: int | None, stream_id: str | None, bounds: LogBounds
) -> ResetReason | None:
    """Why a client cannot continue at its cursor; None if it can."""
    if stream_id is not None and stream_id != bounds.stream_id:
        return ResetReason.NEW_STREAM
    return misplaced(since_seq, bounds) if since_seq else None
