import asyncio
from dataclasses import replace

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
    decide,
    delete,
    events,
    finish,
    fresh,
    interrupt,
    kinds,
    new_job,
    newest,
    run_id,
    running,
    switch_off,
    waiting,
)
from universal_agent.domain.job import Job, OffLabel
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.run import JobId, RunStatus, Trigger
from universal_agent.domain.schedule import make_cron, make_once
from universal_agent.domain.slot import Source
from universal_agent.errors import Conflict
from universal_agent.store import verbs
from universal_agent.store.store import Store


async def edit(store: Store, job: Job, command: str, *, job_now: Job | None = None) -> Job | None:
    """Give `job` another command, as somebody does who read it as it is given here."""
    spec = replace(job.spec, command=command)
    now = NOON + 10 * SECOND
    after = job.replaced_by(spec, now=now, next_run_at=job.next_run_at, continues=True)
    return await store.write(
        verbs.jobs.update_job,
        after,
        replaces=job,
        closed_at=job.boundary(now),
        changed=["command"],
        now=now,
    )


class TestCreate:
    async def test_a_job_comes_back_as_it_was_made(self, store: Store) -> None:
        made = new_job(
            schedule=make_cron("0 9 * * 1-5", "Europe/Berlin"),
            metadata={"priority": "low", "ü": [1, None]},
            jitter_seconds=600,
            retries=2,
        )
        assert await store.write(verbs.jobs.create_job, made, now=NOON) == made
        assert await fresh(store) == made

    async def test_a_session_has_beats_once_and_not_again_after_their_end(
        self, store: Store
    ) -> None:
        made = new_job("s1")
        made = replace(made, spec=replace(made.spec, source=Source.HEARTBEAT))
        await store.write(verbs.jobs.create_job, made, now=NOON)
        with pytest.raises(Conflict):
            await store.write(verbs.jobs.create_job, made, now=NOON)
        assert await delete(store, made)
        with pytest.raises(Conflict):
            await store.write(verbs.jobs.create_job, made, now=NOON)
        assert await store.read(verbs.jobs.get_job, made.job_id) is None

    async def test_its_making_is_in_the_log_with_all_that_it_is(self, store: Store) -> None:
        await a_job(store, user_id="ada", metadata={"session_id": "ses_1"})
        (event,) = await events(store)
        assert (event.type, event.source_ref, event.owner_id, event.session_id) == (
            "cron_job_created",
            "job_a",
            "ada",
            "ses_1",
        )
        assert event.data["job"]["spec"]["command"] == "true"

    async def test_a_job_that_nobody_made_is_none(self, store: Store) -> None:
        assert await store.read(verbs.jobs.get_job, JobId("job_x")) is None


class TestCounts:
    async def test_jobs_are_counted_and_so_are_those_that_are_enabled(self, store: Store) -> None:
        async def counts() -> tuple[int, int]:
            return await store.read(verbs.jobs.count_jobs), await store.read(
                verbs.jobs.count_enabled_jobs
            )

        assert await counts() == (0, 0)
        job = await a_job(store, "job_a")
        other = new_job("job_b")
        other = replace(other, spec=replace(other.spec, enabled=False), next_run_at=None)
        await store.write(verbs.jobs.create_job, other, now=NOON)
        assert await counts() == (2, 1)
        off = await switch_off(store, job, now=NOON + SECOND)
        assert await counts() == (2, 0)
        now = NOON + 2 * SECOND
        spec = replace(off.spec, enabled=True, off_label=None)
        on = off.replaced_by(spec, now=now, next_run_at=FIRST, continues=False)
        assert await store.write(
            verbs.jobs.update_job, on, replaces=off, closed_at=now, changed=["enabled"], now=now
        )
        assert await counts() == (2, 1)
        assert await delete(store, await fresh(store))
        assert await counts() == (1, 0)


