import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from tests.store.making import (
    FIRST,
    MINUTE,
    NOON,
    PROCESS,
    SECOND,
    a_job,
    a_miss,
    admit,
    claim,
    decide,
    ended,
    events,
    finish,
    fresh,
    kinds,
    new_job,
    run_id,
    running,
    statuses,
    waiting,
)
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.run import RunId, RunStatus, Trigger
from universal_agent.domain.schedule import make_once
from universal_agent.domain.slot import SlotKey, Source, epoch
from universal_agent.domain.slot_overrides import OverrideKind, SlotOverride
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Admission

SECOND_SLOT = FIRST + MINUTE
THIRD_SLOT = SECOND_SLOT + MINUTE


async def skip(store: Store, slot: datetime) -> None:
    """Decide ahead of its time that a slot of job_a is not to run."""
    await store.write(
        verbs.slot_overrides.override_slot,
        SlotKey(Source.CRON, "job_a", slot),
        SlotOverride(kind=OverrideKind.SKIP),
        run_id=run_id(),
        by="ada",
        now=NOON,
    )


class TestDue:
    async def test_a_job_is_due_from_the_time_of_its_slot_on(self, store: Store) -> None:
        job = await a_job(store)
        before = await store.read(verbs.admission.due, until=FIRST - SECOND / 1000, limit=9)
        assert (before.jobs, before.next_at) == ((), FIRST)
        assert (await store.read(verbs.admission.due, until=FIRST, limit=9)).jobs == (job,)

    async def test_a_jitter_makes_it_due_later(self, store: Store) -> None:
        job = await a_job(store, jitter_seconds=600)
        assert job.due_at is not None
        assert (
            await store.read(verbs.admission.due, until=job.due_at - SECOND / 1000, limit=9)
        ).jobs == ()
        assert (await store.read(verbs.admission.due, until=job.due_at, limit=9)).jobs == (job,)

    async def test_the_earliest_come_first_and_no_more_than_asked_for(self, store: Store) -> None:
        for n in (3, 1, 2, 0):
            await a_job(store, f"job_{n}", schedule=make_once(NOON + n * MINUTE + SECOND))
        due = await store.read(verbs.admission.due, until=NOON + 10 * MINUTE, limit=3)
        assert [job.job_id for job in due.jobs] == ["job_0", "job_1", "job_2"]

    async def test_it_tells_when_to_look_again(self, store: Store) -> None:
        await a_job(store, "job_a", schedule=make_once(NOON + 5 * MINUTE))
        await a_job(store, "job_b", schedule=make_once(NOON + 3 * MINUTE))
        assert (
            await store.read(verbs.admission.due, until=NOON, limit=9)
        ).next_at == NOON + 3 * MINUTE

    async def test_with_nothing_planned_there_is_nothing_to_look_for(self, store: Store) -> None:
        due = await store.read(verbs.admission.due, until=NOON, limit=9)
        assert (due.jobs, due.next_at, due.starts, due.overdue, due.expired) == (
            (),
            None,
            False,
            False,
            False,
        )

    async def test_a_job_that_cannot_be_decided_is_looked_at_later(self, store: Store) -> None:
        job = await a_job(store)
        await store.write(verbs.admission.postpone, job, due_at=FIRST + MINUTE)
        assert (await store.read(verbs.admission.due, until=FIRST, limit=9)).jobs == ()
        due = await store.read(verbs.admission.due, until=FIRST + MINUTE, limit=9)
        assert [one.next_run_at for one in due.jobs] == [FIRST]

    async def test_a_job_that_changed_meanwhile_is_not_postponed(self, store: Store) -> None:
        job = await a_job(store)
        await store.write(verbs.admission.postpone, replace(job, version=7), due_at=FIRST + MINUTE)
        assert len((await store.read(verbs.admission.due, until=FIRST, limit=9)).jobs) == 1


