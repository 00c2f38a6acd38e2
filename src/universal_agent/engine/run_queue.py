"""The queue of runs that wait for a worker, and the only place where runs are claimed.

The queue itself is the store's. Here are the number of free workers, the rules of who goes first,
and the claims that share a commit with what made them possible: a slot that finds a free worker
starts in the commit that admits it (`offer`), and the worker that an end frees is given away in
the commit that records the end (`take`). ADR 7 has the measurements.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.event_types import RUN_QUEUED, EventType
from universal_agent.domain.events import Event
from universal_agent.domain.process import Process
from universal_agent.domain.run import RunId
from universal_agent.engine.capacity import NOTHING, Capacity, Reservation
from universal_agent.engine.running import RunningRuns
from universal_agent.failpoint import Failpoint, passing
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Claimed, Decision, Finished, Settled

_log = structlog.get_logger(__name__)

#: More runs than one process executes at the same time.
_MOST_RUNNING = 5000


class RunQueue:
    """Claims waiting runs and starts them."""

    event_types = (*RUN_QUEUED, EventType.RESOURCE_COOLDOWN_CLOSED, EventType.POOL_CHANGED)

    def __init__(
        self,
        store: Store,
        clock: Clock,
        running: RunningRuns,
        capacity: Capacity,
        work: asyncio.Event,
        process: Process,
    ) -> None:
        """`work` is set whenever there may be runs to claim."""
        self._store = store
        self._clock = clock
        self._running = running
        self._capacity = capacity
        self._work = work
        #: The process that runs are claimed for.
        self.process = process
        #: Whether runs may be waiting; if not, ends are recorded without a claim.
        self.may_have_runs = True
        #: Whether slots are being admitted right now.
        self.is_admitting = False
        #: While the queue is closed: runs that were claimed and are not to begin any more.
        self._unbegun: list[Claimed] = []
        #: Whether a commit failed that may have been kept, with runs that nobody has started.
        self._in_doubt = False

    def notice(self, event: Event) -> None:
        """A run was queued, or runs that waited may start."""
        self.look_again()

    async def look(self) -> None:
        """Runs may be waiting."""
        self.look_again()

    def look_again(self) -> None:
        """Claim what may be claimed now."""
        self.may_have_runs = True
        self._work.set()

    @property
    def agent(self) -> tuple[str, ...]:
        """The resources that the configured agent uses."""
        return self._capacity.agent

    @property
    def concurrency(self) -> int:
        """How many ordinary runs this process executes at the same time."""
        return self._capacity.concurrency

    @property
    def has_free_workers(self) -> bool:
        return self._capacity.free > 0

    # -- claiming

    @contextmanager
    def admitting(self) -> Iterator[None]:
        """Defer recording ends while slots are admitted.

        Start latency is visible to users, end latency is not. A run that waits for a worker is
        not delayed by it, and only so many ends may wait (`Executor`).
        """
        self.is_admitting = True
        try:
            yield
        finally:
            self.is_admitting = False
            self._work.set()

    async def offer(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        """Admit slots. Those that find a free worker start in the same commit; the rest waits."""
        wanted = any(decision.starts for decision in decisions)
        with self._reserved(wanted=wanted) as reserved, self._doubting(reserved.workers):
            admission = await self._store.write(
                verbs.admission.admit,
                decisions,
                free_workers=reserved.workers,
                process=self.process,
                now=now,
                rules=self._capacity.rules(reserved),
            )
        passing(Failpoint.AFTER_ADMIT_COMMIT)
        self._start(admission.started)

    async def take(self, ended: Sequence[Finished] = (), *, claim: bool = True) -> bool:
        """Record `ended` and, with `claim`, start as many waiting runs as there are free workers.

        Returns whether a further call would find more. Where the commit fails but was kept, the
        next call puts the runs that it claimed back into the queue.
        """
        if self._in_doubt and not self._capacity.is_closed:
            with self._capacity.held():
                await self._capacity.until_nothing_is_reserved()
                await self._put_back({end.claimed.run.run_id for end in ended})
        wanted = claim and self.may_have_runs
        with self._reserved(wanted=wanted) as reserved, self._doubting(reserved.workers):
            if not ended and not reserved.workers:
                return False
            if reserved.workers:
                self.may_have_runs = False
            settled = await self._settle(ended, reserved)
        if ended:
            passing(Failpoint.AFTER_FINISH_COMMIT)
        self._start(settled.claimed)
        self.may_have_runs = self.may_have_runs or settled.more_queued
        # If a worker was left over, the runs that wait do so for another run of their own job, for
        # a place of their pool, for an ordinary worker, or for the next start of a missed slot.
        was_full = len(settled.claimed) == reserved.workers
        return self.may_have_runs and was_full and self.has_free_workers

    async def _settle(self, ended: Sequence[Finished], reserved: Reservation) -> Settled:
        now, rules, workers = self._clock.now(), self._capacity.rules(reserved), reserved.workers
        if ended:
            return await self._store.write(
                verbs.execution.settle,
                ended,
                free_workers=workers,
                process=self.process,
                now=now,
                rules=rules,
            )
        return await self._store.write(
            verbs.execution.claim, free_workers=workers, process=self.process, now=now, rules=rules
        )

    @contextmanager
    def _doubting(self, workers: int) -> Iterator[None]:
        """Note a failed commit that may have claimed runs for `workers`."""
        try:
            yield
        except BaseException:
            if workers:
                self._in_doubt = self.may_have_runs = True
                self._work.set()
            raise

    async def _put_back(self, ending: Collection[RunId] = ()) -> None:
        """Put runs back into the queue that this process has claimed and nobody executes.

        Called while no commit is under way that may start runs. `ending` are about to be recorded.
        """
        left = await self._store.read(
            verbs.processes.left_running, self.process.process_id, limit=_MOST_RUNNING
        )
        begun = self._running.begun().union(ending)
        runs = [run for run in left if run.run_id not in begun]
        if runs:
            _log.warning("runs_put_back", run_ids=[run.run_id for run in runs])
            await self._store.write(verbs.execution.requeue, runs, now=self._clock.now())
        self._in_doubt = False
        self.may_have_runs = True

    @contextmanager
    def _reserved(self, *, wanted: bool) -> Iterator[Reservation]:
        """Keep every free worker for a commit that may claim as many runs.

        The runs are started in the same step of the event loop in which the workers are given
        back.
        """
        reserved = self._capacity.reserve() if wanted else NOTHING
        try:
            yield reserved
        finally:
            self._capacity.release(reserved)
            if reserved.workers and self.may_have_runs:
                self._work.set()  # a run may have been refused one of these workers

    def _start(self, claimed: Sequence[Claimed]) -> None:
        """Start runs that the store has marked running; while the queue is closed, keep them."""
        if self._capacity.is_closed:
            self._unbegun += claimed
            return
        for item in claimed:
            self._running.start(item)
            if item.run.trigger.is_late:
                self._capacity.late_has_started()
                if (wait := self._capacity.late_wait) > 0:
                    self._clock.call_later(wait, self.look_again)

    # -- stopping

    @property
    def is_closed(self) -> bool:
        """Whether no run is claimed any more."""
        return self._capacity.is_closed

    def close(self) -> None:
        """Claim nothing more. Commits that are under way may still claim runs."""
        self._capacity.close()
        self._unbegun += self._running.take_back()

    async def until_nothing_is_claimed(self) -> None:
        """After `close`: return when commits that may claim runs have ended."""
        await self._capacity.until_nothing_is_reserved()

    async def put_back_unbegun(self) -> None:
        """Put runs that were claimed and have not begun back into the queue.

        Called after `close`, when nothing is claimed any more.
        """
        if self._in_doubt:
            await self._put_back()
        elif self._unbegun:
            runs = [item.run for item in self._unbegun]
            await self._store.write(verbs.execution.requeue, runs, now=self._clock.now())

    def reopen(self) -> None:
        """Claim runs again, after the claims that had not begun were put back."""
        self._unbegun.clear()
        self._capacity.reopen()
        self.look_again()
