"""The reconciler: closes the runs of processes that are lost.

A process is lost when it has been silent for SILENT_SECONDS, by the clock of the database. Where
this process holds the database alone, the lock proves that every other process is dead, and nobody
waits for silence. Runs that a lost process left in execution become `interrupted`, or cancelled if
their end had been requested.

The same path closes what is left of the own process at a stop.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.run import RunId
from universal_agent.engine.ids import new_id
from universal_agent.failpoint import Failpoint, passing
from universal_agent.runners.orphans import kill_orphans
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

#: Seconds without a beat after which another process closes the runs of a process.
SILENT_SECONDS = 30.0

_BATCH = 500

#: More runs than one process executes at the same time.
_MOST_RUNNING = 5000


class Reconciler:
    """Closes what lost processes left."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def close_lost(self, *, but: str) -> tuple[RunId, ...]:
        """Close the runs of every process that is lost, except the process `but`.

        Their operating system processes on this host are ended first: once the runs are closed, a
        later start could not tell which runs these belong to.
        """
        silent_for = None if self._store.is_exclusive else timedelta(seconds=SILENT_SECONDS)
        lost = await self._store.read(
            verbs.processes.silent_processes,
            but=but,
            silent_for=silent_for,
            now=self._clock.now(),
        )
        if not lost:
            return ()
        ended = await self._end_children(lost)
        passing(Failpoint.BEFORE_INTERRUPT_COMMIT)
        closed: tuple[RunId, ...] = ()
        for process_id in lost:
            closed += await self.close(process_id, silent_for=silent_for)
        passing(Failpoint.AFTER_INTERRUPT_COMMIT)
        if closed:
            _log.warning("runs_interrupted", run_ids=list(closed), processes_ended=ended)
        return closed

    async def close(
        self, process_id: str, *, silent_for: timedelta | None = None
    ) -> tuple[RunId, ...]:
        """Close the runs of a process, and forget it; returns these runs.

        With `silent_for`, only while the process has had no beat in that time.
        """
        closed: tuple[RunId, ...] = ()
        outage_id = new_id("out", self._clock.now())
        while True:
            now = self._clock.now()
            batch = await self._store.write(
                verbs.processes.close_process,
                process_id,
                silent_for=silent_for,
                now=now,
                outage_id=outage_id,
                missed_ids=[new_id("mis", now) for _ in range(_BATCH)],
            )
            closed += batch or ()
            if batch is None or len(batch) < _BATCH:
                return closed

    async def _end_children(self, lost: Sequence[str]) -> int:
        """End the operating system processes of runs of lost processes; returns their number."""
        run_ids = [
            run.run_id
            for process_id in lost
            for run in await self._store.read(
                verbs.processes.left_running, process_id, limit=_MOST_RUNNING
            )
        ]
        return await kill_orphans(run_ids, clock=self._clock)