class TestAdmit:
    async def test_a_slot_is_claimed_with_its_run_and_its_event_and_the_job_moves_on(
        self, store: Store
    ) -> None:
        job = await a_job(store)
        admission = await admit(store, decide(job))
        (claimed,) = admission.started
        run = await store.read(verbs.runs.get_run, claimed.run.run_id)
        assert run == claimed.run
        assert (run.status, run.scheduled_at, run.started_at, run.host, run.attempt) == (
            RunStatus.RUNNING,
            FIRST,
            FIRST,
            PROCESS.host,
            1,
        )
        assert (await fresh(store)).next_run_at == SECOND_SLOT
        event = (await events(store))[-1]
        assert event.type == "cron_run_started"
        assert event.data["next_run_at"] == epoch(SECOND_SLOT)
        assert event.data["run"]["event_id"] == f"cron|job_a|{epoch(FIRST)}"

    async def test_the_same_decision_twice_is_one_run(self, store: Store) -> None:
        job = await a_job(store)
        first, second = await admit(store, decide(job)), await admit(store, decide(job))
        assert (len(first.started), first.stale_count) == (1, 0)
        assert second == Admission(stale_count=1)
        assert len(await store.read(verbs.runs.list_runs, limit=9)) == 1

    async def test_of_many_schedulers_at_once_one_admits(self, store: Store) -> None:
        job = await a_job(store)
        admissions = await asyncio.gather(*(admit(store, decide(job)) for _ in range(20)))
        assert sum(len(one.started) for one in admissions) == 1
        assert sum(one.stale_count for one in admissions) == 19
        assert len(await store.read(verbs.runs.list_runs, limit=99)) == 1

    async def test_a_decision_about_another_version_does_nothing(self, store: Store) -> None:
        job = await a_job(store)
        assert await admit(store, decide(replace(job, version=2))) == Admission(stale_count=1)

    async def test_a_decision_about_a_deleted_job_does_nothing(self, store: Store) -> None:
        job = await a_job(store)
        assert await store.write(verbs.jobs.delete_job, job, closed_at=NOON, now=NOON)
        assert await admit(store, decide(job)) == Admission(stale_count=1)

    async def test_a_stale_decision_does_not_hold_up_the_others(self, store: Store) -> None:
        job_a, job_b = await a_job(store, "job_a"), await a_job(store, "job_b")
        await admit(store, decide(job_a))
        admission = await admit(store, decide(job_a), decide(job_b))
        assert [c.run.source_ref for c in admission.started] == ["job_b"]
        assert admission.stale_count == 1

    async def test_a_slot_that_was_claimed_before_is_not_claimed_again(self, store: Store) -> None:
        """Though the high-water mark says that it has not been decided."""
        job = await a_job(store, overlap="allow")
        late = replace(decide(job, SECOND_SLOT), next_run_at=FIRST)
        await admit(store, late)
        admission = await admit(store, decide(job, FIRST, SECOND_SLOT, THIRD_SLOT))
        assert [c.run.scheduled_at for c in admission.started] == [FIRST, THIRD_SLOT]

    async def test_the_mark_never_stands_on_a_slot_that_was_decided_ahead(
        self, store: Store
    ) -> None:
        """Or its time would come, nothing would be told, and who follows the log would wait."""
        job = await a_job(store)
        for slot in (SECOND_SLOT, THIRD_SLOT):
            await skip(store, slot)
        await admit(store, decide(job))
        assert (await fresh(store)).next_run_at == THIRD_SLOT + MINUTE
        assert (await events(store))[-1].data["next_run_at"] == epoch(THIRD_SLOT + MINUTE)

    async def test_so_it_is_when_the_next_slot_is_decided_ahead_last(self, store: Store) -> None:
        await a_job(store)
        for slot in (SECOND_SLOT, FIRST):
            await skip(store, slot)
        assert (await fresh(store)).next_run_at == THIRD_SLOT
        assert (await events(store))[-1].data["next_run_at"] == epoch(THIRD_SLOT)

    async def test_no_missed_span_has_a_slot_in_it_that_was_decided_ahead(
        self, store: Store
    ) -> None:
        """Nobody is asked about it again, and an early run is not run a second time."""
        job = await a_job(store)
        for minute in (1, 4, 5, 9):
            await skip(store, FIRST + minute * MINUTE)
        miss = a_miss(job, FIRST, FIRST + 9 * MINUTE)
        await admit(store, decide(job, missed=[miss]), now=FIRST + 9 * MINUTE)
        parts = await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9)
        spans = sorted((part.span.first_at, part.span.last_at, part.span.count) for part in parts)
        assert spans == [
            (FIRST + first * MINUTE, FIRST + last * MINUTE, number)
            for first, last, number in [(0, 0, 1), (2, 3, 2), (6, 8, 3)]
        ]
        assert miss.missed_id in {part.missed_id for part in parts}
        assert {part.outage_id for part in parts} == {miss.outage_id}

    async def test_a_span_of_nothing_else_is_none(self, store: Store) -> None:
        job = await a_job(store)
        for slot in (SECOND_SLOT, FIRST):
            await skip(store, slot)
        again = replace(job, next_run_at=THIRD_SLOT)
        miss = a_miss(again, FIRST, SECOND_SLOT)
        await admit(store, decide(again, THIRD_SLOT, missed=[miss]), now=THIRD_SLOT)
        assert (
            await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9) == []
        )

    async def test_when_workers_are_scarce_the_others_wait(self, store: Store) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(5)]
        admission = await admit(store, *map(decide, jobs), workers=2)
        assert (len(admission.started), admission.queued_count) == (2, 3)
        assert sorted(await statuses(store)) == ["queued"] * 3 + ["running"] * 2
        assert (await kinds(store))[-5:].count("run_queued") == 3

    async def test_when_workers_are_scarce_the_most_urgent_start_first(self, store: Store) -> None:
        jobs = [
            await a_job(store, f"job_{priority}", metadata={"priority": priority})
            for priority in ("low", "normal", "critical")
        ]
        admission = await admit(store, *map(decide, jobs), workers=1)
        assert [c.run.source_ref for c in admission.started] == ["job_critical"]

    async def test_a_lone_one_shot_moves_on_to_nothing(self, store: Store) -> None:
        job = await a_job(store, schedule=make_once(FIRST))
        await admit(store, decide(job))
        assert (await fresh(store)).next_run_at is None

    async def test_missed_spans_are_recorded_with_the_mark_in_the_same_breath(
        self, store: Store
    ) -> None:
        job = await a_job(store)
        miss = a_miss(job, FIRST, THIRD_SLOT)
        await admit(store, decide(job, THIRD_SLOT + MINUTE, missed=[miss]))
        assert await store.read(
            verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9
        ) == [miss]
        missed, started = (await events(store))[-2:]
        assert (missed.type, started.type) == ("cron_run_missed", "cron_run_started")
        assert (missed.data["count"], missed.data["event_id"]) == (
            3,
            f"cron|job_a|{epoch(THIRD_SLOT)}",
        )
        assert missed.data["next_run_at"] == epoch(THIRD_SLOT + 2 * MINUTE)

    async def test_a_stale_decision_records_no_miss(self, store: Store) -> None:
        job = await a_job(store)
        await admit(store, decide(job))
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        assert (
            await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9) == []
        )


