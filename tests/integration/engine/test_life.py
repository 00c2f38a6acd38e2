"""Any life that a gateway may lead: after each step the account of every slot adds up.

`--hypothesis-profile=long` tries many more lives.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.integration.engine.gateway import HOUR, SECOND, Gateway
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.ledger import Ledger
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.errors import Conflict, InvalidInput, NotFound
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, ManualClock

T = TypeVar("T")

SCHEDULES: list[dict[str, Any]] = [
    {"every": "7s"},
    {"every": "1m"},
    {"every": "10m"},
    {"cron_expr": "*/3 * * * *"},
    {"run_at": "2m"},
    {"run_at": "now"},
]

schedules = st.sampled_from(SCHEDULES)
policies = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(["skip", "queue_one", "allow", "cancel_previous"]),
        "on_miss": st.sampled_from(["ask", "run_latest", "run_all", "skip"]),
        "misfire_grace_seconds": st.sampled_from([0, 10, 60, 600]),
        "jitter_seconds": st.sampled_from([0, 0, 90]),
        "retries": st.sampled_from([0, 2]),
        "retry_backoff": st.just([20]),
        "queue_limit_seconds": st.sampled_from([30, 900]),
        "timeout_seconds": st.sampled_from([15, 3600]),
        "retry_interrupted": st.booleans(),
        "useful_for_seconds": st.sampled_from([None, 300]),
    }
)
picks = st.integers(0, 1000)
#: How long runs take.
lengths = st.sampled_from([0, 3, 30, 200])


def total(ledger: Ledger) -> int:
    return (
        sum(ledger.ran.values())
        + sum(ledger.skipped.values())
        + sum(ledger.missed.values())
        + ledger.interrupted
        + ledger.in_flight
        + len(ledger.unaccounted)
    )


class Life(RuleBasedStateMachine):
    """One gateway with two workers, its jobs, and a clock that everybody pulls at."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.jobs: dict[str, Job] = {}

    def do(self, step: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(step)

    @initialize(schedule=schedules, policy=policies, seconds=lengths)
    def start(self, schedule: dict[str, Any], policy: dict[str, Any], seconds: int) -> None:
        self.clock = ManualClock()
        self.gateway = Gateway(self.folder / "data", self.clock, cron_max_concurrency=2)
        self.do(self.gateway.start())
        self.gateway.runner.seconds = seconds
        self.create(schedule, policy)

    def teardown(self) -> None:
        if hasattr(self, "gateway"):
            self.do(self.gateway.stop())
        self.loop.close()
        shutil.rmtree(self.folder)

    def pick(self, pick: int) -> Job:
        return list(self.jobs.values())[pick % len(self.jobs)]

    def try_to(self, step: Coroutine[Any, Any, object]) -> None:
        """A command may be refused; it may not break anything."""

        async def attempt() -> None:
            with contextlib.suppress(InvalidInput, NotFound, Conflict):
                await step
            await self.clock.advance(1.5)

        self.do(attempt())

    # -- what people do

    @precondition(lambda self: len(self.jobs) < 4)
    @rule(schedule=schedules, policy=policies)
    def create(self, schedule: dict[str, Any], policy: dict[str, Any]) -> None:
        job = self.do(self.gateway.create(**schedule, **policy))
        self.jobs[job.job_id] = job
        self.do(self.clock.advance(1))

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, schedule=schedules)
    def reschedule_job(self, pick: int, schedule: dict[str, Any]) -> None:
        self.try_to(self.gateway.runtime.jobs.edit(self.pick(pick).job_id, JobDraft.of(schedule)))

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, title=st.text("ab", min_size=1, max_size=3), policy=policies)
    def rename(self, pick: int, title: str, policy: dict[str, Any]) -> None:
        fields = {"title": title, **policy}
        self.try_to(self.gateway.runtime.jobs.edit(self.pick(pick).job_id, JobDraft.of(fields)))

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, enabled=st.booleans())
    def switch(self, pick: int, enabled: bool) -> None:
        self.try_to(
            self.gateway.runtime.jobs.edit(self.pick(pick).job_id, JobDraft(enabled=enabled))
        )

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def delete(self, pick: int) -> None:
        job = self.pick(pick)
        self.try_to(self.gateway.runtime.jobs.delete(job.job_id))
        del self.jobs[job.job_id]

    @precondition(lambda self: self.jobs)
    @rule(pick=picks)
    def run_now(self, pick: int) -> None:
        self.try_to(self.gateway.runtime.jobs.run_now(self.pick(pick).job_id))

    @precondition(lambda self: self.jobs)
    @rule(pick=picks, later=st.integers(0, 2), kind=st.sampled_from(OverrideKind))
    def make_exception(self, pick: int, later: int, kind: OverrideKind) -> None:
        job = self.do(self.gateway.job(self.pick(pick)))
        at = job.next_run_at
        for _ in range(later):
            at = at and job.spec.schedule.next_after(at)
        if at is None:
            return
        slot = SlotKey(Source.CRON, job.job_id, at)
        move_to = (self.clock.now() + 45 * SECOND).isoformat()
        self.try_to(
            self.gateway.runtime.slot_overrides.make(
                slot, kind, by="ada", move_to=move_to if kind is OverrideKind.MOVE else None
            )
        )

    @rule(pick=picks, action=st.sampled_from(StasisAction), scope=st.sampled_from(Scope))
    def decide_missed(self, pick: int, action: StasisAction, scope: Scope) -> None:
        pending = self.do(self.gateway.pending())
        if not pending:
            return
        slot = SlotKey.parse(pending[pick % len(pending)].event_id)
        self.try_to(self.gateway.runtime.stasis.resolve(slot, action, scope=scope, by="ada"))

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        open_runs = [run for run in self.do(self.gateway.runs()) if not run.status.is_final]
        if open_runs:
            run = open_runs[pick % len(open_runs)]
            self.try_to(self.gateway.runtime.jobs.cancel_run(run.run_id))

    # -- what the world does

    @rule(seconds=st.integers(1, 400))
    def let_time_pass(self, seconds: int) -> None:
        self.do(self.clock.advance(seconds))

    @rule(seconds=st.sampled_from([-90_000, -700, -30, 20, 90, 2000, 90_000]))
    def set_the_clock(self, seconds: int) -> None:
        self.clock.step(seconds)
        self.do(self.clock.advance(1.5))

    @rule(seconds=st.sampled_from([30, 2000]), frozen=st.booleans())
    def sleep(self, seconds: int, frozen: bool) -> None:
        if frozen:
            self.clock.freeze(seconds)
        else:
            self.clock.suspend(seconds)
        self.do(self.clock.advance(1.5))

    @rule(seconds=st.sampled_from([0, 20, 2000, 90_000]), killed=st.booleans())
    def go_down(self, seconds: int, killed: bool) -> None:
        self.do(self.gateway.kill() if killed else self.gateway.stop())
        self.clock.step(seconds)
        self.do(self.gateway.start())

    @rule(seconds=st.sampled_from([3, 100]))
    def lose_the_store(self, seconds: int) -> None:
        self.gateway.store.database.failure = "disk full"
        self.do(self.clock.advance(seconds))
        self.gateway.store.database.failure = None
        self.do(self.clock.advance(1.5))

    @rule(seconds=lengths, failing=st.booleans())
    def change_the_runs(self, seconds: int, failing: bool) -> None:
        self.gateway.runner.seconds = seconds
        if failing:
            self.gateway.runner.answer(FAILURE, OSError("broken"), FAILURE)

    # -- what holds all the while

    @invariant()
    def every_slot_is_accounted_for_once(self) -> None:
        if not hasattr(self, "gateway"):
            return
        ledger = self.do(self.gateway.ledger(start=self.gateway.began - 48 * HOUR))
        assert ledger.unaccounted == []
        assert total(ledger) == ledger.expected

    @invariant()
    def no_slot_has_two_first_attempts(self) -> None:
        if not hasattr(self, "gateway"):
            return
        runs = self.do(self.gateway.runs())
        first = Counter(
            (run.source_ref, run.scheduled_at) for run in runs if run.has_slot and run.attempt == 1
        )
        assert [slot for slot, count in first.items() if count > 1] == []
        started = Counter(request.run_id for request in self.gateway.runner.requests)
        assert [run for run, count in started.items() if count > 1] == []

    @invariant()
    def what_runs_is_called_running_and_the_other_way_round(self) -> None:
        if not hasattr(self, "gateway"):
            return
        runs = self.do(self.gateway.runs())
        running = {run.run_id for run in runs if run.status is RunStatus.RUNNING}
        assert running == set(self.gateway.runner.running)
        assert len(running) <= 2

    @invariant()
    def nobody_waits_while_a_worker_is_free(self) -> None:
        if not hasattr(self, "gateway"):
            return
        runs = self.do(self.gateway.runs())
        running = {run.source_ref for run in runs if run.status is RunStatus.RUNNING}
        if sum(run.status is RunStatus.RUNNING for run in runs) < 2:
            late = any(run.trigger.is_late for run in runs if run.status is RunStatus.RUNNING)
            waits = {
                run.source_ref
                for run in runs
                # Missed slots take half of the workers at most: one of two.
                if run.status is RunStatus.QUEUED and not (late and run.trigger.is_late)
            }
            assert waits <= running, "they wait for a run of their own job alone"

    @invariant()
    def the_log_is_dense_and_folds_to_the_tables(self) -> None:
        if not hasattr(self, "gateway"):
            return
        events = self.do(self.gateway.events())
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        runs: dict[str, str] = {}
        marks: dict[str, object] = {}
        missed: dict[str, str] = {}
        for event in events:
            data = event.data
            if "run" in data:
                runs[data["run"]["run_id"]] = data["run"]["status"]
            if "job" in data:
                marks[event.source_ref] = data["job"]["next_run_at"]
            if "next_run_at" in data:
                marks[event.source_ref] = data["next_run_at"]
            if "missed_id" in data:
                missed[data["missed_id"]] = data["status"]
            for span in data.get("spans", ()):
                missed[span["missed_id"]] = span["status"]
            for missed_id in data.get("withdrawn", ()):
                del missed[missed_id]
        assert runs == {run.run_id: run.status for run in self.do(self.gateway.runs())}
        for job_id in self.jobs:
            job = self.do(self.gateway.store.read(verbs.jobs.get_job, self.jobs[job_id].job_id))
            if job is not None:
                mark = job.next_run_at
                assert marks[job_id] == (None if mark is None else int(mark.timestamp()))
        kept = {
            record.missed_id: record.span.status
            for status in MissedStatus
            for record in self.do(
                self.gateway.store.read(verbs.stasis.missed_spans, status=status, limit=10_000)
            )
        }
        assert missed == kept

    @invariant()
    def nothing_on_schedule_starts_late_unasked(self) -> None:
        if not hasattr(self, "gateway"):
            return
        assert all(
            request.late_seconds is None
            for request in self.gateway.runner.requests
            if request.trigger == Trigger.SCHEDULE
        )


_profile = hypothesis.settings.default
assert _profile is not None
TestLife = Life.TestCase
TestLife.settings = hypothesis.settings(
    max_examples=max(12, _profile.max_examples // 20),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
