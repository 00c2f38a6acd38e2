import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    PROCESS,
    SECOND,
    a_job,
    admit,
    claim,
    decide,
    ended,
    events,
    finish,
    fresh,
    interrupt,
    kinds,
    make_starts,
    new_job,
    run_id,
    running,
    switch_off,
    waiting,
)
from universal_agent.domain.event_types import RUN_ENDED
from universal_agent.domain.run import JobId, Run, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import make_once
from universal_agent.domain.slot import from_epoch
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Claimed

SECOND_SLOT = FIRST + MINUTE


async def the_run(store: Store, run: RunId) -> Run:
    found = await store.read(verbs.runs.get_run, run)
    assert found is not None
    return found


class TestClaim:
    async def test_a_waiting_run_is_marked_running_with_who_runs_it(self, store: Store) -> None:
        run = await waiting(store, await a_job(store))
        settled = await claim(store, now=FIRST + SECOND)
        (claimed,) = settled.claimed
        assert await the_run(store, run) == claimed.run
        assert (claimed.run.status, claimed.run.started_at, claimed.run.host) == (
            RunStatus.RUNNING,
            FIRST + SECOND,
            PROCESS.host,
        )
        assert (await kinds(store))[-1] == "run_started"
        assert not settled.more_queued

    async def test_each_run_is_claimed_by_one_of_many(self, store: Store) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(10)]
        await admit(store, *map(decide, jobs), workers=0)
        settled = await asyncio.gather(*(claim(store, 3) for _ in range(8)))
        claimed = [one.run.run_id for each in settled for one in each.claimed]
        assert len(claimed) == len(set(claimed)) == 10
        assert (await kinds(store)).count("run_started") == 10

    async def test_no_more_than_there_are_workers_for(self, store: Store) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(5)]
        await admit(store, *map(decide, jobs), workers=0)
        settled = await claim(store, 2)
        assert (len(settled.claimed), settled.more_queued) == (2, True)
        assert (await claim(store, 0)).claimed == ()

    async def test_the_most_urgent_start_first_and_then_the_oldest(self, store: Store) -> None:
        ranks = [("low", 1), ("normal", 3), ("critical", 3), ("normal", 2), ("critical", 2)]
        for priority, minute in ranks:
            job = await a_job(
                store,
                f"job_{priority}_{minute}",
                schedule=make_once(NOON + minute * MINUTE),
                metadata={"priority": priority},
            )
            await admit(store, decide(job), workers=0, now=NOON + 4 * MINUTE)
        started = [(await claim(store, 1)).claimed[0].run.source_ref for _ in ranks]
        assert started == ["job_critical_2", "job_critical_3", "job_normal_2", "job_normal_3",
                           "job_low_1"]  # fmt: skip

    async def test_a_job_runs_once_at_a_time(self, store: Store) -> None:
        job = await a_job(store)
        for _ in range(3):
            await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        first = await claim(store)
        assert len(first.claimed) == 1
        assert (await claim(store)).claimed == ()
        second = await finish(store, *first.claimed, workers=8)
        assert len(second.claimed) == 1

    async def test_a_job_with_many_waiting_runs_does_not_hold_up_another(
        self, store: Store
    ) -> None:
        job = await a_job(store, "job_many")
        for _ in range(20):
            await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        other = await store.write(
            verbs.admission.add_run, await a_job(store, "job_other"), run_id(), now=NOON + SECOND
        )
        settled = await claim(store, 4, now=NOON + SECOND)
        assert other.run_id in [one.run.run_id for one in settled.claimed]
        assert len(settled.claimed) == 2