class TestLateByPolicy:
    async def test_a_missed_slot_that_runs_by_policy_is_never_skipped(self, store: Store) -> None:
        job = await a_job(store, on_miss="run_latest")
        await running(store, job)
        job = await fresh(store)
        miss = a_miss(job, SECOND_SLOT, SECOND_SLOT, MissedStatus.APPROVED_AND_RUN)
        late = decide(job, SECOND_SLOT, missed=[miss], trigger=Trigger.CATCH_UP)
        admission = await admit(store, late, now=THIRD_SLOT)
        assert admission.queued_count == 1
        assert await statuses(store) == ["running", "queued"]

    async def test_it_waits_as_long_as_it_takes(self, store: Store) -> None:
        job = await a_job(store, on_miss="run_latest", queue_limit_seconds=1)
        miss = a_miss(job, FIRST, FIRST, MissedStatus.APPROVED_AND_RUN)
        late = decide(job, FIRST, missed=[miss], trigger=Trigger.CATCH_UP)
        await admit(store, late, workers=0, now=THIRD_SLOT)
        assert not (
            await store.read(verbs.admission.due, until=NOON + 600 * MINUTE, limit=0)
        ).overdue

    async def test_a_slot_that_is_on_time_is_not_skipped_for_it(self, store: Store) -> None:
        job = await a_job(store, on_miss="run_latest")
        miss = a_miss(job, FIRST, FIRST, MissedStatus.APPROVED_AND_RUN)
        late = decide(job, FIRST, missed=[miss], trigger=Trigger.CATCH_UP)
        on_time = decide(job, SECOND_SLOT).starts
        both = replace(late, starts=late.starts + on_time, next_run_at=THIRD_SLOT)
        admission = await admit(store, both, now=SECOND_SLOT)
        assert [c.run.scheduled_at for c in admission.started] == [SECOND_SLOT]
        settled = await finish(store, *admission.started, workers=1, now=SECOND_SLOT)
        assert [c.run.scheduled_at for c in settled.claimed] == [FIRST]

    @pytest.mark.parametrize("overlap", ["skip", "queue_one"])
    async def test_a_slot_on_time_starts_while_one_of_them_is_queued(
        self, store: Store, overlap: str
    ) -> None:
        job = await a_job(store, on_miss="run_latest", overlap=overlap)
        miss = a_miss(job, FIRST, FIRST, MissedStatus.APPROVED_AND_RUN)
        await admit(store, decide(job, FIRST, missed=[miss], trigger=Trigger.CATCH_UP), workers=0)
        admission = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        assert [c.run.scheduled_at for c in admission.started] == [SECOND_SLOT]

    async def test_a_worker_that_is_free_claims_slots_on_time_first(self, store: Store) -> None:
        late = await a_job(store, "late", on_miss="run_latest", metadata={"priority": "critical"})
        miss = a_miss(late, FIRST, FIRST, MissedStatus.APPROVED_AND_RUN)
        decision = decide(late, FIRST, missed=[miss], trigger=Trigger.CATCH_UP)
        await admit(store, decision, workers=0, now=THIRD_SLOT)
        on_time = await a_job(store, "on_time", metadata={"priority": "low"})
        await waiting(store, on_time, now=THIRD_SLOT)
        claimed = [(await claim(store, 1)).claimed[0].run.source_ref for _ in range(2)]
        assert claimed == ["on_time", "late"]

    async def test_all_of_them_run_one_after_another(self, store: Store) -> None:
        job = await a_job(store, on_miss="run_all", overlap="cancel_previous")
        miss = a_miss(job, FIRST, THIRD_SLOT, MissedStatus.APPROVED_AND_RUN)
        slots = (FIRST, SECOND_SLOT, THIRD_SLOT)
        late = decide(job, *slots, missed=[miss], trigger=Trigger.CATCH_UP)
        admission = await admit(store, late, now=THIRD_SLOT)
        assert await store.read(verbs.cancels.cancels_requested) == []
        ran = []
        claimed = admission.started
        while claimed:
            ran += [one.run.scheduled_at for one in claimed]
            assert len(claimed) == 1
            claimed = (await finish(store, *claimed, workers=8, now=THIRD_SLOT)).claimed
        assert ran == list(slots)


