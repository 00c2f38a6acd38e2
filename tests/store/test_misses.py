import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    a_miss,
    admit,
    claim,
    decide,
    events,
    finish,
    fresh,
    interrupt,
    kinds,
    missed_ids,
    run_id,
    running,
    switch_off,
    waiting,
)
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import JobId, Run, RunId, RunStatus, Trigger
from universal_agent.domain.schedule import make_interval
from universal_agent.domain.slot import SlotKey, Source, epoch
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.errors import SlotNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Resolution

THE_SLOT = SlotKey(Source.CRON, "job_a", FIRST)


async def the_run(store: Store, run: RunId) -> Run:
    found = await store.read(verbs.runs.get_run, run)
    assert found is not None
    return found


async def pending(store: Store) -> list[MissedRecord]:
    return list(await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=99))


async def miss_queued(
    store: Store, *, now: datetime, after_grace: bool = False, number: int = 9
) -> int:
    return await store.write(
        verbs.misses.miss_queued,
        now=now,
        cause=Cause.PROCESS_DOWN if after_grace else Cause.CAPACITY,
        outage_id="out_1",
        missed_ids=missed_ids(number),
        after_grace=after_grace,
    )


async def approve(store: Store, *, now: datetime) -> RunId:
    """Have the slot at FIRST run after all."""
    resolution = Resolution(
        action=StasisAction.APPROVE, scope=Scope.SLOT, by="ada", run_id=run_id()
    )
    resolved = await store.write(
        verbs.stasis.resolve_missed, THE_SLOT, resolution, spare_ids=missed_ids(2), now=now
    )
    assert resolved.run is not None
    return resolved.run.run_id


class TestQueueLimit:
    async def test_a_slot_that_waited_too_long_is_missed_for_lack_of_capacity(
        self, store: Store
    ) -> None:
        wait = await waiting(store, await a_job(store, queue_limit_seconds=30))
        due = await store.read(verbs.admission.due, until=FIRST + 29 * SECOND, limit=0)
        assert (due.overdue, due.next_at) == (False, FIRST + 30 * SECOND)
        assert await miss_queued(store, now=FIRST + 29 * SECOND) == 0

        assert (await store.read(verbs.admission.due, until=FIRST + 30 * SECOND, limit=0)).overdue
        assert await miss_queued(store, now=FIRST + 30 * SECOND) == 1
        (missed,) = await pending(store)
        assert (missed.span.first_at, missed.span.last_at, missed.span.count) == (FIRST, FIRST, 1)
        assert (missed.cause, missed.outage_id) == (Cause.CAPACITY, "out_1")
        run = await the_run(store, wait)
        assert (run.status, run.reason) == (RunStatus.SKIPPED, "missed:capacity")
        assert (await claim(store)).claimed == ()
        assert not (await store.read(verbs.admission.due, until=NOON + HOUR, limit=0)).overdue

    async def test_the_log_tells_which_run_will_not_be(self, store: Store) -> None:
        """Whoever follows the log alone must not show it as waiting for ever."""
        wait = await waiting(store, await a_job(store, queue_limit_seconds=30))
        await miss_queued(store, now=FIRST + MINUTE)
        skipped, missed = (await events(store))[-2:]
        assert (skipped.type, missed.type) == ("cron_run_skipped", "cron_run_missed")
        assert (skipped.data["run"]["run_id"], skipped.data["run"]["status"]) == (wait, "skipped")

    async def test_of_a_claim_and_a_miss_one_wins(self, store: Store) -> None:
        wait = await waiting(store, await a_job(store, queue_limit_seconds=30))
        now = FIRST + MINUTE
        settled, missed = await asyncio.gather(claim(store, now=now), miss_queued(store, now=now))
        assert (len(settled.claimed), missed) in [(1, 0), (0, 1)]
        assert (await the_run(store, wait)).status in (RunStatus.RUNNING, RunStatus.SKIPPED)

    async def test_no_more_at_once_than_there_are_ids(self, store: Store) -> None:
        for n in range(5):
            await waiting(store, await a_job(store, f"job_{n}", queue_limit_seconds=30))
        now = FIRST + MINUTE
        counts = [await miss_queued(store, now=now, number=2) for _ in range(4)]
        assert counts == [2, 2, 1, 0]

    async def test_it_is_useful_for_as_long_as_its_job_says(self, store: Store) -> None:
        job = await a_job(store, queue_limit_seconds=30, useful_for_seconds=300)
        await waiting(store, job)
        await miss_queued(store, now=FIRST + MINUTE)
        (missed,) = await pending(store)
        assert missed.useful_until == FIRST + 300 * SECOND


