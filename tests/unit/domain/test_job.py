import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.fail_on import FailOn
from universal_agent.domain.job import (
    Job,
    JobSpec,
    JobVersion,
    OffLabel,
    OnMiss,
    Overlap,
    Policy,
    Priority,
    schedule_from_record,
    spec_from_record,
    spec_to_record,
)
from universal_agent.domain.judge import judge
from universal_agent.domain.run import JobId
from universal_agent.domain.schedule import Schedule, make_cron, make_interval, make_once

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

EVERY_MINUTE = make_interval(MINUTE, NOON)


def a_job(schedule: Schedule = EVERY_MINUTE, *, now: datetime = NOON, **policy: Any) -> Job:
    spec = JobSpec(command="true", runner="shell", schedule=schedule, policy=Policy(**policy))
    return Job(
        job_id=JobId("job_1"),
        version=1,
        spec=spec,
        created_at=now,
        effective_from=now,
        next_run_at=schedule.next_after(now),
    )


#: A record without rules is read by those that the database has for old versions.
BY_RECORDED_RULES = replace(make_cron("0 9 * * 1-5", "Europe/Berlin"), rules="0123456789abcdef")


class TestSpecRecord:
    FULL = JobSpec(
        command="backup --all",
        runner="agent",
        schedule=make_cron("0 9 * * 1-5", "Europe/Berlin"),
        timezone="Europe/Berlin",
        title="Nightly",
        user_id="ada",
        workspace_dir="ada/work",
        model="small",
        enabled=False,
        off_label=OffLabel.AUTO_PAUSED,
        delete_after_run=True,
        metadata={"priority": "low", "nested": {"a": [1, None, "ü"]}},
        policy=Policy(
            overlap=Overlap.CANCEL_PREVIOUS,
            on_miss=OnMiss.RUN_ALL,
            misfire_grace_seconds=0,
            useful_for_seconds=600,
            timeout_seconds=5,
            retries=3,
            retry_backoff=(1, 2, 3),
            jitter_seconds=30,
            queue_limit_seconds=10,
            auto_pause_after=0,
            retry_interrupted=True,
        ),
        fail_on=FailOn(output=("limit",), exit_codes=(0, 2), json={"a.b": (True, None)}),
    )

    @pytest.mark.parametrize(
        "spec",
        [
            replace(FULL, schedule=BY_RECORDED_RULES),
            replace(FULL, schedule=make_interval(90 * SECOND, NOON), off_label=None),
            replace(FULL, schedule=make_once(NOON + SECOND / 3), title=None, model=None),
            JobSpec(command="true", runner="shell", schedule=EVERY_MINUTE),
        ],
        ids=["cron", "every", "once", "defaults"],
    )
    def test_a_spec_comes_back_from_its_record_as_it_was(self, spec: JobSpec) -> None:
        text = json.dumps(spec_to_record(spec))
        assert spec_from_record(json.loads(text)) == spec

    def test_a_record_keeps_every_policy_there_is(self) -> None:
        assert set(spec_to_record(self.FULL)["policy"]) == set(Policy.__slots__)

    @pytest.mark.parametrize(
        ("times", "kept"), [(0, False), (False, False), (1, 1), (2, True), (True, True), (7, 7)]
    )
    def test_retries_of_interrupted_runs_are_recorded_as_older_versions_wrote_them(
        self, times: int, kept: bool | int
    ) -> None:
        spec = replace(self.FULL, policy=Policy(retry_interrupted=times))
        record = spec_to_record(spec)
        assert json.dumps(record["policy"]["retry_interrupted"]) == json.dumps(kept)
        assert spec_from_record(json.loads(json.dumps(record))) == spec

    def test_policies_that_an_older_record_lacks_get_their_defaults(self) -> None:
        record = spec_to_record(self.FULL)
        for name in ("jitter_seconds", "retry_interrupted"):
            del record["policy"][name]
        policy = spec_from_record(record).policy
        assert (policy.jitter_seconds, policy.retry_interrupted) == (0, False)

    def test_an_unknown_kind_of_schedule_is_not_read_as_another(self) -> None:
        with pytest.raises(ValueError, match="unknown schedule kind 'lunar'"):
            schedule_from_record({"kind": "lunar"})


