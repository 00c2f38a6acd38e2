"""The end of the event log in memory.

Followers of the log read each event within moments of its commit. They are served from here,
without a read of the database, so that followers cost a busy gateway next to nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from universal_agent.domain.events import (
    Event,
    NewEvent,
)

#: Events kept: more than a follower lags behind, unless it hangs.
KEPT_EVENTS = 4096


class LogTail:
    """The latest events of this process, and how far the log has grown."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._seq = 0
        #: The seq that followers are given: the callers of its commit have gone on.
        self._named = 0
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()

    def grown(self, seq: int, events: Sequence[NewEvent]) -> None:
        """Take the events of a commit, the last one under `seq`. Call it on the event loop.

        `watch` names them one turn of the loop later: work that the commit has started goes first.
        """
        if self._events and self._events[-1].seq != seq - len(events):
            # A commit that was reported as failed is in the log: followers read it from there.
            self._events.clear()
        for at, event in enumerate(events, start=seq - len(events) + 1):
            self._events.append(_in_log(event, at))
        self._seq = seq
        asyncio.get_running_loop().call_soon(self._name, seq)

    def after(self, seq: int, limit: int) -> list[Event] | None:
        """The first `limit` events after `seq`; None when some of them are not kept here."""
        if not self._events or seq < self._events[0].seq - 1:
            return None
        first = seq + 1 - self._events[0].seq
        # By index: a deque reaches its ends directly, where an iterator walks from the first.
        return [self._events[at] for at in range(first, min(first + limit, len(self._events)))]

    def forget(self, until: int) -> None:
        """Drop the events up to that seq, except the newest, as the log has done."""
        while len(self._events) > 1 and self._events[0].seq <= until:
            self._events.popleft()

    def close(self) -> None:
        """End the iterators of all followers."""
        self._closed = True
        self._wake()

    async def watch(self, after_seq: int) -> AsyncIterator[int]:
        """The newest seq, each time it has grown past `after_seq`; ends when the tail closes."""
        seen = after_seq
        while not self._closed:
            if self._seq == self._named > seen:
                seen = self._named
                yield seen
                continue
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
            if self._named > seen and not self._closed:
                seen = self._named
                yield seen

    def _name(self, seq: int) -> None:
        self._named = seq
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


def _in_log(event: NewEvent, seq: int) -> Event:
    return Event(
        seq=seq,
        source=event.source,
        type=event.type,
        timestamp=event.timestamp,
        source_ref=event.source_ref,
        owner_id=event.owner_id,
        session_id=event.session_id,
        status=event.status,
        data=event.data,
    )
