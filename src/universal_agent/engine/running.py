"""Runs in execution: one task each, with its workspace, log, time limit and runner."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path

import structlog

from universal_agent.clock import Cancellable, Clock
from universal_agent.domain.job import is_light
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import epoch
from universal_agent.domain.system_event import asks_now
from universal_agent.domain.wake import woken_by
from universal_agent.engine.ids import new_id
from universal_agent.engine.live_turns import LiveTurns
from universal_agent.masking import mask
from universal_agent.metrics import Metrics
from universal_agent.runners.base import (
    GATEWAY_LEAVES,
    GATEWAY_STOPS,
    Runner,
    RunRequest,
    RunResult,
)
from universal_agent.runners.failure_rules import WatchedOutput
from universal_agent.runners.keepers import KeeperLost, Keepers
from universal_agent.runners.orphans import kill_orphans
from universal_agent.runners.output import RunOutput, run_log_path
from universal_agent.runners.shortage import ResourceShortage
from universal_agent.runners.signs_of_life import (
    LastSign,
    Sign,
    SignsOfLife,
    silence_words,
)
from universal_agent.store.values import Claimed, Finished, Wake
from universal_agent.threads import FILES

_log = structlog.get_logger(__name__)

#: Seconds between two tries to start a run that the gateway lacks resources for, and between two
#: log lines about that.
_SHORTAGE_SECONDS = 1.0
_SHORTAGE_LOG_SECONDS = 60.0

#: How often in its idle time a run is looked at.
_LOOKS = 4

#: The least seconds until the time limit of an adopted run applies: it may have ended already.
_ADOPTED_SECONDS = 1.0


@dataclass(slots=True)
class _Worker:
    """A run in execution."""

    task: asyncio.Task[None]
    item: Claimed
    #: Whether it may take a worker in reserve.
    is_light: bool
    #: Whether an earlier process has started it.
    is_adopted: bool = False
    #: The status that the run ends in when its task is cancelled.
    stop_status: RunStatus | None = None
    stop_reason: str | None = None
    #: None until the run has begun.
    deadline: Cancellable | None = None
    #: Its log, from its start on.
    log: Path | None = None
    #: Its signs of life, from its start on.
    life: SignsOfLife | None = None
    #: The next look for a sign of life.
    watch: Cancellable | None = None

    def end_limits(self) -> None:
        """Limits apply no more."""
        for limit in (self.deadline, self.watch):
            if limit is not None:
                limit.cancel()


class RunningRuns:
    """The runs that this process executes."""

    def __init__(
        self,
        clock: Clock,
        metrics: Metrics,
        runners: Mapping[str, Runner],
        live_turns: LiveTurns,
        work: asyncio.Event,
        *,
        host: str,
        run_logs_dir: Path,
        workspaces_root: Path,
        system_events_max: int,
        slot_states_dir: Path,
        keepers: Keepers | None = None,
    ) -> None:
        """`work` is set whenever a run has ended and its end is to be recorded."""
        self._clock = clock
        self._metrics = metrics
        self._runners = runners
        self._host = host
        self._run_logs_dir = run_logs_dir
        self._workspaces_root = workspaces_root
        self._workspace = lru_cache(maxsize=10_000)(workspaces_root.joinpath)
        self._live_turns = live_turns
        self._work = work
        self._system_events_max = system_events_max
        self._keepers = keepers
        self._slot_states_dir = slot_states_dir
        #: Ends that are still to be recorded, oldest first.
        self.ended: deque[Finished] = deque()
        #: Runs whose keeper has died: how they ended is unknown, which is still to be recorded.
        self.lost: deque[RunId] = deque()
        self._workers: dict[RunId, _Worker] = {}
        #: How many of these make up for missed slots, and how many may take workers in reserve.
        self.late_count = self.light_count = 0
        #: Runs that have begun and whose ends are not recorded by this process.
        self._given_up: set[RunId] = set()
        #: When a shortage was logged last, by the monotonic clock.
        self._short_at = -_SHORTAGE_LOG_SECONDS
        metrics.runs_running.set_function(lambda: len(self._workers))

    def __len__(self) -> int:
        return len(self._workers)

    def __contains__(self, run_id: RunId) -> bool:
        return run_id in self._workers

    @property
    def is_busy(self) -> bool:
        """Whether a run is in execution, or its end is still to be recorded."""
        return bool(self._workers or self.ended or self.lost)

    def runs(self) -> list[Run]:
        """The runs in execution, oldest first."""
        return [worker.item.run for worker in self._workers.values()]

    # -- ends

    def take_ended(self, count: int | None = None) -> list[Finished]:
        """Remove the oldest ends, all of them unless `count` says how many, and return them."""
        count = len(self.ended) if count is None else min(count, len(self.ended))
        return [self.ended.popleft() for _ in range(count)]

    def put_back(self, ended: Sequence[Finished]) -> None:
        """Keep ends that could not be recorded, before all others."""
        self.ended.extendleft(reversed(ended))

    def give_up(self, ended: Sequence[Finished]) -> None:
        """Drop ends that cannot be recorded: the runs stay `running` in the store."""
        self._given_up.update(end.claimed.run.run_id for end in ended)

    def begun(self) -> set[RunId]:
        """The runs that this process has started and that may still be `running` in the store."""
        ended = {end.claimed.run.run_id for end in self.ended}
        return self._workers.keys() | ended | self._given_up | set(self.lost)

    def take_lost(self) -> list[RunId]:
        """Remove the runs whose keepers have died, and return them."""
        lost = list(self.lost)
        self.lost.clear()
        return lost

    def are_recorded(self, run_ids: Iterable[RunId]) -> None:
        """Remove what keepers have left of runs whose end is recorded."""
        if self._keepers is not None:
            self._keepers.discard_soon(run_ids)

    # -- starting and stopping

    def start(self, item: Claimed, *, is_adopted: bool = False) -> None:
        """Execute a run that the store has marked running, or go on with an adopted one."""
        task = asyncio.get_running_loop().create_task(
            self._execute(item), name=f"run {item.run.run_id}"
        )
        light = item.run.brings_spec or is_light(item.spec)
        self._workers[item.run.run_id] = _Worker(task, item, light, is_adopted)
        self.light_count += light
        self.late_count += item.run.trigger.is_late

    def _forget(self, run_id: RunId) -> None:
        """A run is not in execution any more."""
        if (worker := self._workers.pop(run_id, None)) is not None:
            self.light_count -= worker.is_light
            self.late_count -= worker.item.run.trigger.is_late

    def stop(self, run_id: RunId, status: RunStatus, reason: str) -> bool:
        """Stop a run, which then ends in `status`; False if it is not in execution here."""
        worker = self._workers.get(run_id)
        if worker is None:
            return False
        if worker.stop_status is None:
            worker.stop_status = status
            worker.stop_reason = reason
            # A task that is cancelled before its first step could not record its end.
            if worker.deadline is not None:
                worker.task.cancel()
        return True

    def take_back(self) -> list[Claimed]:
        """Remove the runs that have not begun, and return them.

        A run that was stopped before it has begun is not among them: it ends as stopped.
        """
        unbegun = [
            worker
            for worker in self._workers.values()
            if worker.deadline is None and worker.stop_status is None
        ]
        for worker in unbegun:
            worker.task.cancel()
            self._forget(worker.item.run.run_id)
        return [worker.item for worker in unbegun]

    async def leave(self) -> None:
        """Leave every run that has a keeper to it, and stop the others."""
        await self.cut(GATEWAY_LEAVES)

    async def cut(self, reason: str = GATEWAY_STOPS) -> None:
        """Stop every run, and return when their processes have ended.

        A run whose work had ended by then has its own end; the others have none.
        """
        workers = list(self._workers.values())
        self._given_up.update(self._workers)
        for worker in workers:
            if worker.deadline is not None:
                worker.task.cancel(reason)
        await asyncio.gather(*(worker.task for worker in workers), return_exceptions=True)

    async def _execute(self, item: Claimed) -> None:
        run, spec = item.run, item.spec
        worker = self._workers[run.run_id]
        started_at = self._clock.now()
        if run.trigger is Trigger.SCHEDULE and not worker.is_adopted:
            lag = started_at - run.scheduled_at
            if spec.policy.jitter_seconds:
                lag -= stable_jitter(run.source_ref, spec.policy.jitter_seconds)
            self._metrics.lag(max(0.0, lag.total_seconds()))
        listener = self._live_turns.listen(run) if run.brings_spec else None
        worker.log = log = run_log_path(self._run_logs_dir, run.run_id, run.queued_at)
        worker.life = SignsOfLife(self._clock, log)
        if worker.is_adopted and run.started_at is not None:
            worker.life.show(run.started_at, Sign.START)
        output = RunOutput(
            log,
            replaces=worker.is_adopted,
            listen=listener and listener.hear,
            on_restart=listener and listener.restart,
            life=worker.life,
        )
        try:
            result = None
            while result is None:
                started_at = self._clock.now()
                if worker.is_adopted and run.started_at is not None:
                    started_at = run.started_at
                result = await self._try(worker, output, started_at)
        except KeeperLost:
            await self._end_lost(run.run_id)
            return
        except asyncio.CancelledError:
            if worker.stop_status is None:
                raise  # the gateway is going down: the run is closed as interrupted
            said = output.closing_words if worker.stop_status.is_failure else ""
            result = RunResult(
                status=worker.stop_status, error=f"{worker.stop_reason or ''}{said}" or None
            )
        finally:
            worker.end_limits()
            output.close()
            if output.failure is not None:
                _log.warning(
                    "run_log_cut",
                    run_id=run.run_id,
                    error=output.failure,
                    dropped_bytes=output.dropped_bytes,
                )
            self._forget(run.run_id)
        with suppress(OSError):  # it is not empty, or was never made
            self._state_dir(run).rmdir()
        self.ended.append(
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
                ending=result.ending,
            )
        )
        self._work.set()

    async def _end_lost(self, run_id: RunId) -> None:
        """The keeper of a run has died: end what is left of it, and have it recorded."""
        _log.error("keeper_lost", run_id=run_id)
        await kill_orphans([run_id], clock=self._clock)
        self.lost.append(run_id)
        self._work.set()

    async def _try(
        self, worker: _Worker, output: RunOutput, started_at: datetime
    ) -> RunResult | None:
        """Execute a run; None if the gateway lacked the resources, so that it has not begun."""
        if worker.stop_status is not None:
            raise asyncio.CancelledError  # stopped before it had begun
        run, policy = worker.item.run, worker.item.spec.policy
        seconds = policy.timeout_seconds
        left = max(_ADOPTED_SECONDS, seconds - (self._clock.now() - started_at).total_seconds())
        worker.deadline = self._clock.call_later(
            left if worker.is_adopted else seconds,
            lambda: self.stop(
                run.run_id, RunStatus.TIMEOUT, f"stopped after its limit of {seconds} s"
            ),
        )
        if policy.idle_timeout_seconds is not None:
            self._watch(worker, policy.idle_timeout_seconds)
        try:
            return await self._run(worker, output, started_at)
        except ResourceShortage as shortage:
            worker.end_limits()
            worker.deadline = worker.watch = None
            if self._clock.monotonic() - self._short_at >= _SHORTAGE_LOG_SECONDS:
                self._short_at = self._clock.monotonic()
                _log.error(
                    "run_waits_for_resources",
                    run_id=run.run_id,
                    error=str(shortage),
                )
            await self._clock.sleep(_SHORTAGE_SECONDS)
            return None

    def _watch(self, worker: _Worker, limit: int, left: float | None = None) -> None:
        """Look for signs of life again when the silence may have lasted for `limit` seconds.

        A progress file is looked at more often: a touch counts when it is seen.
        """
        after = min(limit if left is None else left, limit / _LOOKS)
        worker.watch = self._clock.call_later(after, partial(self._look_for_life, worker, limit))

    def _look_for_life(self, worker: _Worker, limit: int) -> None:
        """Stop a run that has given no sign of life for so long."""
        life = worker.life
        assert life is not None
        life.read_progress()
        left = limit - life.silent_for()
        if left > 0:
            self._watch(worker, limit, left)
            return
        policy = worker.item.spec.policy
        self.stop(
            worker.item.run.run_id,
            RunStatus.STALLED,
            silence_words(limit, life.last, policy.timeout_seconds),
        )

    def last_sign(self, run_id: RunId) -> LastSign | None:
        """The latest sign of life that is known of a run in execution; None for any other."""
        worker = self._workers.get(run_id)
        return None if worker is None or worker.life is None else worker.life.last

    async def look_for_sign(self, run_id: RunId) -> None:
        """Look at the progress file of a run in execution."""
        worker = self._workers.get(run_id)
        if worker is not None and worker.life is not None:
            await FILES.run(worker.life.read_progress)

    def _wake(self, item: Claimed) -> Wake | None:
        """The session to wake when the run ends."""
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

    def _state_dir(self, run: Run) -> Path:
        """The folder of the run's slot; of the run itself, if it has none."""
        name = f"{run.source_ref}-{epoch(run.scheduled_at)}" if run.has_slot else run.run_id
        return self._slot_states_dir / f"{run.scheduled_at:%Y-%m-%d}" / name

    async def _run(self, worker: _Worker, output: RunOutput, started_at: datetime) -> RunResult:
        item = worker.item
        run, spec = item.run, item.spec
        runner = self._runners.get(spec.runner)
        if worker.is_adopted and not getattr(runner, "adopts", False):
            raise KeeperLost  # nobody knows how to go on with it
        if runner is None:
            return RunResult(
                status=RunStatus.ERROR,
                error=f"the runner {spec.runner!r} is not installed on {self._host}",
            )
        late = None
        if run.trigger.is_late:
            late = int((started_at - run.scheduled_at).total_seconds())
        watched = None
        if spec.fail_on is not None and spec.fail_on.reads_output:
            watched = output = WatchedOutput(output, spec.fail_on)
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
            fail_on=spec.fail_on,
            log=worker.log,
            deadline=started_at + timedelta(seconds=spec.policy.timeout_seconds),
            # A turn is part of a conversation: its client is told that it was cut, and asks again.
            keepers=None if run.brings_spec else self._keepers,
            is_adopted=worker.is_adopted,
            limit_seconds=spec.policy.timeout_seconds,
            previous_run_id=item.previous_run_id,
            state_dir=self._state_dir(run),
            notes=item.notes,
        )
        try:
            result = await runner.run(request)
        except (ResourceShortage, KeeperLost):
            raise
        except Exception as error:
            # A runner that raises is broken; the run still ends, with what is known.
            _log.exception("runner_failed", run_id=run.run_id)
            return RunResult(
                status=RunStatus.ERROR, error=f"the runner failed: {type(error).__name__}: {error}"
            )
        return result if watched is None else watched.judge(result)