class TestSpec:
    def spec(self, **fields: Any) -> JobSpec:
        return replace(JobSpec(command="true", runner="shell", schedule=EVERY_MINUTE), **fields)

    def test_priority_is_normal_unless_the_metadata_say_otherwise(self) -> None:
        assert self.spec().priority is Priority.NORMAL
        assert self.spec(metadata={"priority": "critical"}).priority is Priority.CRITICAL

    @pytest.mark.parametrize("key", ["session_id", "target_session", "target_session_id"])
    def test_a_job_is_bound_to_the_session_its_metadata_name(self, key: str) -> None:
        assert self.spec(metadata={key: "ses_1"}).session_id == "ses_1"
        assert self.spec(metadata={key: ""}).session_id is None
        assert self.spec(metadata={key: 5}).session_id is None

    @pytest.mark.parametrize(
        ("fields", "title"),
        [
            ({"title": "Backup", "metadata": {"title": "other"}}, "Backup"),
            ({"metadata": {"title": "From metadata"}}, "From metadata"),
            ({"command": "\n  echo one\necho two\n"}, "echo one"),
            ({"command": "x" * 61}, "x" * 59 + "…"),
            ({"command": "x" * 60}, "x" * 60),
        ],
    )
    def test_a_job_without_a_title_is_shown_by_its_first_line(
        self, fields: dict[str, Any], title: str
    ) -> None:
        assert self.spec(**fields).display_title == title

    def test_the_last_wait_between_attempts_repeats(self) -> None:
        policy = Policy(retry_backoff=(30, 60))
        waits = [policy.backoff(attempt).total_seconds() for attempt in (1, 2, 3, 9)]
        assert waits == [30, 60, 60, 60]


class TestDueTime:
    def test_a_job_is_due_at_its_next_slot_shifted_by_its_jitter(self) -> None:
        job = a_job(jitter_seconds=600)
        assert job.next_run_at is not None and job.due_at is not None
        assert timedelta(0) <= job.due_at - job.next_run_at == job.jitter < timedelta(minutes=10)
        assert replace(job, next_run_at=None).due_at is None

    def test_the_jitter_is_the_same_at_each_slot_and_differs_between_jobs(self) -> None:
        jitters = {
            replace(a_job(jitter_seconds=600), job_id=JobId(f"job_{n}")).jitter for n in range(50)
        }
        assert len(jitters) > 40
        assert a_job(jitter_seconds=600).jitter == a_job(jitter_seconds=600).jitter


class TestBoundary:
    """Where a version's expectation ends: after every decided slot, before every other."""

    def test_it_is_the_moment_of_the_edit_between_two_slots(self) -> None:
        assert a_job().boundary(NOON + 20 * SECOND) == NOON + 20 * SECOND

    def test_it_is_not_past_the_next_undecided_slot(self) -> None:
        job = a_job(jitter_seconds=3600)
        assert job.boundary(NOON + 90 * SECOND) == NOON + 59 * SECOND

    def test_it_is_not_before_the_latest_decided_slot_when_the_clock_was_set_back(self) -> None:
        job = replace(a_job(), next_run_at=NOON + 10 * MINUTE)
        assert job.boundary(NOON - timedelta(hours=1)) == NOON + 9 * MINUTE

    def test_it_is_not_before_the_version_began(self) -> None:
        assert a_job().boundary(NOON - timedelta(hours=1)) == NOON
        assert replace(a_job(), next_run_at=None).boundary(NOON - MINUTE) == NOON

    def test_a_job_that_expects_nothing_more_ends_now(self) -> None:
        assert replace(a_job(), next_run_at=None).boundary(NOON + MINUTE) == NOON + MINUTE

    def test_a_new_version_that_continues_begins_where_the_old_one_ends(self) -> None:
        job = a_job(jitter_seconds=3600)
        now = NOON + 90 * SECOND
        after = job.replaced_by(job.spec, now=now, next_run_at=job.next_run_at, continues=True)
        assert (after.version, after.effective_from) == (2, job.boundary(now))

    def test_a_new_version_that_begins_anew_expects_nothing_of_the_past(self) -> None:
        job = a_job(jitter_seconds=3600)
        now = NOON + 90 * SECOND
        after = job.replaced_by(job.spec, now=now, next_run_at=None, continues=False)
        assert after.effective_from == now

    def test_a_version_never_begins_before_the_one_it_replaces_ended(self) -> None:
        job = replace(a_job(), next_run_at=NOON + 10 * MINUTE)
        earlier = NOON - timedelta(hours=5)
        after = job.replaced_by(job.spec, now=earlier, next_run_at=None, continues=False)
        assert after.effective_from == NOON + 9 * MINUTE