class TestFinish:
    async def test_an_end_is_recorded_with_all_that_is_known_of_it(self, store: Store) -> None:
        claimed = await running(store, await a_job(store))
        end = replace(
            ended(claimed, RunStatus.ERROR, now=FIRST + 5 * SECOND, error="exit code 3"),
            exit_code=3,
            output_preview="héllo\n",
            started_at=FIRST + SECOND,
        )
        await store.write(
            verbs.execution.settle, [end], free_workers=0, process=PROCESS, now=FIRST + 6 * SECOND
        )
        run = await the_run(store, claimed.run.run_id)
        assert (run.status, run.error, run.exit_code, run.output_preview) == (
            RunStatus.ERROR,
            "exit code 3",
            3,
            "héllo\n",
        )
        assert (run.started_at, run.finished_at) == (FIRST + SECOND, FIRST + 5 * SECOND)
        event = (await events(store))[-1]
        assert (event.type, event.status) == ("cron_run_failed", "error")
        assert event.data["run"]["finished_at"] == (FIRST + 5 * SECOND).timestamp()

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (RunStatus.SUCCESS, "run_completed"),
            (RunStatus.ERROR, "run_failed"),
            (RunStatus.TIMEOUT, "run_failed"),
            (RunStatus.CANCELLED, "run_failed"),
        ],
    )
    async def test_the_event_says_how_it_ended(
        self, store: Store, status: RunStatus, kind: str
    ) -> None:
        await finish(store, await running(store, await a_job(store)), status=status)
        assert (await kinds(store))[-1] == kind

    async def test_of_many_ends_of_one_run_the_first_counts(self, store: Store) -> None:
        claimed = await running(store, await a_job(store))
        statuses = [RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.TIMEOUT]
        await asyncio.gather(*(finish(store, claimed, status=status) for status in statuses))
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.SUCCESS
        assert (await kinds(store))[2:] == ["run_completed"]
        assert (await fresh(store)).consecutive_failures == 0

    async def test_an_end_after_the_run_was_closed_changes_nothing(self, store: Store) -> None:
        """A gateway that was given up for dead comes back: its word does not count any more."""
        claimed = await running(store, await a_job(store))
        await interrupt(store, now=FIRST)
        before = await kinds(store)
        await finish(store, claimed)
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.INTERRUPTED
        assert await kinds(store) == before

    async def test_ends_and_the_next_starts_are_one_commit(self, store: Store) -> None:
        first = await running(store, await a_job(store, "job_a"))
        wait = await waiting(store, await a_job(store, "job_b"))
        settled = await finish(store, first, workers=1)
        assert [one.run.run_id for one in settled.claimed] == [wait]

    async def test_many_ends_are_each_recorded(self, store: Store) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(50)]
        admission = await admit(store, *map(decide, jobs), workers=50)
        await finish(store, *admission.started)
        assert {run.status for run in await store.read(verbs.runs.list_runs, limit=99)} == {
            RunStatus.SUCCESS
        }
        assert (await kinds(store)).count("run_completed") == 50


async def planned_retry(store: Store) -> datetime | None:
    """When the latest run that ended is tried again."""
    ends = [event for event in await events(store) if event.type in RUN_ENDED]
    retry_at = ends[-1].data.get("retry_at")
    return None if retry_at is None else from_epoch(retry_at)