class TestWaitingOverARestart:
    async def test_what_waits_longer_than_its_grace_is_not_started(self, store: Store) -> None:
        await waiting(store, await a_job(store, misfire_grace_seconds=60))
        assert await miss_queued(store, now=FIRST + 60 * SECOND, after_grace=True) == 0
        assert await miss_queued(store, now=FIRST + 61 * SECOND, after_grace=True) == 1
        (missed,) = await pending(store)
        assert missed.cause is Cause.PROCESS_DOWN

    async def test_what_an_operator_approved_goes_on_waiting(self, store: Store) -> None:
        job = await a_job(store)
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        run = await approve(store, now=FIRST + HOUR)
        assert await miss_queued(store, now=FIRST + 9 * HOUR, after_grace=True) == 0
        assert (await the_run(store, run)).status is RunStatus.QUEUED

    async def test_an_extra_run_that_is_too_late_is_cancelled_and_misses_nothing(
        self, store: Store
    ) -> None:
        extra = await store.write(verbs.admission.add_run, await a_job(store), run_id(), now=NOON)
        assert await miss_queued(store, now=NOON + HOUR, after_grace=True) == 1
        run = await the_run(store, extra.run_id)
        assert (run.status, run.reason) == (RunStatus.CANCELLED, "process_down")
        assert await pending(store) == []


class TestInterrupt:
    async def test_a_run_without_its_process_is_interrupted_and_waits_for_an_operator(
        self, store: Store
    ) -> None:
        claimed = await running(store, await a_job(store))
        closed = await interrupt(store, now=FIRST + HOUR)
        assert closed == (claimed.run.run_id,)
        run = await the_run(store, claimed.run.run_id)
        assert (run.status, run.finished_at) == (RunStatus.INTERRUPTED, FIRST + HOUR)
        (missed,) = await pending(store)
        assert (missed.cause, missed.span.last_at) == (Cause.INTERRUPTED, FIRST)
        assert (await kinds(store))[-2:] == ["run_failed", "run_missed"]

    async def test_each_is_interrupted_once(self, store: Store) -> None:
        await running(store, await a_job(store))
        closed = await asyncio.gather(*(interrupt(store) for _ in range(5)))
        assert sum(len(each) for each in closed) == 1
        assert len(await pending(store)) == 1

    async def test_no_more_at_once_than_there_are_ids(self, store: Store) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(5)]
        await admit(store, *map(decide, jobs))
        assert [len(await interrupt(store, number=2)) for _ in range(4)] == [2, 2, 1, 0]

    async def test_an_extra_run_is_interrupted_and_misses_nothing(self, store: Store) -> None:
        extra = await store.write(verbs.admission.add_run, await a_job(store), run_id(), now=NOON)
        await claim(store)
        assert await interrupt(store) == (extra.run_id,)
        assert await pending(store) == []

    async def test_what_waits_and_what_has_ended_is_left_alone(self, store: Store) -> None:
        await waiting(store, await a_job(store, "job_a"))
        await finish(store, await running(store, await a_job(store, "job_b")))
        assert await interrupt(store) == ()

    async def test_a_job_may_have_it_run_again_by_itself(self, store: Store) -> None:
        claimed = await running(store, await a_job(store, retry_interrupted=True))
        now = FIRST + SECOND
        await interrupt(store, now=now)
        assert await pending(store) == []
        assert (await store.read(verbs.admission.due, until=now, limit=0)).starts
        assert (
            await store.write(
                verbs.starts.make_starts,
                [run_id()],
                missed_ids=["m"],
                cause=Cause.PROCESS_DOWN,
                outage_id="out_1",
                now=now,
            )
            == 1
        )
        (again,) = (await claim(store, now=now)).claimed
        assert (again.run.attempt, again.run.scheduled_at) == (2, claimed.run.scheduled_at)

    @pytest.mark.parametrize("off", ["deleted", "switched off"])
    async def test_but_not_once_its_job_is_gone_or_off(self, store: Store, off: str) -> None:
        await running(store, await a_job(store, retry_interrupted=True))
        job, now = await fresh(store), FIRST + SECOND
        if off == "deleted":
            assert await store.write(
                verbs.jobs.delete_job, job, closed_at=job.boundary(now), now=now
            )
        else:
            await switch_off(store, job, now=now)
        await interrupt(store, now=now)
        assert not (await store.read(verbs.admission.due, until=NOON + HOUR, limit=0)).starts


