"""A product whose history is made up, step by step, through its own verbs.

Nothing runs by itself: each step is one thing that people, the clock or runs do. A step that the
state does not allow (there is no such slot, it was decided) is refused as it would be over HTTP,
and the history goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import DISABLED, PAUSED, RESUMED, JobDraft
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.process import Process
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.domain.system_event import WakeMode
from universal_agent.engine.capacity import Reservation
from universal_agent.engine.ids import new_id
from universal_agent.engine.replanning import plan_again
from universal_agent.errors import JobNotFound, UniversalAgentError
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.store.store import sqlite_store
from universal_agent.store.values import Claimed, Finished
from universal_agent.testing import ManualClock

SCHEDULES: Sequence[dict[str, Any]] = (
    {"every": "20m"},
    {"every": "1s"},
    {"every": "2m"},
    {"cron_expr": "*/7 * * * *"},
    {"cron_expr": "0 9 * * *", "timezone": "Europe/Berlin"},
    {"run_at": "in 15 minutes"},
)

POLICIES: Sequence[dict[str, Any]] = (
    {},
    {"overlap": "queue_one", "on_miss": "run_latest"},
    {"overlap": "cancel_previous", "on_miss": "run_all"},
    {"overlap": "allow", "on_miss": "skip", "misfire_grace_seconds": 5},
    {"retries": 2, "auto_pause_after": 2, "retry_interrupted": True},
    {"useful_for_seconds": 600, "queue_limit_seconds": 60, "delete_after_run": True},
    {"jitter_seconds": 90, "metadata": {"session_id": "s1", "channel": "ops"}},
)


@dataclass
class History:
    """The product and what the outside world holds of it."""

    runtime: Runtime
    clock: ManualClock
    running: list[Claimed] = field(default_factory=list)
    #: Free workers at the next admission.
    workers: int = 1

    @classmethod
    async def begin(cls, folder: Path, clock: ManualClock) -> "History":
        runtime = Runtime(
            Settings(data_dir=folder, cron_mock_response=True, on_miss_default="ask"),
            clock=clock,
            store=sqlite_store(folder / "ua.db", synchronous="OFF"),
        )
        await runtime.store.open()
        history = cls(runtime, clock)
        await history.register()
        capacity: Any = runtime.capacity
        capacity.reserve = lambda: Reservation(history.workers, history.workers)
        capacity.release = lambda count: None
        running: Any = runtime.running
        running.start = history.running.append
        return history

    @property
    def process(self) -> Process:
        """The process that claims runs."""
        return self.runtime.own_process.process

    async def register(self) -> None:
        """The process starts."""
        await self.runtime.own_process.register()

    async def end(self) -> None:
        await self.runtime.store.close()

    @classmethod
    def examine(cls, check: Callable[["History"], Awaitable[None]]) -> None:
        """Check something about a history of its own, from a test that is not asynchronous."""

        async def examined() -> None:
            with TemporaryDirectory() as folder:
                history = await cls.begin(Path(folder), ManualClock())
                try:
                    await check(history)
                finally:
                    await history.end()

        asyncio.run(examined())

    async def jobs(self) -> Sequence[Job]:
        """People's jobs, and sessions' beats."""
        store = self.runtime.store
        return (
            *(await store.read(verbs.jobs.list_jobs, limit=1000)).jobs,
            *(await store.read(verbs.beats.list_beats)),
        )

    async def step(self, name: str, *choices: int) -> None:
        """Take a step; what the product refuses is passed over."""
        act: Callable[..., Any] = getattr(self, name)
        with suppress(UniversalAgentError):
            await act(*choices)

    # -- the steps: each takes three numbers that choose among what there is

    async def create(self, schedule: int, policy: int, _: int) -> None:
        await self.runtime.jobs.create(
            JobDraft(
                command="true",
                runner="shell",
                **_one_of(SCHEDULES, schedule),
                **_one_of(POLICIES, policy),
            )
        )

    async def begin_session(self, number: int, every: int, _: int) -> None:
        session_id = f"s{number % 50}"
        workspace = self.runtime.settings.workspaces_root / session_id
        workspace.mkdir(parents=True, exist_ok=True)
        text = '{"every": "%s"}' % _one_of(("1m", "7m", "20m", "1s"), every)  # noqa: UP031
        (workspace / "HEARTBEAT.json").write_text(text)
        await self.runtime.heartbeats.ensure(
            session_id, workspace_dir=session_id, owner_id="somebody"
        )

    async def wake(self, which: int, mode: int, _: int) -> None:
        beats = await self.runtime.store.read(verbs.beats.list_beats)
        if beats:
            await self.runtime.heartbeats.wake(
                _one_of(beats, which).job_id,
                _one_of(list(WakeMode), mode),
                reason="a test",
                by="somebody",
            )

    async def edit(self, which: int, what: int, schedule: int) -> None:
        job = await self._job(which)
        fields = {"title": f"edited {what}"} if what % 2 else _one_of(SCHEDULES, schedule)
        await self.runtime.commands(job.source).edit(job.job_id, JobDraft.of(fields))

    async def switch(self, which: int, how: int, _: int) -> None:
        job = await self._job(which)
        commands = self.runtime.commands(job.source)
        await commands.edit(job.job_id, (RESUMED, PAUSED, DISABLED)[how % 3])

    async def delete(self, which: int, _: int, __: int) -> None:
        job = await self._job(which)
        await self.runtime.commands(job.source).delete(job.job_id)

    async def run_now(self, which: int, _: int, __: int) -> None:
        job = await self._job(which)
        await self.runtime.commands(job.source).run_now(job.job_id)

    async def wait(self, seconds: int, workers: int, cause: int) -> None:
        """Let time pass; then the scheduler decides what has come due meanwhile."""
        self.clock.step(1 + seconds * seconds % 5000)
        self.workers = workers % 4
        await self.runtime.scheduler.catch_up(_one_of(list(Cause)[:4], cause))

    async def clock_ahead(self, minutes: int, workers: int, _: int) -> None:
        """The clock is set forward, and what was leapt over is judged."""
        self.clock.step(60 * (minutes % 50))
        self.workers = workers % 4
        await self.runtime.store.write(verbs.replanning.note_leap, to=self.clock.now())
        await self.runtime.scheduler.catch_up(Cause.CLOCK_STEP)

    async def clock_back(self, seconds: int, unnoticed: int, _: int) -> None:
        """The clock is set back, by seconds or by hours; before that is noticed, all goes on."""
        before = self.clock.now()
        self.clock.step(-(seconds % 600) * (1 if seconds % 3 else 50))
        if unnoticed % 4:
            await plan_again(self.runtime.store, ahead_until=before, now=self.clock.now())

    async def claim(self, workers: int, _: int, __: int) -> None:
        settled = await self.runtime.store.write(
            verbs.execution.claim,
            free_workers=workers % 5,
            process=self.process,
            now=self.clock.now(),
        )
        self.running.extend(settled.claimed)

    async def finish(self, which: int, how: int, workers: int) -> None:
        if not self.running:
            return
        claimed = self.running.pop(which % len(self.running))
        started_at = claimed.run.started_at or self.clock.now()
        self.clock.step(0.25)
        status = _one_of(
            (
                RunStatus.SUCCESS,
                RunStatus.ERROR,
                RunStatus.TIMEOUT,
                RunStatus.CANCELLED,
                RunStatus.SKIPPED,
            ),
            how,
        )
        ended = Finished(
            claimed=claimed,
            status=status,
            reason="quiet_hours" if status is RunStatus.SKIPPED else None,
            ending=self._ending(which) if status is RunStatus.ERROR else None,
            started_at=started_at,
            finished_at=self.clock.now(),
        )
        settled = await self.runtime.store.write(
            verbs.execution.settle,
            [ended],
            free_workers=workers % 2,
            process=self.process,
            now=self.clock.now(),
        )
        self.running.extend(settled.claimed)

    def _ending(self, choice: int) -> Ending | None:
        """A failure of the work, or the outage of a service that may say when it is over."""
        if choice % 2:
            return None
        until = self.clock.now() + timedelta(seconds=choice % 900) if choice % 3 else None
        return Ending(kind=_one_of(list(EndClass)[:4], choice // 2), until=until)

    async def miss_waiting(self, _: int, __: int, ___: int) -> None:
        """What waited for longer than its queue limit is missed, or skipped."""
        now = self.clock.now()
        await self.runtime.store.write(
            verbs.misses.miss_queued,
            now=now,
            cause=Cause.CAPACITY,
            outage_id=new_id("out", now),
            missed_ids=[new_id("mis", now) for _ in range(50)],
            after_grace=False,
        )

    async def clear_resource(self, _: int, __: int, ___: int) -> None:
        await self.runtime.resources.clear("true", by="somebody")

    async def crash(self, _: int, __: int, ___: int) -> None:
        """The process dies, and another closes what it left."""
        self.running.clear()
        now = self.clock.now()
        await self.runtime.store.write(
            verbs.processes.close_process,
            self.process.process_id,
            silent_for=None,
            now=now,
            outage_id=new_id("out", now),
            missed_ids=[new_id("mis", now) for _ in range(50)],
        )
        await self.register()

    async def drop_waiting(self, _: int, __: int, ___: int) -> None:
        now = self.clock.now()
        await self.runtime.store.write(
            verbs.misses.miss_queued,
            now=now,
            cause=Cause.PROCESS_DOWN,
            outage_id=new_id("out", now),
            missed_ids=[new_id("mis", now) for _ in range(50)],
            after_grace=True,
        )

    async def cancel_waiting(self, which: int, _: int, __: int) -> None:
        runs = await self.runtime.store.read(
            verbs.runs.list_runs, statuses=[RunStatus.QUEUED], limit=50
        )
        if runs:
            run = runs[which % len(runs)]
            await self.runtime.store.write(
                verbs.cancels.cancel_run,
                run.run_id,
                reason="cancelled by ada",
                by="ada",
                now=self.clock.now(),
            )

    async def resolve(self, which: int, action: int, scope: int) -> None:
        pending = await self.runtime.stasis.pending()
        if pending:
            record = pending[which % len(pending)]
            span = record.span
            at = span.last_at if scope % 2 else span.first_at
            await self.runtime.stasis.resolve(
                SlotKey(record.source, record.source_ref, at),
                _one_of(list(StasisAction), action),
                scope=_one_of(list(Scope), scope // 2),
                by="somebody",
            )

    async def undo_delete(self, which: int, _: int, __: int) -> None:
        spans = await self._deleted_spans()
        if spans:
            await self.runtime.stasis.undo_delete(spans[which % len(spans)], by="somebody")

    async def _deleted_spans(self) -> list[SlotKey]:
        found = await self.runtime.store.read(
            verbs.stasis.missed_spans, status=MissedStatus.DELETED, limit=100
        )
        return [SlotKey(r.source, r.source_ref, r.span.last_at) for r in found]

    async def make_exception(self, which: int, kind: int, ahead: int) -> None:
        slot = await self._future_slot(which, ahead)
        if slot is not None:
            kinds = list(OverrideKind)
            chosen = kinds[kind % len(kinds)]
            move_to = None
            if chosen is OverrideKind.MOVE:
                move_to = self.clock.now().timestamp() + 60 * (ahead % 200)
            await self.runtime.slot_overrides.make(slot, chosen, by="somebody", move_to=move_to)

    async def undo_exception(self, which: int, _: int, ahead: int) -> None:
        slot = await self._future_slot(which, ahead)
        if slot is not None:
            await self.runtime.slot_overrides.undo(slot, by="somebody")

    # -- what there is

    async def _job(self, which: int) -> Job:
        """One of them. Raises JobNotFound when there is none."""
        jobs = await self.jobs()
        if not jobs:
            raise JobNotFound
        return jobs[which % len(jobs)]

    async def _future_slot(self, which: int, ahead: int) -> SlotKey | None:
        """One of the next slots of a job, by its schedule."""
        jobs = await self.jobs()
        if not jobs:
            return None
        job = jobs[which % len(jobs)]
        at = job.spec.schedule.next_after(self.clock.now())
        for _ in range(ahead % 3):
            at = at and job.spec.schedule.next_after(at)
        return None if at is None else SlotKey(job.source, job.job_id, at)


STEPS = (
    "create",
    "begin_session",
    "wake",
    "edit",
    "switch",
    "delete",
    "run_now",
    "wait",
    "clock_ahead",
    "clock_back",
    "claim",
    "finish",
    "crash",
    "drop_waiting",
    "miss_waiting",
    "clear_resource",
    "cancel_waiting",
    "resolve",
    "undo_delete",
    "make_exception",
    "undo_exception",
)

#: What a lively history is made of: these come more often than the others.
FREQUENT_STEPS = (
    "create",
    "begin_session",
    "wait",
    "wait",
    "claim",
    "finish",
    "resolve",
    "make_exception",
)


def _one_of(choices: Sequence[Any], number: int) -> Any:
    return choices[number % len(choices)]
