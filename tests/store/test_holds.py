"""Jobs that fail repeatedly are held, probed and released."""

from datetime import datetime

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    admit,
    claim,
    decide,
    events,
    finish,
    fresh,
    kinds,
    make_starts,
    run_id,
    running,
)
from universal_agent.domain.job import OffLabel
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import make_interval
from universal_agent.domain.slot import epoch
from universal_agent.store import verbs
from universal_agent.store.store import Store

SECOND_SLOT = FIRST + MINUTE


class TestAutoPause:
    async def fail(self, store: Store, *, number: int = 1, now: datetime = FIRST) -> None:
        for n in range(number):
            claimed = await running(store, await fresh(store), now=now + n * MINUTE)
            await finish(store, claimed, status=RunStatus.ERROR, now=now + n * MINUTE)

    async def test_a_job_that_fails_and_fails_is_held_and_says_why(self, store: Store) -> None:
        await a_job(store, auto_pause_after=3)
        await self.fail(store, number=3)
        job = await fresh(store)
        assert (job.spec.enabled, job.spec.off_label) == (True, OffLabel.AUTO_PAUSED)
        assert job.next_run_at == FIRST + 3 * MINUTE
        assert job.probe_at == FIRST + 17 * MINUTE
        assert (await events(store))[-1].status == "auto_paused"
        assert await store.read(verbs.jobs.held_jobs) == [job.job_id]

    async def test_its_slots_are_skipped_until_one_runs_as_a_probe(self, store: Store) -> None:
        await a_job(store, auto_pause_after=1)
        await self.fail(store)
        for minute in range(1, 15):
            now = FIRST + minute * MINUTE
            assert (await admit(store, decide(await fresh(store)), now=now)).started == ()
        now = FIRST + 15 * MINUTE
        probe = await running(store, await fresh(store), now=now)
        facts = await store.read(
            verbs.ledger.ledger_facts, start=FIRST, end=now - SECOND, job_id=None
        )
        assert {(slot.outcome, slot.reason) for slot in facts.slots} == {("skipped", "breaker")}
        await finish(store, probe, now=now)
        job = await fresh(store)
        assert (job.spec.off_label, job.probe_at, job.consecutive_failures) == (None, None, 0)
        assert (await events(store))[-1].data["reason"] == "a run went well"
        await running(store, job, now=now + MINUTE)

    async def test_each_probe_that_fails_makes_the_next_one_wait_longer(self, store: Store) -> None:
        await a_job(store, auto_pause_after=1)
        await self.fail(store)
        waits = []
        for _ in range(4):
            job = await fresh(store)
            assert job.probe_at is not None
            probe_at = job.probe_at
            admission = await admit(store, decide(job, probe_at), now=probe_at)
            await finish(store, *admission.started, status=RunStatus.ERROR, now=probe_at)
            later = (await fresh(store)).probe_at
            assert later is not None
            waits.append((later - probe_at) // MINUTE)
        assert waits == [30, 60, 120, 240]

    async def test_a_job_that_comes_seldom_skips_a_slot_between_two_probes(
        self, store: Store
    ) -> None:
        schedule = make_interval(24 * HOUR, NOON)
        job = await a_job(store, schedule=schedule, auto_pause_after=1)
        day = NOON + 24 * HOUR
        await finish(store, await running(store, job, now=day), status=RunStatus.ERROR, now=day)
        assert (await admit(store, decide(await fresh(store)), now=day + 24 * HOUR)).started == ()
        now = day + 48 * HOUR
        assert len((await admit(store, decide(await fresh(store)), now=now)).started) == 1

    async def test_of_slots_that_come_together_one_is_the_probe(self, store: Store) -> None:
        await a_job(store, auto_pause_after=1, overlap="allow")
        await self.fail(store)
        slots = [FIRST + minute * MINUTE for minute in range(20, 25)]
        admission = await admit(store, decide(await fresh(store), *slots), now=slots[-1])
        assert [claimed.run.scheduled_at for claimed in admission.started] == slots[-1:]

    async def test_slots_count_and_not_their_attempts(self, store: Store) -> None:
        """An outage of three slots paused a job with three retries, which allows ten."""
        await a_job(store, auto_pause_after=3, retries=3, retry_backoff=(1,))
        for slot in range(3):
            assert (await fresh(store)).consecutive_failures == slot
            now = FIRST + slot * MINUTE
            await self.fail(store, now=now)
            for attempt in range(1, 4):
                assert (await fresh(store)).spec.off_label is None
                now = FIRST + slot * MINUTE + attempt * 2 * SECOND
                await make_starts(store, now=now)
                (again,) = (await claim(store, now=now)).claimed
                await finish(store, again, status=RunStatus.ERROR, now=now)
        job = await fresh(store)
        assert (job.spec.off_label, job.consecutive_failures) == (OffLabel.AUTO_PAUSED, 3)

    async def test_a_slot_whose_retry_was_dropped_counts(self, store: Store) -> None:
        await a_job(store, auto_pause_after=2, retries=3, retry_backoff=(600,))
        await self.fail(store, number=3)
        job = await fresh(store)
        assert (job.spec.off_label, job.consecutive_failures) == (OffLabel.AUTO_PAUSED, 2)

    async def test_a_run_that_a_person_asked_for_counts_only_when_it_goes_well(
        self, store: Store
    ) -> None:
        await a_job(store, auto_pause_after=2)
        for status, held in [(RunStatus.ERROR, False), (RunStatus.ERROR, False)]:
            await store.write(verbs.admission.add_run, await fresh(store), run_id(), now=NOON)
            (extra,) = (await claim(store)).claimed
            await finish(store, extra, status=status)
            assert (await fresh(store)).spec.is_held is held
        await self.fail(store, number=2)
        assert (await fresh(store)).spec.is_held
        await store.write(
            verbs.admission.add_run, await fresh(store), run_id(), now=FIRST + 2 * MINUTE
        )
        (extra,) = (await claim(store, now=FIRST + 2 * MINUTE)).claimed
        await finish(store, extra, now=FIRST + 2 * MINUTE)
        job = await fresh(store)
        assert (job.spec.is_held, job.consecutive_failures) == (False, 0)

    async def test_a_run_that_was_cancelled_says_nothing_about_its_job(self, store: Store) -> None:
        await a_job(store, auto_pause_after=9)
        await self.fail(store, number=2)
        now = FIRST + 2 * MINUTE
        claimed = await running(store, await fresh(store), now=now)
        await finish(store, claimed, status=RunStatus.CANCELLED, now=now)
        assert (await fresh(store)).consecutive_failures == 2

    async def test_a_held_job_that_is_deleted_is_not_held_any_more(self, store: Store) -> None:
        await a_job(store, auto_pause_after=1)
        await self.fail(store)
        job = await fresh(store)
        assert await store.write(
            verbs.jobs.delete_job, job, closed_at=job.boundary(FIRST), now=FIRST
        )
        assert await store.read(verbs.jobs.held_jobs) == []

    async def test_one_success_in_between_starts_the_count_anew(self, store: Store) -> None:
        await a_job(store, auto_pause_after=3)
        await self.fail(store, number=2)
        now = FIRST + 2 * MINUTE
        await finish(store, await running(store, await fresh(store), now=now), now=now)
        await self.fail(store, number=2, now=FIRST + 3 * MINUTE)
        job = await fresh(store)
        assert (job.spec.enabled, job.consecutive_failures) == (True, 2)

    async def test_with_zero_a_job_is_never_paused(self, store: Store) -> None:
        await a_job(store, auto_pause_after=0)
        await self.fail(store, number=15)
        assert not (await fresh(store)).spec.is_held

    async def test_it_waits_for_the_retries(self, store: Store) -> None:
        await a_job(store, auto_pause_after=1, retries=1)
        await self.fail(store)
        assert not (await fresh(store)).spec.is_held
        await make_starts(store, now=FIRST + 30 * SECOND)
        await finish(store, *(await claim(store)).claimed, status=RunStatus.ERROR)
        assert (await fresh(store)).spec.is_held

    async def test_a_slot_that_came_due_meanwhile_is_expected_and_skipped(
        self, store: Store
    ) -> None:
        await a_job(store, auto_pause_after=1)
        claimed = await running(store, await fresh(store))
        await finish(store, claimed, status=RunStatus.ERROR, now=SECOND_SLOT + SECOND)
        await admit(store, decide(await fresh(store)), now=SECOND_SLOT + SECOND)
        facts = await store.read(
            verbs.ledger.ledger_facts, start=NOON, end=NOON + HOUR, job_id=None
        )
        first, second = sorted(facts.versions, key=lambda version: version.version)
        assert first.effective_until == second.effective_from < SECOND_SLOT
        assert second.spec.enabled
        assert [(slot.scheduled_at, slot.outcome, slot.reason) for slot in facts.slots][1:] == [
            (epoch(SECOND_SLOT), "skipped", "breaker")
        ]

    async def test_several_failures_of_one_commit_pause_it_once(self, store: Store) -> None:
        job = await a_job(store, overlap="allow", auto_pause_after=2)
        slots = (FIRST, SECOND_SLOT, SECOND_SLOT + MINUTE)
        admission = await admit(store, decide(job, *slots))
        await finish(store, *admission.started, status=RunStatus.ERROR)
        assert (await kinds(store)).count("job_updated") == 1
        assert (await fresh(store)).spec.is_held