class TestExtraRun:
    async def test_it_waits_beside_the_schedule_and_takes_no_slot(self, store: Store) -> None:
        job = await a_job(store)
        extra = await store.write(verbs.admission.add_run, job, run_id(), now=NOON + SECOND)
        assert (extra.status, extra.has_slot, extra.scheduled_at) == (
            RunStatus.QUEUED,
            False,
            NOON + SECOND,
        )
        assert (await fresh(store)).next_run_at == FIRST
        assert (await events(store))[-1].data["run"]["event_id"] is None

    async def test_a_slot_that_comes_while_it_runs_overlaps(self, store: Store) -> None:
        job = await a_job(store)
        await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        await claim(store)
        assert (await admit(store, decide(job))).started == ()


async def test_a_failing_admission_takes_nothing_with_it(store: Store) -> None:
    """All of a commit or nothing: neither the mark, nor a slot, nor an event stays behind."""
    job, other = await a_job(store, "job_a"), await a_job(store, "job_b")
    await running(store, job)
    before = await kinds(store)
    clash = decide(other)
    taken = (await store.read(verbs.runs.list_runs, limit=1))[0].run_id
    clash = replace(clash, starts=(replace(clash.starts[0], run_id=taken),))
    with pytest.raises(Exception, match="UNIQUE"):
        await admit(store, decide(await a_job(store, "job_c")), clash)
    assert await kinds(store) == [*before, "job_created"]
    assert [(await fresh(store, ref)).next_run_at for ref in ("job_b", "job_c")] == [FIRST] * 2
    assert len(await store.read(verbs.runs.list_runs, limit=9)) == 1


async def test_a_job_made_with_another_jobs_id_is_refused(store: Store) -> None:
    await a_job(store)
    with pytest.raises(Exception, match="UNIQUE"):
        await store.write(verbs.jobs.create_job, new_job(command="other"), now=NOON)
    assert (await fresh(store)).spec.command == "true"


async def test_ends_and_claims_of_one_commit_do_not_mix_up_their_jobs(store: Store) -> None:
    job_a = await a_job(store, "job_a", overlap="queue_one")
    job_b = await a_job(store, "job_b", overlap="queue_one")
    a, b = await running(store, job_a), await running(store, job_b)
    wait_a = await waiting(store, await fresh(store, "job_a"), now=SECOND_SLOT)
    wait_b = await waiting(store, await fresh(store, "job_b"), now=SECOND_SLOT)
    settled = await store.write(
        verbs.execution.settle,
        [ended(a), ended(b)],
        free_workers=8,
        process=PROCESS,
        now=SECOND_SLOT,
    )
    claimed: set[RunId] = {one.run.run_id for one in settled.claimed}
    assert claimed == {wait_a, wait_b}