class TestRetry:
    async def failed(self, store: Store, **policy: Any) -> Claimed:
        job = await a_job(store, **{"retries": 2, "retry_backoff": (30, 60), **policy})
        claimed = await running(store, job)
        await finish(store, claimed, status=RunStatus.ERROR)
        return claimed

    async def test_the_next_attempt_is_planned_after_the_wait(self, store: Store) -> None:
        claimed = await running(store, await a_job(store, retries=1, retry_backoff=(30,)))
        await finish(store, claimed, status=RunStatus.ERROR)
        assert (await events(store))[-1].data["retry_at"] == (FIRST + 30 * SECOND).timestamp()
        due = await store.read(verbs.admission.due, until=FIRST + 29 * SECOND, limit=9)
        assert (due.starts, due.next_at) == (False, FIRST + 30 * SECOND)
        assert (await store.read(verbs.admission.due, until=FIRST + 30 * SECOND, limit=9)).starts

    async def test_it_is_a_further_run_of_the_same_slot(self, store: Store) -> None:
        await self.failed(store)
        assert await make_starts(store, now=FIRST + 30 * SECOND) == 1
        (claimed,) = (await claim(store, now=FIRST + 30 * SECOND)).claimed
        assert (claimed.run.attempt, claimed.run.trigger, claimed.run.scheduled_at) == (
            2,
            Trigger.RETRY,
            FIRST,
        )

    async def test_each_attempt_waits_longer_and_the_last_one_is_the_last(
        self, store: Store
    ) -> None:
        await self.failed(store)
        await make_starts(store, now=FIRST + 30 * SECOND)
        (second,) = (await claim(store, now=FIRST + 30 * SECOND)).claimed
        await finish(store, second, status=RunStatus.ERROR, now=FIRST + 31 * SECOND)
        assert await planned_retry(store) == FIRST + 91 * SECOND
        await make_starts(store, now=FIRST + 91 * SECOND)
        (third,) = (await claim(store, now=FIRST + 91 * SECOND)).claimed
        await finish(store, third, status=RunStatus.ERROR, now=FIRST + 92 * SECOND)
        assert await planned_retry(store) is None
        assert not (await store.read(verbs.admission.due, until=NOON + 90 * MINUTE, limit=0)).starts

    async def test_it_is_made_once_by_many(self, store: Store) -> None:
        await self.failed(store)
        made = await asyncio.gather(
            *(make_starts(store, now=FIRST + 30 * SECOND) for _ in range(5))
        )
        assert sum(made) == 1
        assert len(await store.read(verbs.runs.list_runs, limit=9)) == 2

    @pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.TIMEOUT, RunStatus.CANCELLED])
    async def test_only_an_error_is_tried_again(self, store: Store, status: RunStatus) -> None:
        claimed = await running(store, await a_job(store, retries=3))
        await finish(store, claimed, status=status)
        assert await planned_retry(store) is None

    async def test_an_extra_run_is_not_tried_again(self, store: Store) -> None:
        await store.write(
            verbs.admission.add_run, await a_job(store, retries=3), run_id(), now=NOON
        )
        (claimed,) = (await claim(store)).claimed
        await finish(store, claimed, status=RunStatus.ERROR)
        assert await planned_retry(store) is None

    async def test_the_next_slot_cancels_it(self, store: Store) -> None:
        await self.failed(store, retry_backoff=(600,))
        await running(store, await fresh(store), now=SECOND_SLOT)
        assert await make_starts(store, now=NOON + HOUR) == 0

    async def test_the_next_slot_cancels_it_though_an_edit_took_the_retries_away(
        self, store: Store
    ) -> None:
        job = await a_job(store, retries=2, retry_backoff=(600,))
        claimed = await running(store, job)
        job, now = await fresh(store), FIRST + SECOND
        spec = replace(job.spec, policy=replace(job.spec.policy, retries=0))
        after = job.replaced_by(spec, now=now, next_run_at=job.next_run_at, continues=True)
        await store.write(
            verbs.jobs.update_job,
            after,
            replaces=job,
            closed_at=job.boundary(now),
            changed=["retries"],
            now=now,
        )
        await finish(store, claimed, status=RunStatus.ERROR, now=now)
        await running(store, await fresh(store), now=SECOND_SLOT)
        assert not (await store.read(verbs.admission.due, until=NOON + HOUR, limit=0)).starts

    async def test_switching_the_job_off_cancels_it(self, store: Store) -> None:
        await self.failed(store)
        await switch_off(store, await fresh(store), now=FIRST + SECOND)
        assert not (await store.read(verbs.admission.due, until=NOON + HOUR, limit=0)).starts

    async def test_a_job_that_was_switched_off_meanwhile_is_not_tried_again(
        self, store: Store
    ) -> None:
        claimed = await running(store, await a_job(store, retries=3))
        await switch_off(store, await fresh(store), now=FIRST + SECOND)
        await finish(store, claimed, status=RunStatus.ERROR, now=FIRST + 2 * SECOND)
        assert await planned_retry(store) is None

    async def test_one_that_is_late_beyond_the_grace_is_dropped(self, store: Store) -> None:
        """After a night off nobody asked for it any more; the failed attempt stands."""
        claimed = await self.failed(store)
        assert await make_starts(store, now=FIRST + HOUR) == 1
        assert (await claim(store, now=FIRST + HOUR)).claimed == ()
        assert not (await store.read(verbs.admission.due, until=NOON + 2 * HOUR, limit=0)).starts
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.ERROR


