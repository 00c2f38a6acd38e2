"""Drain: a planned stop that starts nothing more and lets the runs that are open end.

While the gateway drains, nothing is decided, claimed or started; slots that come due and runs that
wait are decided at the next start, with the cause `planned_restart`. The API goes on answering.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.process import Process
from universal_agent.domain.run import Run
from universal_agent.engine.capacity import Capacity
from universal_agent.engine.running import RunningRuns
from universal_agent.engine.scheduler import Scheduler
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

#: Seconds between two looks at what is open, and between two log lines about it.
_LOOK_SECONDS = 0.2
_LOG_SECONDS = 5.0

#: How many runs a log line names.
_NAMED = 10


class Drain:
    """Whether this process drains, since when, and for how long at most."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        scheduler: Scheduler,
        capacity: Capacity,
        running: RunningRuns,
        process: Process,
    ) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._capacity = capacity
        self._running = running
        #: This process. A request to drain names it, so that one that is sent again after the
        #: restart does not stop the next gateway too.
        self.process_id = process.process_id
        self.since: datetime | None = None
        #: When the gateway stops although runs are open; None: not before they have ended.
        self.until: datetime | None = None
        self._ends_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._then: Callable[[], None] = lambda: None

    @property
    def is_on(self) -> bool:
        return self.since is not None

    @property
    def sentence(self) -> str:
        """What the gateway is doing, for health."""
        count = len(self._running)
        runs = "1 run" if count == 1 else f"{count} runs"
        limit = "" if self.until is None else f", until {self.until:%H:%M:%S} UTC at the latest"
        return f"draining: nothing more is started, {runs} open{limit}; then the gateway stops"

    def then(self, stop: Callable[[], None]) -> None:
        """Call `stop` when nothing is open any more, or the time is over."""
        self._then = stop

    def open_runs(self) -> list[Run]:
        """The runs in execution, oldest first."""
        return self._running.runs()

    def begin(self, seconds: float | None = None) -> None:
        """Start nothing more, and stop once no run is open or `seconds` have passed.

        A further call sets the time limit again, counted from now.
        """
        now = self._clock.now()
        if self.since is None:
            self.since = now
        self.until = None if seconds is None else now + timedelta(seconds=seconds)
        self._ends_at = None if seconds is None else self._clock.monotonic() + seconds
        self._capacity.pause()
        self._scheduler.pause()
        if self._task is None:
            _log.info("drain_began", open_runs=len(self._running), for_seconds=seconds)
            self._task = asyncio.create_task(self._run(now), name="drain")

    async def close(self) -> None:
        """Stop waiting for runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, now: datetime) -> None:
        try:
            await self._store.write(verbs.planned_stops.drain_began, now=now)
        except StoreUnavailable as error:
            # The drain goes on; slots of this time are `process_down` at the next start.
            _log.error("store_unavailable", error=error.message)
        logged_at = self._clock.monotonic()
        while self._running.is_busy and not self._is_over():
            await self._clock.sleep(_LOOK_SECONDS)
            if self._clock.monotonic() - logged_at >= _LOG_SECONDS:
                logged_at = self._clock.monotonic()
                self._log_open("draining")
        self._log_open("drain_ended")
        self._then()

    def _is_over(self) -> bool:
        return self._ends_at is not None and self._clock.monotonic() >= self._ends_at

    def _log_open(self, event: str) -> None:
        runs = self.open_runs()
        _log.info(
            event,
            open_runs=len(runs),
            run_ids=[run.run_id for run in runs[:_NAMED]],
            until=self.until and self.until.isoformat(),
        )