class TestUpdate:
    async def test_a_new_version_takes_the_place_of_the_old_one(self, store: Store) -> None:
        job = await a_job(store)
        stored = await edit(store, job, "false")
        assert stored == await fresh(store)
        assert stored is not None
        assert (stored.version, stored.spec.command) == (2, "false")
        assert await kinds(store) == ["job_created", "job_updated"]

    async def test_of_many_edits_of_the_same_version_one_wins(self, store: Store) -> None:
        job = await a_job(store)
        stored = await asyncio.gather(*(edit(store, job, f"echo {n}") for n in range(10)))
        (winner,) = [one for one in stored if one is not None]
        assert await fresh(store) == winner
        assert await kinds(store) == ["job_created", "job_updated"]

    async def test_an_edit_loses_when_a_slot_was_decided_since_the_job_was_read(
        self, store: Store
    ) -> None:
        """Its high-water mark would go back, and the slot be decided a second time."""
        job = await a_job(store)
        await admit(store, decide(job))
        assert await edit(store, job, "false") is None
        assert (await fresh(store)).next_run_at == FIRST + MINUTE

    async def test_an_edit_waits_for_slots_that_are_due(self, store: Store) -> None:
        job = await a_job(store)
        spec = replace(job.spec, command="false")
        after = job.replaced_by(spec, now=FIRST, next_run_at=job.next_run_at, continues=True)
        stored = await store.write(
            verbs.jobs.update_job,
            after,
            replaces=job,
            closed_at=job.boundary(FIRST),
            changed=["command"],
            now=FIRST,
        )
        assert stored is None
        assert await fresh(store) == job

    async def test_a_deleted_job_cannot_be_edited(self, store: Store) -> None:
        job = await a_job(store)
        assert await delete(store, job)
        assert await edit(store, job, "false") is None

    async def test_a_run_keeps_the_spec_that_it_was_admitted_under(self, store: Store) -> None:
        job = await a_job(store)
        run = await waiting(store, job)
        now = FIRST + SECOND
        job = await fresh(store)
        spec = replace(job.spec, command="false")
        after = job.replaced_by(spec, now=now, next_run_at=job.next_run_at, continues=True)
        assert await store.write(
            verbs.jobs.update_job,
            after,
            replaces=job,
            closed_at=job.boundary(now),
            changed=["command"],
            now=now,
        )
        settled = await store.write(verbs.execution.claim, free_workers=1, process=PROCESS, now=now)
        assert [(c.run.run_id, c.spec.command) for c in settled.claimed] == [(run, "true")]

    async def test_a_job_that_is_switched_off_is_not_due(self, store: Store) -> None:
        job = await a_job(store)
        await switch_off(store, job, now=NOON + SECOND)
        due = await store.read(verbs.admission.due, until=NOON + 60 * MINUTE, limit=10)
        assert (due.jobs, due.next_at) == ((), None)


class TestDelete:
    async def test_a_deleted_job_is_gone_and_its_history_stays(self, store: Store) -> None:
        job = await a_job(store)
        await finish(store, await running(store, job))
        assert await delete(store, await fresh(store))
        assert await store.read(verbs.jobs.get_job, JobId("job_a")) is None
        assert await store.read(verbs.jobs.count_jobs) == 0
        assert [run.status for run in await store.read(verbs.runs.list_runs, limit=9)] == [
            RunStatus.SUCCESS
        ]
        assert (await kinds(store))[-1] == "job_deleted"

    async def test_of_many_deletions_one_wins(self, store: Store) -> None:
        job = await a_job(store)
        deleted = await asyncio.gather(*(delete(store, job) for _ in range(10)))
        assert deleted.count(True) == 1
        assert (await kinds(store)).count("job_deleted") == 1

    async def test_it_loses_when_a_slot_was_decided_since_the_job_was_read(
        self, store: Store
    ) -> None:
        job = await a_job(store)
        await admit(store, decide(job))
        assert not await delete(store, job)

    async def test_it_waits_for_slots_that_are_due(self, store: Store) -> None:
        job = await a_job(store)
        assert not await store.write(
            verbs.jobs.delete_job, job, closed_at=job.boundary(FIRST), now=FIRST
        )

    async def test_runs_that_wait_are_cancelled_and_none_starts(self, store: Store) -> None:
        job = await a_job(store)
        slot_run = await waiting(store, job)
        extra = await store.write(verbs.admission.add_run, job, run_id(), now=FIRST)
        job = await fresh(store)
        now = FIRST + SECOND
        assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)
        for waiting_run in (slot_run, extra.run_id):
            run = await store.read(verbs.runs.get_run, waiting_run)
            assert run is not None
            assert (run.status, run.reason) == (RunStatus.CANCELLED, "job_deleted")
        assert (
            await store.write(verbs.execution.claim, free_workers=8, process=PROCESS, now=now)
        ).claimed == ()

    async def test_a_run_in_execution_goes_on_to_its_recorded_end(self, store: Store) -> None:
        job = await a_job(store)
        claimed = await running(store, job)
        job = await fresh(store)
        now = FIRST + SECOND
        assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)
        await finish(store, claimed, now=now + SECOND)
        run = await store.read(verbs.runs.get_run, claimed.run.run_id)
        assert run is not None
        assert run.status is RunStatus.SUCCESS

    async def test_a_planned_retry_goes_with_the_job(self, store: Store) -> None:
        job = await a_job(store, retries=3)
        await finish(store, await running(store, job), status=RunStatus.ERROR)
        job = await fresh(store)
        now = FIRST + SECOND
        assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)
        due = await store.read(verbs.admission.due, until=NOON + 24 * 60 * MINUTE, limit=10)
        assert (due.starts, due.next_at) == (False, None)

    async def test_missed_slots_that_wait_are_closed_with_it(self, store: Store) -> None:
        job = await a_job(store)
        miss = a_miss(job, FIRST, FIRST + MINUTE)
        await admit(store, decide(job, missed=[miss]), now=FIRST + 2 * MINUTE - SECOND)
        job = await fresh(store)
        now = FIRST + 2 * MINUTE - SECOND
        assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)
        assert (
            await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9) == []
        )
        (closed,) = await store.read(
            verbs.stasis.missed_spans, status=MissedStatus.DELETED, limit=9
        )
        assert (closed.missed_id, closed.note) == (miss.missed_id, "the job was deleted")
        assert (await kinds(store))[-2:] == ["calendar_missed_resolved", "job_deleted"]

    async def test_a_run_interrupted_after_its_job_was_deleted_leaves_nothing_to_decide(
        self, store: Store
    ) -> None:
        job = await a_job(store)
        claimed = await running(store, job)
        job = await fresh(store)
        now = FIRST + SECOND
        assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now)
        await interrupt(store, now=now)
        run = await store.read(verbs.runs.get_run, claimed.run.run_id)
        assert run is not None
        assert run.status is RunStatus.INTERRUPTED
        assert (
            await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9) == []
        )


