"""How does an admitted run get executed, and its end recorded?

The executor owns the workers: it hands claimed runs to their runners, stops those that take too
long, and writes ends down in batches. The queue of waiting runs is the store's; a commit that
records ends claims the next runs in the same breath.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path

import structlog

from universal_agent.clock import Cancellable, Clock
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import asks_now
from universal_agent.domain.wake import woken_by
from universal_agent.engine.ids import new_id
from universal_agent.errors import StoreUnavailable
from universal_agent.failpoint import Failpoint, passing
from universal_agent.masking import mask
from universal_agent.metrics import Metrics
from universal_agent.runners.base import Runner, RunRequest, RunResult
from universal_agent.runners.output import ReplyListener, RunOutput, run_log_path
from universal_agent.store.base import Claimed, ClaimRules, Finished, Settled, Store
from universal_agent.store.session_store import Wake

_log = structlog.get_logger(__name__)

#: Seconds between two tries to record ends while the store is down.
_STORE_RETRY_SECONDS = 0.5

#: While slots on time take every worker: how often a missed slot goes ahead of them.
LATE_PATIENCE_SECONDS = 900.0

#: Ends that may wait for slots to be admitted before them.
_ENDS_WAITING = 2000


@dataclass(slots=True)
class _Worker:
    """A run in execution."""

    task: asyncio.Task[None]
    is_late: bool
    #: What the run is to be called when its task is cancelled.
    stop_status: RunStatus | None = None
    stop_reason: str | None = None
    #: None until the run has begun.
    deadline: Cancellable | None = None


class Executor:
    """Runs up to `concurrency` runs at once."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        runners: Mapping[str, Runner],
        *,
        concurrency: int,
        host: str,
        run_logs_dir: Path,
        workspaces_root: Path,
        on_retry: Callable[[datetime], None],
        on_beat: Callable[[str], None],
        on_report: Callable[[], None],
        on_turn: Callable[[Run], ReplyListener],
        on_turn_end: Callable[[Finished], None],
        system_events_max: int,
        off: tuple[Source, ...] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._runners = runners
        self._concurrency = concurrency
        self._host = host
        self._run_logs_dir = run_logs_dir
        self._workspaces_root = workspaces_root
        self._workspace = lru_cache(maxsize=10_000)(workspaces_root.joinpath)
        self._on_retry = on_retry
        self._on_beat = on_beat
        self._on_report = on_report
        self._on_turn = on_turn
        self._on_turn_end = on_turn_end
        self._system_events_max = system_events_max
        self._off = off
        self._workers: dict[RunId, _Worker] = {}
        metrics.runs_running.set_function(lambda: len(self._workers))
        self._reserved = 0
        self._ended: list[Finished] = []
        #: Runs that have ended, until that is recorded.
        self._unrecorded: set[RunId] = set()
        self._work = asyncio.Event()
        self._admitting = False
        #: Whether runs may be waiting in the queue; when not, ends are recorded without a claim.
        self._queue_may_have_runs = True
        #: After a batch could not be recorded: how many ends are tried one by one, without claims.
        self._singly = 0
        self._waiters: dict[RunId, list[asyncio.Future[None]]] = {}
        self._closing = False
        #: When the last run of a missed slot started, by the monotonic clock.
        self._late_started = clock.monotonic()

    # -- capacity

    @property
    def free_workers(self) -> int:
        """How many runs could start now."""
        return 0 if self._closing else self._concurrency - len(self._workers) - self._reserved

    def reserve(self) -> int:
        """Keep every free worker for the caller until `launch` or `release`."""
        count = max(0, self.free_workers)
        self._reserved += count
        return count

    def release(self, count: int) -> None:
        """Give back workers that were reserved: a waiting run may have been refused one."""
        self._reserved -= count
        if self._queue_may_have_runs:
            self._work.set()

    def claim_rules(self) -> ClaimRules:
        """Which queued runs may start: how many missed slots, and none of an engine that is off.

        Half of the workers are kept for slots on time. While these take all that is free, one
        missed slot goes first each LATE_PATIENCE_SECONDS, so that none of them waits forever.
        """
        share = max(1, self._concurrency // 2)
        late = sum(worker.is_late for worker in self._workers.values())
        waited = self._clock.monotonic() - self._late_started
        return ClaimRules(
            late_workers=max(0, share - late),
            late_overdue=waited >= LATE_PATIENCE_SECONDS,
            off=self._off,
        )

    @property
    def running_count(self) -> int:
        return len(self._workers)

    # -- the loop

    def look_for_work(self) -> None:
        """Runs may be waiting in the queue: claim what there are workers for."""
        self._queue_may_have_runs = True
        self._work.set()

    async def run(self) -> None:
        """Record ends and claim waiting runs, for ever."""
        more = True
        while True:
            if not more:
                await self._work.wait()
            self._work.clear()
            more = not self._may_wait() and await self._settle()

    @contextmanager
    def starts_first(self) -> Iterator[None]:
        """While slots are being admitted, ends wait: a start that is late is seen, an end is not.

        Nothing that waits for a worker is held up by it, and only so many ends may wait.
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

    async def _settle(self) -> bool:
        """One commit: every end there is, and as many claims as there are free workers.

        Whether there is more to do right away.
        """
        if not self._ended:
            self._singly = 0
        count = 1 if self._singly else len(self._ended)
        ended, self._ended = self._ended[:count], self._ended[count:]
        claiming = self._queue_may_have_runs and not self._singly
        reserved = self.reserve() if claiming else 0
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
            await self._clock.sleep(_STORE_RETRY_SECONDS)
            return True
        finally:
            self._reserved -= reserved
        self._singly = max(0, self._singly - 1)
        if ended:
            passing(Failpoint.AFTER_FINISH_COMMIT)
        self._after_commit(ended, settled)
        self._queue_may_have_runs = self._queue_may_have_runs or settled.more_queued
        # Where a worker was left, what waits is waiting for another run of its own job to end.
        served = len(settled.claimed) == reserved
        return bool(self._ended) or (self._queue_may_have_runs and served and self.free_workers > 0)

    async def _commit(self, ended: list[Finished], free_workers: int) -> Settled:
        now = self._clock.now()
        rules = self.claim_rules()
        if ended:
            return await self._store.finish(
                ended, free_workers=free_workers, host=self._host, now=now, rules=rules
            )
        return await self._store.claim(
            free_workers=free_workers, host=self._host, now=now, rules=rules
        )

    def _isolate(self, ended: list[Finished], *, claimed: bool) -> None:
        """One end that cannot be recorded must not hold up the others: try each by itself.

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
            for future in self._waiters.pop(end.claimed.run.run_id, ()):
                _resolve(future)
            if end.report is not None:
                self._on_report()
            if end.claimed.run.brings_spec:
                self._on_turn_end(end)
        self.launch(settled.claimed)
        if settled.next_retry_at is not None:
            self._on_retry(settled.next_retry_at)

    # -- runs

    def launch(self, claimed: tuple[Claimed, ...]) -> None:
        """Start runs that the store has marked running."""
        for item in claimed:
            task = asyncio.get_running_loop().create_task(
                self._execute(item), name=f"run {item.run.run_id}"
            )
            is_late = item.run.trigger.is_late
            self._workers[item.run.run_id] = _Worker(task, is_late)
            if is_late:
                self._late_started = self._clock.monotonic()

    async def _execute(self, item: Claimed) -> None:
        run, spec = item.run, item.spec
        worker = self._workers[run.run_id]
        started_at = self._clock.now()
        if run.source == Source.HEARTBEAT:
            self._on_beat(run.source_ref)
        if run.trigger is Trigger.SCHEDULE:
            lag = started_at - run.scheduled_at
            if spec.policy.jitter_seconds:
                lag -= stable_jitter(run.source_ref, spec.policy.jitter_seconds)
            self._metrics.lag(max(0.0, lag.total_seconds()))
        listener = self._on_turn(run) if run.brings_spec else None
        output = RunOutput(
            partial(run_log_path, self._run_logs_dir, run.run_id, run.queued_at),
            listen=listener and listener.hear,
            on_restart=listener and listener.restart,
        )
        worker.deadline = self._clock.call_later(
            spec.policy.timeout_seconds,
            lambda: self._stop(
                run.run_id,
                RunStatus.TIMEOUT,
                f"stopped after its limit of {spec.policy.timeout_seconds} s",
            ),
        )
        try:
            if worker.stop_status is not None:
                raise asyncio.CancelledError  # stopped before it had begun
            result = await self._run(item, output, started_at)
        except asyncio.CancelledError:
            if worker.stop_status is None:
                raise  # the gateway is going down: the run is closed as interrupted
            said = output.closing_words if worker.stop_status is RunStatus.TIMEOUT else ""
            result = RunResult(
                status=worker.stop_status, error=f"{worker.stop_reason or ''}{said}" or None
            )
        finally:
            worker.deadline.cancel()
            output.close()
            if output.failure is not None:
                _log.warning(
                    "run_log_cut",
                    action="run_log_cut",
                    run_id=run.run_id,
                    error=output.failure,
                    dropped_bytes=output.dropped_bytes,
                )
            self._workers.pop(run.run_id, None)
        self._unrecorded.add(run.run_id)
        self._ended.append(
            Finished(
                claimed=item,
                status=result.status,
                started_at=started_at,
                finished_at=max(started_at, self._clock.now()),
                error=result.error and mask(result.error),
                reason=result.reason,
                exit_code=result.exit_code,
                output_preview=output.preview,
                wake=self._wake(item),
                report=result.report,
                retry=result.retry,
            )
        )
        self._work.set()

    def _wake(self, item: Claimed) -> Wake | None:
        """Whom the end of a session's job wakes."""
        woken = woken_by(item.spec)
        if woken is None:
            return None
        session_id, mode = woken
        return Wake(
            session_id=session_id,
            run_id=RunId(new_id("run", self._clock.now())),
            mode=mode,
            reason=f"the job “{item.spec.display_title}” has ended",
            by=item.run.source_ref,
            keep=self._system_events_max,
        )

    async def _run(self, item: Claimed, output: RunOutput, started_at: datetime) -> RunResult:
        run, spec = item.run, item.spec
        runner = self._runners.get(spec.runner)
        if runner is None:
            return RunResult(
                status=RunStatus.ERROR,
                error=f"the runner {spec.runner!r} is not installed on {self._host}",
            )
        late = None
        if run.trigger in (Trigger.APPROVED, Trigger.CATCH_UP):
            late = int((started_at - run.scheduled_at).total_seconds())
        request = RunRequest(
            run_id=run.run_id,
            job_id=run.source_ref,
            event_id=run.event_id,
            command=spec.command,
            workspace_dir=self._workspace(spec.workspace_dir),
            workspaces_root=self._workspaces_root,
            output=output,
            scheduled_at=run.scheduled_at,
            attempt=run.attempt,
            trigger=Trigger.WAKE if asks_now(item.notes) else run.trigger,
            late_seconds=late,
            approved_by=run.approved_by,
            model=spec.model,
            title=spec.display_title,
            metadata=spec.metadata,
            notes=item.notes,
        )
        try:
            return await runner.run(request)
        except Exception as error:
            # A runner that raises is broken; the run still ends, with what is known.
            _log.exception("runner_failed", action="runner_failed", run_id=run.run_id)
            return RunResult(
                status=RunStatus.ERROR, error=f"the runner failed: {type(error).__name__}: {error}"
            )

    # -- stopping

    def _stop(self, run_id: RunId, status: RunStatus, reason: str) -> bool:
        worker = self._workers.get(run_id)
        if worker is None:
            return False
        if worker.stop_status is None:
            worker.stop_status = status
            worker.stop_reason = reason
            # A task that is cancelled before its first step never gets to record its end.
            if worker.deadline is not None:
                worker.task.cancel()
        return True

    def has(self, run_id: RunId) -> bool:
        """Whether the run is in execution here, or its end is still to be recorded."""
        return run_id in self._workers or run_id in self._unrecorded

    def cancel(self, run_id: RunId, reason: str) -> bool:
        """Stop a run; False when it is not in execution here."""
        return self._stop(run_id, RunStatus.CANCELLED, reason)

    async def wait(self, run: Run, seconds: float) -> None:
        """Return when the run's end is recorded, or after `seconds`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        futures = self._waiters.setdefault(run.run_id, [])
        futures.append(future)
        timer = self._clock.call_later(seconds, partial(_resolve, future))
        try:
            await future
        finally:
            timer.cancel()
            futures.remove(future)
            if not futures:
                self._waiters.pop(run.run_id, None)

    async def close(self) -> None:
        """Stop every run, record how they ended, and start nothing more.

        Runs that this cuts short stay `running` in the store; recovery closes them as
        `interrupted`, since nobody can tell how far they came.
        """
        self._closing = True
        tasks = [worker.task for worker in self._workers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._ended:
            await self._settle()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