class TestDeleteAfterRun:
    async def one_shot(self, store: Store) -> Claimed:
        job = await a_job(store, schedule=make_once(FIRST), delete_after_run=True)
        return await running(store, job)

    async def test_a_one_shot_that_ran_well_is_deleted(self, store: Store) -> None:
        claimed = await self.one_shot(store)
        await finish(store, claimed)
        assert await store.read(verbs.jobs.get_job, JobId("job_a")) is None
        assert (await kinds(store))[-2:] == ["run_completed", "job_deleted"]
        assert (await the_run(store, claimed.run.run_id)).status is RunStatus.SUCCESS

    async def test_one_that_failed_is_kept_to_be_seen(self, store: Store) -> None:
        await finish(store, await self.one_shot(store), status=RunStatus.ERROR)
        assert (await fresh(store)).next_run_at is None

    async def test_one_that_was_moved_meanwhile_is_kept_for_its_new_time(
        self, store: Store
    ) -> None:
        claimed = await self.one_shot(store)
        job, now = await fresh(store), FIRST + SECOND
        schedule = make_once(FIRST + HOUR)
        spec = replace(job.spec, schedule=schedule)
        after = job.replaced_by(spec, now=now, next_run_at=schedule.run_at, continues=False)
        assert await store.write(
            verbs.jobs.update_job,
            after,
            replaces=job,
            closed_at=job.boundary(now),
            changed=["schedule"],
            now=now,
        )
        await finish(store, claimed, now=now)
        assert (await fresh(store)).next_run_at == schedule.run_at

    async def test_an_extra_run_does_not_delete_it(self, store: Store) -> None:
        job = await store.write(
            verbs.jobs.create_job,
            new_job(schedule=make_once(NOON + HOUR), delete_after_run=True),
            now=NOON,
        )
        await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        await finish(store, *(await claim(store)).claimed)
        assert (await fresh(store)).next_run_at == job.next_run_at


class TestRunLists:
    async def test_runs_come_newest_first_in_pages(self, store: Store) -> None:
        job = await a_job(store)
        made = [
            (await store.write(verbs.admission.add_run, job, run_id(), now=NOON)).run_id
            for _ in range(5)
        ]
        page = await store.read(verbs.runs.list_runs, limit=2)
        rest = await store.read(verbs.runs.list_runs, limit=9, before=page[-1].run_id)
        assert [run.run_id for run in (*page, *rest)] == made[::-1]

    async def test_they_can_be_had_by_job_and_by_status(self, store: Store) -> None:
        a = await running(store, await a_job(store, "job_a"))
        b = await waiting(store, await a_job(store, "job_b"))
        of_a = await store.read(verbs.runs.list_runs, job_id=JobId("job_a"), limit=9)
        queued = await store.read(verbs.runs.list_runs, statuses=[RunStatus.QUEUED], limit=9)
        none = await store.read(
            verbs.runs.list_runs, job_id=JobId("job_a"), statuses=[RunStatus.QUEUED], limit=9
        )
        assert [run.run_id for run in of_a] == [a.run.run_id]
        assert [run.run_id for run in queued] == [b]
        assert none == []

    async def test_a_run_that_never_was_is_none(self, store: Store) -> None:
        assert await store.read(verbs.runs.get_run, RunId("run_x")) is None