class _Life:
    """A job's life on a wall clock that jumps, and what was decided under which version."""

    def __init__(self, schedule: Schedule, jitter_seconds: int) -> None:
        self.now = NOON
        self.job = a_job(schedule, jitter_seconds=jitter_seconds, misfire_grace_seconds=60)
        self.decided: list[datetime] = []
        self.closed: list[tuple[JobVersion, list[datetime]]] = []

    def decide(self) -> None:
        while self.job.due_at is not None and self.job.due_at <= self.now:
            assert self.job.next_run_at is not None
            spec = self.job.spec
            verdict = judge(
                spec.schedule,
                spec.policy,
                next_run_at=self.job.next_run_at,
                jitter=self.job.jitter,
                now=self.now,
            )
            for span in verdict.missed:
                self.decided += spec.schedule.slots(span.first_at - SECOND, span.last_at)
            self.decided += verdict.admit
            self.job = replace(self.job, next_run_at=verdict.next_run_at)

    def replace(self, spec: JobSpec, *, continues: bool) -> None:
        """As an edit does: what is due is decided first."""
        self.decide()
        job = self.job
        version = JobVersion(
            job_id=job.job_id,
            version=job.version,
            spec=job.spec,
            effective_from=job.effective_from,
            effective_until=job.boundary(self.now),
        )
        self.closed.append((version, self.decided))
        self.decided = []
        after = job.replaced_by(
            spec, now=self.now, next_run_at=job.next_run_at, continues=continues
        )
        if not continues:
            begin = after.effective_from
            first = spec.schedule.next_after(begin) if spec.enabled else None
            after = replace(after, next_run_at=first)
        self.job = after

    def rename(self) -> None:
        self.replace(replace(self.job.spec, title=f"v{self.job.version}"), continues=True)

    def switch(self) -> None:
        spec = self.job.spec
        self.replace(replace(spec, enabled=not spec.enabled), continues=False)

    def reschedule(self) -> None:
        every = timedelta(seconds=20 + self.job.version * 7)
        schedule = make_interval(every, self.now)
        self.replace(replace(self.job.spec, schedule=schedule), continues=False)


STEPS: dict[str, Callable[[_Life], None]] = {
    "decide": _Life.decide,
    "rename": _Life.rename,
    "switch": _Life.switch,
    "reschedule": _Life.reschedule,
}


@given(
    schedule=st.sampled_from([EVERY_MINUTE, make_cron("*/2 * * * *", "UTC")]),
    jitter_seconds=st.sampled_from([0, 45, 300]),
    steps=st.lists(
        st.tuples(
            st.sampled_from(sorted(STEPS)),
            st.one_of(st.integers(0, 130_000), st.integers(-900_000, 900_000)),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_versions_share_out_every_slot_whatever_the_wall_clock_does(
    schedule: Schedule, jitter_seconds: int, steps: list[tuple[str, int]]
) -> None:
    life = _Life(schedule, jitter_seconds)
    for step, milliseconds in steps:
        life.now += timedelta(milliseconds=milliseconds)
        STEPS[step](life)

    end = NOON
    for version, decided in life.closed:
        assert version.effective_from >= end
        assert version.effective_until is not None
        assert version.effective_until >= version.effective_from
        end = version.effective_until
        if version.spec.enabled:
            slots = version.spec.schedule.slots(version.effective_from, version.effective_until)
            assert list(slots) == decided
        else:
            assert decided == []
    assert life.job.effective_from >= end
    if life.job.next_run_at is not None:
        mark = life.job.next_run_at - SECOND
        assert list(life.job.spec.schedule.slots(life.job.effective_from, mark)) == life.decided
