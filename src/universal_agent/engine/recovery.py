"""Recovery at a start: closes what the last process left, and decides what passed since.

Runs once, before health answers 200. Processes of runs that were in execution are ended; the runs
are closed as `interrupted`, or as cancelled if their end had been requested. Waiting runs that are
too late are missed, and every slot that passed since is decided.
"""

from collections.abc import Collection

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunId
from universal_agent.domain.slot import Source
from universal_agent.engine.ids import new_id
from universal_agent.engine.off import OffEngine
from universal_agent.engine.replanning import plan_by_present_rules
from universal_agent.engine.scheduler import Scheduler
from universal_agent.failpoint import Failpoint, passing
from universal_agent.runners.orphans import kill_orphans
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_BATCH = 500

#: More runs than one host executes at the same time.
_MOST_RUNNING = 5000


class Recovery:
    """Brings the store's state up to the present."""

    def __init__(self, store: Store, clock: Clock, scheduler: Scheduler, *, host: str) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._host = host

    async def run(self, *, off: Collection[OffEngine] = (), on: Collection[OffEngine] = ()) -> None:
        """Close what was running, and decide every slot that passed.

        Queued runs of a source whose engine is `off` are missed. What a source missed while its
        engine was off is decided first if the engine is `on` again.

        Processes are ended first: once their runs are closed, a later start could not tell which
        runs they belong to.
        """
        processes_ended = await self._end_processes()
        passing(Failpoint.BEFORE_INTERRUPT_COMMIT)
        interrupted = await self.close_interrupted()
        passing(Failpoint.AFTER_INTERRUPT_COMMIT)
        if interrupted:
            _log.warning(
                "runs_interrupted",
                run_ids=list(interrupted),
                processes_ended=processes_ended,
            )
        await self._scheduler.plan_again_if_ahead()
        for engine in off:
            outage_id = await engine.begin()
            await self._miss_queued(Cause.ENGINE_OFF, outage_id, of=engine.source)
        cause = await self._store.read(verbs.planned_stops.cause_of_gap)
        await self._miss_queued(cause, new_id("out", self._clock.now()))
        for engine in on:
            await engine.end()
        now = self._clock.now()
        if on:
            await self._scheduler.catch_up(cause)
        if any(engine.source is Source.CRON for engine in on):
            await plan_by_present_rules(self._store, now=now)
        await self._store.write(verbs.planned_stops.started)

    async def _end_processes(self) -> int:
        """End the processes of runs of a dead gateway, and return how many there were."""
        left = await self._store.read(
            verbs.misses.left_running, host=self._host, limit=_MOST_RUNNING
        )
        return await kill_orphans([run.run_id for run in left], clock=self._clock)

    async def close_interrupted(self) -> tuple[RunId, ...]:
        """Close the runs that are marked `running` on this host and are not in execution."""
        closed: tuple[RunId, ...] = ()
        outage_id = new_id("out", self._clock.now())
        while True:
            now = self._clock.now()
            batch = await self._store.write(
                verbs.misses.interrupt_runs,
                host=self._host,
                now=now,
                outage_id=outage_id,
                missed_ids=[new_id("mis", now) for _ in range(_BATCH)],
            )
            closed += batch
            if len(batch) < _BATCH:
                return closed

    async def _miss_queued(self, cause: Cause, outage_id: str, *, of: Source | None = None) -> None:
        while True:
            now = self._clock.now()
            count = await self._store.write(
                verbs.misses.miss_queued,
                now=now,
                cause=cause,
                outage_id=outage_id,
                missed_ids=[new_id("mis", now) for _ in range(_BATCH)],
                after_grace=True,
                of=of,
            )
            if count < _BATCH:
                return
