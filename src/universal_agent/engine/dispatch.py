"""The dispatcher: follows the event log and hands each event to its subscribers, in order."""

from collections.abc import Callable

import structlog

from universal_agent.domain.events import Event
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_BATCH = 500


class Dispatcher:
    """Tells the parts of this process what was committed, whoever committed it."""

    def __init__(self, store: Store, *subscribers: Callable[[Event], None]) -> None:
        self._store = store
        self._subscribers = subscribers
        #: The seq of the last event that was handed on.
        self._position = 0

    async def start(self) -> None:
        """Begin with the next event that is appended."""
        self._position = (await self._store.read(verbs.event_log.log_bounds)).newest_seq

    async def run(self) -> None:
        """Hand on every event, until cancelled."""
        async for _ in self._store.appended(after_seq=self._position):
            while events := await self._store.read_events(after_seq=self._position, limit=_BATCH):
                for event in events:
                    self._hand_on(event)
                self._position = events[-1].seq

    def _hand_on(self, event: Event) -> None:
        for call in self._subscribers:
            try:
                call(event)
            except Exception:
                # The event stays in the log; the others are to hear of it all the same.
                _log.exception("event_not_handled", action="event_not_handled", seq=event.seq)