class TestListing:
    async def test_jobs_come_oldest_first_in_pages(self, store: Store) -> None:
        for n in range(7):
            await a_job(store, f"job_{n}")
        seen, cursor = [], None
        while True:
            page = await store.read(verbs.jobs.list_jobs, limit=3, cursor=cursor)
            assert page.total == 7
            seen += [job.job_id for job in page.jobs]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [f"job_{n}" for n in range(7)]

    async def test_a_page_that_ends_with_the_last_job_has_no_further_one(
        self, store: Store
    ) -> None:
        for n in range(3):
            await a_job(store, f"job_{n}")
        assert (await store.read(verbs.jobs.list_jobs, limit=3)).next_cursor is None

    async def test_one_owner_is_listed_alone(self, store: Store) -> None:
        await a_job(store, "job_a", user_id="ada")
        await a_job(store, "job_b", user_id="bob")
        page = await store.read(verbs.jobs.list_jobs, limit=9, owner_id="bob")
        assert ([job.job_id for job in page.jobs], page.total) == (["job_b"], 1)

    async def test_deleted_jobs_are_not_listed(self, store: Store) -> None:
        job = await a_job(store)
        await a_job(store, "job_b")
        await delete(store, job)
        page = await store.read(verbs.jobs.list_jobs, limit=9)
        assert ([job.job_id for job in page.jobs], page.total) == (["job_b"], 1)

    async def test_the_next_jobs_are_those_whose_slot_comes_first(self, store: Store) -> None:
        await a_job(store, "job_late", schedule=make_once(NOON + 90 * MINUTE))
        await a_job(store, "job_soon", schedule=make_once(NOON + 5 * MINUTE))
        await a_job(store, "job_past", schedule=make_once(NOON - MINUTE))
        jobs = await store.read(verbs.jobs.next_jobs, limit=9)
        assert [job.job_id for job in jobs] == ["job_soon", "job_late"]

    async def test_a_job_says_whether_it_is_running(self, store: Store) -> None:
        claimed = await running(store, await a_job(store))
        assert (await fresh(store)).running
        await finish(store, claimed)
        assert not (await fresh(store)).running


async def test_a_switch_off_keeps_its_label(store: Store) -> None:
    job = await switch_off(store, await a_job(store), now=NOON + SECOND)
    assert (await fresh(store)).spec.off_label is OffLabel.PAUSED
    assert (await events(store))[-1].status == "paused"
    assert job.next_run_at is None


async def test_a_verb_that_changes_nothing_logs_nothing(store: Store) -> None:
    job = await a_job(store)
    await admit(store, decide(job))
    before = await newest(store)
    assert await edit(store, job, "false") is None
    assert not await delete(store, job)
    assert (await admit(store, decide(job))).stale_count == 1
    waiting = await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
    before = await newest(store)
    await store.write(verbs.execution.requeue, [waiting], now=NOON)
    assert await newest(store) == before


async def test_the_trigger_says_why_a_run_exists(store: Store) -> None:
    job = await a_job(store)
    extra = await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
    assert (extra.trigger, extra.has_slot) == (Trigger.MANUAL, False)
