"""The reconciler: closes the runs of processes that are lost.

A process is lost when it has been silent for SILENT_SECONDS, by the clock of the database. Where
this process holds the database alone, the lock proves that every other process is dead, and nobody
waits for silence. Runs that a lost process left in execution become `interrupted`, or cancelled if
their end had been requested.

The same path closes what is left of the own process at a stop.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.run import RunId
from universal_agent.engine.ids import new_id
from universal_agent.engine.running import RunningRuns
from universal_agent.failpoint import Failpoint, passing
from universal_agent.runners.keepers import Keepers
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
    """Closes what lost processes left, and adopts what goes on without them."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        running: RunningRuns,
        keepers: Keepers | None,
        *,
        host: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._running = running
        self._keepers = keepers
        self._host = host

    async def close_lost(self, *, but: str) -> tuple[RunId, ...]:
        """Close the runs of every process that is lost, except the process `but`, which calls this.

        A run with a keeper goes on: `but` adopts it. The operating system processes of the
        others on this host are ended first: once the runs are closed, a later start could not tell
        which runs these belong to.
        """
        silent_for = None if self._store.is_exclusive else timedelta(seconds=SILENT_SECONDS)
        lost = await self._store.read(
            verbs.processes.silent_processes,
            but=but,
            silent_for=silent_for,
            now=self._clock.now(),
        )
        if not lost:
            await self._discard_all_but(())
            return ()
        is_planned = await self._store.read(verbs.planned_stops.was_planned)
        if not is_planned:
            for process_id in lost:
                await self._store.write(verbs.processes.count_crash, process_id)
        adopted = await self._adopt(lost, but)
        ended = await self._end_children(lost)
        passing(Failpoint.BEFORE_INTERRUPT_COMMIT)
        closed: tuple[RunId, ...] = ()
        for process_id in lost:
            closed += await self.close(process_id, silent_for=silent_for, is_planned=is_planned)
        passing(Failpoint.AFTER_INTERRUPT_COMMIT)
        await self._discard_all_but(adopted)
        if closed:
            _log.warning("runs_interrupted", run_ids=list(closed), processes_ended=ended)
        return closed

    async def close(
        self,
        process_id: str,
        *,
        silent_for: timedelta | None = None,
        is_planned: bool = False,
        kept: Collection[RunId] = (),
    ) -> tuple[RunId, ...]:
        """Close the runs of a process but those in `kept`, and forget it; returns these runs.

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
                missed_ids=_missed_ids(now),
                kept=kept,
                planned=is_planned,
            )
            closed += batch or ()
            if batch is None or len(batch) < _BATCH:
                return closed

    async def leave(self, process_id: str) -> None:
        """At a planned stop: close the runs of the process that do not go on without it."""
        left = await self._left_running(process_id)
        kept = [run_id for run_id in left if self._is_kept(run_id)]
        if kept:
            _log.info("runs_left_to_keepers", run_ids=kept)
        await self.close(process_id, is_planned=True, kept=kept)

    # -- adoption

    async def _adopt(self, lost: Sequence[str], process_id: str) -> list[RunId]:
        """Go on with the runs of lost processes that have keepers; returns these runs."""
        kept = [
            run_id
            for lost_id in lost
            for run_id in await self._left_running(lost_id)
            if self._is_kept(run_id)
        ]
        if not kept:
            return []
        claimed = await self._store.write(
            verbs.processes.adopt, kept, process_id=process_id, host=self._host
        )
        for item in claimed:
            self._running.start(item, is_adopted=True)
        adopted = [item.run.run_id for item in claimed]
        _log.info("runs_adopted", run_ids=adopted)
        return adopted

    def _is_kept(self, run_id: RunId) -> bool:
        return self._keepers is not None and self._keepers.has(run_id)

    async def _discard_all_but(self, run_ids: Collection[RunId]) -> None:
        """Remove what keepers have left of runs whose end is recorded."""
        if self._keepers is not None:
            await self._keepers.discard(set(self._keepers.found()) - set(run_ids))

    async def _left_running(self, process_id: str) -> list[RunId]:
        left = await self._store.read(verbs.processes.left_running, process_id, limit=_MOST_RUNNING)
        return [run.run_id for run in left]

    async def _end_children(self, lost: Sequence[str]) -> int:
        """End the operating system processes of runs of lost processes; returns their number."""
        run_ids = [run for process_id in lost for run in await self._left_running(process_id)]
        return await kill_orphans(run_ids, clock=self._clock)


def _missed_ids(now: datetime) -> list[str]:
    return [new_id("mis", now) for _ in range(_BATCH)]
