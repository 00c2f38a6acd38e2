"""What the overlap policy makes of slots whose job has other runs."""

from tests.store.making import (
    FIRST,
    MINUTE,
    NOON,
    a_job,
    admit,
    claim,
    decide,
    events,
    finish,
    fresh,
    kinds,
    run_id,
    running,
    statuses,
    waiting,
)
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import epoch
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Admission
from universal_agent.store.verbs.admission import NEXT_SLOT

SECOND_SLOT = FIRST + MINUTE


THIRD_SLOT = SECOND_SLOT + MINUTE


class TestOverlapSkip:
    async def test_a_slot_is_skipped_while_the_job_runs(self, store: Store) -> None:
        job = await a_job(store)
        await running(store, job)
        admission = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        assert admission == Admission()
        assert await statuses(store) == ["running"]
        event = (await events(store))[-1]
        assert (event.type, event.data["reason"]) == ("cron_run_skipped", "overlap")
        assert event.data["scheduled_at"] == epoch(SECOND_SLOT)
        assert (await fresh(store)).next_run_at == THIRD_SLOT

    async def test_a_slot_is_skipped_while_another_waits_for_a_worker(self, store: Store) -> None:
        await waiting(store, await a_job(store))
        admission = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        assert (admission.started, admission.queued_count) == ((), 0)

    async def test_of_slots_decided_together_the_first_runs(self, store: Store) -> None:
        job = await a_job(store)
        admission = await admit(store, decide(job, FIRST, SECOND_SLOT, THIRD_SLOT))
        assert [c.run.scheduled_at for c in admission.started] == [FIRST]
        assert (await kinds(store))[-3:].count("run_skipped") == 2

    async def test_once_the_run_has_ended_the_next_slot_runs(self, store: Store) -> None:
        await finish(store, await running(store, await a_job(store)))
        admission = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        assert len(admission.started) == 1

    async def test_other_jobs_do_not_mind(self, store: Store) -> None:
        await running(store, await a_job(store, "job_a"))
        admission = await admit(store, decide(await a_job(store, "job_b")))
        assert len(admission.started) == 1


class TestOverlapQueueOne:
    async def test_one_slot_waits_and_further_ones_are_skipped(self, store: Store) -> None:
        job = await a_job(store, overlap="queue_one")
        await running(store, job)
        second = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        third = await admit(store, decide(await fresh(store)), now=THIRD_SLOT)
        assert (second.started, second.queued_count) == ((), 1)
        assert third == Admission()
        assert await statuses(store) == ["running", "queued"]

    async def test_the_one_that_waits_starts_as_the_other_ends(self, store: Store) -> None:
        job = await a_job(store, overlap="queue_one")
        claimed = await running(store, job)
        await waiting(store, await fresh(store), now=SECOND_SLOT)
        assert (await claim(store, now=SECOND_SLOT)).claimed == ()
        settled = await finish(store, claimed, workers=1, now=SECOND_SLOT)
        assert [c.run.scheduled_at for c in settled.claimed] == [SECOND_SLOT]


class TestOverlapAllow:
    async def test_slots_run_beside_each_other(self, store: Store) -> None:
        job = await a_job(store, overlap="allow")
        await running(store, job)
        await running(store, await fresh(store), now=SECOND_SLOT)
        assert await statuses(store) == ["running", "running"]

    async def test_waiting_slots_are_claimed_together(self, store: Store) -> None:
        job = await a_job(store, overlap="allow")
        await admit(store, decide(job, FIRST, SECOND_SLOT, THIRD_SLOT), workers=0)
        assert len((await claim(store, 2)).claimed) == 2


class TestOverlapCancelPrevious:
    async def test_the_running_one_is_to_be_cancelled_and_the_new_one_waits(
        self, store: Store
    ) -> None:
        job = await a_job(store, overlap="cancel_previous")
        previous = await running(store, job)
        admission = await admit(store, decide(await fresh(store)), now=SECOND_SLOT)
        assert await store.read(verbs.cancels.cancels_requested) == [
            (previous.run.run_id, NEXT_SLOT)
        ]
        assert (admission.started, admission.queued_count) == ((), 1)
        settled = await finish(
            store, previous, status=RunStatus.CANCELLED, workers=1, now=SECOND_SLOT
        )
        assert [c.run.scheduled_at for c in settled.claimed] == [SECOND_SLOT]

    async def test_one_that_still_waits_is_cancelled_where_it_is(self, store: Store) -> None:
        """Else they would pile up while the running one takes its time to stop."""
        job = await a_job(store, overlap="cancel_previous")
        previous = await running(store, job)
        second = await waiting(store, await fresh(store), now=SECOND_SLOT)
        await admit(store, decide(await fresh(store)), now=THIRD_SLOT)
        assert await store.read(verbs.cancels.cancels_requested) == [
            (previous.run.run_id, NEXT_SLOT)
        ]
        run = await store.read(verbs.runs.get_run, second)
        assert run is not None
        assert (run.status, run.reason) == (RunStatus.CANCELLED, "overlap")
        assert await statuses(store) == ["running", "cancelled", "queued"]

    async def test_of_slots_decided_together_the_latest_runs(self, store: Store) -> None:
        job = await a_job(store, overlap="cancel_previous")
        admission = await admit(store, decide(job, FIRST, SECOND_SLOT, THIRD_SLOT))
        assert [c.run.scheduled_at for c in admission.started] == [THIRD_SLOT]
        assert await store.read(verbs.cancels.cancels_requested) == []
        assert (await kinds(store))[-3:].count("run_skipped") == 2

    async def test_an_extra_run_that_waits_is_left_alone(self, store: Store) -> None:
        job = await a_job(store, overlap="cancel_previous")
        extra = await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        await admit(store, decide(job))
        run = await store.read(verbs.runs.get_run, extra.run_id)
        assert run is not None
        assert run.status is RunStatus.QUEUED
