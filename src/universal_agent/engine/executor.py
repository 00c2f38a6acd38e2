"""The executor: claims queued runs, executes them, and records how they ended.

The queue of waiting runs is the store's. A commit that records ends claims the next runs as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.slot import Source
from universal_agent.engine.capacity import Capacity
from universal_agent.engine.run_ends import RunEnds
from universal_agent.engine.running import RunningRuns
from universal_agent.errors import StoreUnavailable
from universal_agent.failpoint import Failpoint, passing
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Claimed, ClaimRules, Finished, Settled

_log = structlog.get_logger(__name__)

#: Seconds between two tries to record ends while the store is down.
_STORE_RETRY_SECONDS = 0.5

#: How often a stop tries to record something while the store is down.
_CLOSING_TRIES = 3

#: Ends that may wait for slots to be admitted before them.
_ENDS_WAITING = 2000


class Executor:
    """Runs up to `concurrency` runs at once."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        ends: RunEnds,
        running: Callable[[Callable[[Finished], None]], RunningRuns],
        *,
        concurrency: int,
        host: str,
        on_retry: Callable[[datetime], None],
        on_report: Callable[[], None],
        off: tuple[Source, ...] = (),
    ) -> None:
        """`running` makes the place where runs are executed, given where their ends are to go."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._ends = ends
        self._host = host
        self._on_retry = on_retry
        self._on_report = on_report
        self._running = running(self._has_ended)
        self._capacity = Capacity(clock, self._running, concurrency=concurrency, off=off)
        self._ended: list[Finished] = []
        #: Runs that have ended, until that is recorded.
        self._unrecorded: set[RunId] = set()
        self._work = asyncio.Event()
        #: Held while a commit of this executor is under way; from `close_queue` on for good.
        self._recording = asyncio.Lock()
        #: During a stop: runs that were claimed and are not to begin any more.
        self._unbegun: list[Claimed] = []
        self._admitting = False
        #: Whether runs may be waiting in the queue; when not, ends are recorded without a claim.
        self._queue_may_have_runs = True
        #: After a batch could not be recorded: how many ends are tried one by one, without claims.
        self._singly = 0

    # -- capacity

    def reserve(self) -> int:
        """Keep every free worker for the caller until `release`."""
        return self._capacity.reserve()

    def release(self, count: int) -> None:
        """Give back workers that were reserved: a waiting run may have been refused one."""
        self._capacity.release(count)
        if self._queue_may_have_runs:
            self._work.set()

    def claim_rules(self) -> ClaimRules:
        """Which queued runs may start now."""
        return self._capacity.rules()

    @property
    def running_count(self) -> int:
        return len(self._running)

    # -- the loop

    def look_for_work(self) -> None:
        """Runs may be waiting in the queue: claim what there are workers for."""
        self._queue_may_have_runs = True
        self._work.set()

    async def run(self) -> None:
        """Record ends and claim waiting runs until cancelled."""
        more: bool | None = True
        while True:
            if more is None:
                await self._clock.sleep(_STORE_RETRY_SECONDS)
            elif not more:
                await self._work.wait()
            self._work.clear()
            async with self._recording:
                more = not self._may_wait() and await self._settle()

    @contextmanager
    def starts_first(self) -> Iterator[None]:
        """Defer recording ends while slots are admitted.

        Start latency is visible to users, end latency is not. Nothing that waits for a worker is
        held up by it, and only so many ends may wait.
        """
        self._admitting = True
        try:
            yield
        finally:
            self._admitting = False
            self._work.set()

    def _may_wait(self) -> bool:
        return (
            self._admitting and not self._queue_may_have_runs and len(self._ended) < _ENDS_WAITING
        )

    async def _settle(self) -> bool | None:
        """One commit: every end there is, and as many claims as there are free workers.

        Whether there is more to do right away; None when the commit failed.
        """
        if not self._ended:
            self._singly = 0
        count = 1 if self._singly else len(self._ended)
        ended, self._ended = self._ended[:count], self._ended[count:]
        claiming = self._queue_may_have_runs and not self._singly
        reserved = self._capacity.reserve() if claiming else 0
        if not ended and not reserved:
            return False
        if reserved:
            self._queue_may_have_runs = False
        try:
            settled = await self._commit(ended, reserved)
        except Exception as error:
            self._queue_may_have_runs = True
            if isinstance(error, StoreUnavailable):
                self._ended = ended + self._ended
                _log.error("store_unavailable", action="store_unavailable", error=error.message)
            else:
                self._isolate(ended, claimed=reserved > 0)
            return None
        finally:
            self._capacity.release(reserved)
        self._singly = max(0, self._singly - 1)
        if ended:
            passing(Failpoint.AFTER_FINISH_COMMIT)
        self._after_commit(ended, settled)
        self._queue_may_have_runs = self._queue_may_have_runs or settled.more_queued
        # Where a worker was left, what waits is waiting for another run of its own job to end.
        served = len(settled.claimed) == reserved
        return bool(self._ended) or (
            self._queue_may_have_runs and served and self._capacity.free > 0
        )

    async def _commit(self, ended: list[Finished], free_workers: int) -> Settled:
        now = self._clock.now()
        rules = self.claim_rules()
        if ended:
            return await self._store.write(
                verbs.execution.finish,
                ended,
                free_workers=free_workers,
                host=self._host,
                now=now,
                rules=rules,
            )
        return await self._store.write(
            verbs.execution.claim, free_workers=free_workers, host=self._host, now=now, rules=rules
        )

    def _isolate(self, ended: list[Finished], *, claimed: bool) -> None:
        """One end that cannot be recorded must not hold up the others: try each alone.

        The one that fails alone stays `running` in the store, and so becomes `interrupted` at
        the next start: visible, and an operator's to judge.
        """
        _log.exception(
            "outcome_not_recorded",
            action="outcome_not_recorded",
            run_ids=[end.claimed.run.run_id for end in ended],
        )
        if len(ended) > 1 or claimed:
            self._ended = ended + self._ended
            self._singly = len(ended)
        else:
            self._singly = max(0, self._singly - 1)
            self._unrecorded.difference_update(end.claimed.run.run_id for end in ended)

    def _after_commit(self, ended: list[Finished], settled: Settled) -> None:
        for end in ended:
            self._metrics.runs_finished(end.status).inc()
            self._unrecorded.discard(end.claimed.run.run_id)
            if end.report is not None:
                self._on_report()
        self.launch(settled.claimed)
        if settled.next_retry_at is not None:
            self._on_retry(settled.next_retry_at)

    # -- runs

    def launch(self, claimed: tuple[Claimed, ...]) -> None:
        """Start runs that the store has marked running; keep them for the queue during a stop."""
        if self._capacity.is_closed:
            self._unbegun += claimed
            return
        for item in claimed:
            self._running.start(item)
            if item.run.trigger.is_late:
                self._capacity.late_has_started()

    def _has_ended(self, end: Finished) -> None:
        self._unrecorded.add(end.claimed.run.run_id)
        self._ended.append(end)
        self._work.set()

    def has(self, run_id: RunId) -> bool:
        """Whether the run is in execution here, or its end is still to be recorded."""
        return run_id in self._running or run_id in self._unrecorded

    def cancel(self, run_id: RunId, reason: str) -> bool:
        """Stop a run; False when it is not in execution here."""
        return self._running.stop(run_id, RunStatus.CANCELLED, reason)

    async def wait(self, run: Run, seconds: float) -> None:
        """Return when the run's end is recorded, or after `seconds`."""
        await self._ends.wait(run.run_id, seconds)

    # -- stopping

    async def close_queue(self) -> None:
        """Start nothing more, and let the commits that are under way come through.

        Runs that are claimed and have not begun go back to the queue.
        """
        self._capacity.close()
        self._unbegun += self._running.take_back()
        await self._capacity.until_nothing_is_reserved()
        await self._recording.acquire()
        if self._unbegun:
            run_ids = [item.run.run_id for item in self._unbegun]
            await self._try(
                partial(self._store.write, verbs.execution.requeue, run_ids, now=self._clock.now())
            )

    async def close(self) -> None:
        """After `close_queue`: stop what runs, and record how it ended.

        Runs that this cuts short stay `running` in the store; recovery closes them as
        `interrupted`, since nobody can tell how far they came.
        """
        await self._running.cut()
        failures = 0
        while self._ended and failures < _CLOSING_TRIES:
            failures += await self._settle() is None and not self._singly

    async def _try(self, call: Callable[[], Awaitable[object]]) -> None:
        for _ in range(_CLOSING_TRIES):
            try:
                await call()
            except StoreUnavailable as error:
                _log.error("store_unavailable", action="store_unavailable", error=error.message)
            else:
                return
