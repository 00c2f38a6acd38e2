"""The journal: writes each event of the log once, in order, to the process's own log."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from universal_agent.clock import Clock
from universal_agent.domain.events import Event
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store

#: How long events gather before they are written: what is due goes first.
_GATHER_SECONDS = 0.5

_BATCH = 500


class Journal:
    """Follows the log with `write`."""

    def __init__(
        self, store: Store, clock: Clock, write: Callable[[Sequence[Event]], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._write = write
        #: The seq of the last event that was written.
        self._position = 0

    async def start(self) -> None:
        """Begin with the next event that is appended."""
        self._position = (await self._store.read(verbs.event_log.log_bounds)).newest_seq

    async def run(self) -> None:
        """Write every event, until cancelled."""
        async for _ in self._store.appended(after_seq=self._position):
            await self._clock.sleep(_GATHER_SECONDS)
            await self._write_new()

    async def finish(self) -> None:
        """Write what is left at a stop, if possible: the events are in the log in any case."""
        with suppress(StoreUnavailable, OSError):
            await self._write_new()

    async def _write_new(self) -> None:
        while events := await self._store.read_events(after_seq=self._position, limit=_BATCH):
            self._write(events)
            self._position = events[-1].seq
