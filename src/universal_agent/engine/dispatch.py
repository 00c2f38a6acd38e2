"""The dispatcher: follows the event log and hands each event to its subscribers, in order.

It is the only source of wake-ups. A verb commits a change together with its event, and nothing
else has to tell other parts of the process: however a change came about, they read it here.

A commit of this process reaches the dispatcher within a turn of the event loop. Subscribers are
idempotent, and each of them can look for itself: all do at the start and after a gap in the log,
and one that could not handle an event does so within a second.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from typing import Protocol

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_BATCH = 500

#: The shortest time between two looks of a subscriber that missed an event.
_LOOK_SECONDS = 1.0


class Subscriber(Protocol):
    """A part of the process that reacts to what was committed."""

    @property
    def event_types(self) -> Collection[EventType]:
        """The types of the events that it is given."""
        ...

    def notice(self, event: Event) -> None:
        """React to an event. Called for each one in the order of the log; must not wait."""
        ...

    async def look(self) -> None:
        """Read from the store what events would have said. Harmless if nothing was missed."""
        ...


class Dispatcher:
    """Follows the log on behalf of the subscribers."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._subscribers: list[Subscriber] = []
        self._by_type: defaultdict[EventType, list[Subscriber]] = defaultdict(list)
        #: The seq of the last event that was handed on.
        self._position = 0
        #: Subscribers that missed an event.
        self._behind: list[Subscriber] = []
        self._missed = asyncio.Event()
        #: Held while events are handed on and while a subscriber looks: what a look reads is
        #: never older than the events that the subscriber has seen.
        self._lock = asyncio.Lock()

    def subscribe(self, *subscribers: Subscriber) -> None:
        """Hand the subscribers the events of their types, from the start on."""
        for subscriber in subscribers:
            self._subscribers.append(subscriber)
            for event_type in subscriber.event_types:
                self._by_type[event_type].append(subscriber)

    async def start(self) -> None:
        """Begin with the next event that is appended; each subscriber looks at what came before."""
        self._position = (await self._store.read(verbs.event_log.log_bounds)).newest_seq
        for subscriber in self._subscribers:
            await subscriber.look()

    async def run(self) -> None:
        """Hand on every event, until cancelled.

        None is handed on before `appended` has named its seq: by then the callers of its commit
        have gone on. A run that was claimed is in execution before its cancellation arrives.
        """
        async for newest in self._store.appended(after_seq=self._position):
            while self._position < newest:
                found = await self._store.read_events(after_seq=self._position, limit=_BATCH)
                events = [event for event in found if event.seq <= newest]
                if not events or events[0].seq != self._position + 1:
                    # Retention has removed events that were not handed on.
                    self._look_later(*self._subscribers)
                async with self._lock:
                    for event in events:
                        self._hand_on(event)
                    self._position = events[-1].seq if events else newest

    def _hand_on(self, event: Event) -> None:
        for subscriber in self._by_type.get(event.type, ()):
            try:
                subscriber.notice(event)
            except Exception:
                # The event stays in the log, and the other subscribers are given it.
                _log.exception("event_not_handled", seq=event.seq)
                self._look_later(subscriber)

    def _look_later(self, *subscribers: Subscriber) -> None:
        self._behind += [one for one in subscribers if one not in self._behind]
        self._missed.set()

    async def run_looks(self) -> None:
        """Let subscribers that missed an event look for themselves, until cancelled."""
        while True:
            await self._missed.wait()
            await self._clock.sleep(_LOOK_SECONDS)
            async with self._lock:
                while self._behind:
                    subscriber = self._behind.pop(0)
                    try:
                        await subscriber.look()
                    except BaseException:
                        # The others go first in the next round.
                        self._behind.append(subscriber)
                        raise
                self._missed.clear()