class TestMissedAgain:
    """A slot that was missed, approved, and whose run then came to nothing."""

    async def approved_then_interrupted(self, store: Store) -> None:
        job = await a_job(store)
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        await approve(store, now=FIRST + SECOND)
        await claim(store, now=FIRST + SECOND)
        await interrupt(store, now=FIRST + 2 * SECOND)

    async def test_its_id_addresses_the_miss_that_waits(self, store: Store) -> None:
        await self.approved_then_interrupted(store)
        found = await store.read(verbs.stasis.find_missed, THE_SLOT)
        assert (found.cause, found.span.status) == (Cause.INTERRUPTED, MissedStatus.PENDING)

    async def test_it_can_be_approved_again_as_a_further_attempt(self, store: Store) -> None:
        await self.approved_then_interrupted(store)
        run = await the_run(store, await approve(store, now=FIRST + MINUTE))
        assert (run.attempt, run.trigger) == (2, Trigger.APPROVED)
        assert await pending(store) == []

    async def test_its_id_holds_though_the_schedule_changed_in_between(self, store: Store) -> None:
        job = await a_job(store)
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        job, now = await fresh(store), FIRST + SECOND
        spec = replace(job.spec, schedule=make_interval(timedelta(seconds=7), now))
        after = job.replaced_by(
            spec, now=now, next_run_at=spec.schedule.next_after(now), continues=False
        )
        assert await store.write(
            verbs.jobs.update_job,
            after,
            replaces=job,
            closed_at=job.boundary(now),
            changed=["schedule"],
            now=now,
        )
        await approve(store, now=now)
        await claim(store, now=now)
        await interrupt(store, now=now + SECOND)
        assert (await store.read(verbs.stasis.find_missed, THE_SLOT)).cause is Cause.INTERRUPTED

    async def test_the_ledger_counts_it_once_by_its_latest_miss(self, store: Store) -> None:
        await self.approved_then_interrupted(store)
        facts = await store.read(
            verbs.ledger.ledger_facts, start=NOON, end=FIRST, job_id=JobId("job_a")
        )
        latest, earlier = facts.missed
        assert (latest.cause, latest.status) == (Cause.INTERRUPTED, MissedStatus.PENDING)
        assert (earlier.cause, earlier.status) == (Cause.PROCESS_DOWN, "approved_and_run")


class TestFindMissed:
    async def test_any_slot_of_a_span_addresses_it(self, store: Store) -> None:
        job = await a_job(store)
        miss = a_miss(job, FIRST, FIRST + 9 * MINUTE)
        await admit(store, decide(job, missed=[miss]), now=FIRST + 9 * MINUTE)
        for minute in (0, 4, 9):
            key = SlotKey(Source.CRON, "job_a", FIRST + minute * MINUTE)
            assert (await store.read(verbs.stasis.find_missed, key)).missed_id == miss.missed_id

    @pytest.mark.parametrize("at", [FIRST + 30 * SECOND, FIRST - MINUTE, FIRST + 10 * MINUTE])
    async def test_a_time_that_is_no_missed_slot_addresses_none(
        self, store: Store, at: datetime
    ) -> None:
        job = await a_job(store)
        miss = a_miss(job, FIRST, FIRST + 9 * MINUTE)
        await admit(store, decide(job, missed=[miss]), now=FIRST + 9 * MINUTE)
        with pytest.raises(SlotNotFound):
            await store.read(verbs.stasis.find_missed, SlotKey(Source.CRON, "job_a", at))

    async def test_a_job_that_missed_nothing_has_none(self, store: Store) -> None:
        await a_job(store)
        with pytest.raises(SlotNotFound, match=str(epoch(FIRST))):
            await store.read(verbs.stasis.find_missed, THE_SLOT)
