"""Jobs are edited, paused and deleted while their slots come due."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.job import Job, OffLabel
from universal_agent.domain.job_draft import DISABLED, PAUSED, RESUMED, JobDraft
from universal_agent.domain.run import JobId, RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.errors import (
    Conflict,
    InvalidInput,
    JobNotFound,
    StaleVersion,
    UniversalAgentError,
)
from universal_agent.testing import ManualClock, RecordingRunner


class TestAtTheVeryMoment:
    """The slot's time has come, and nobody has decided it yet."""

    async def due_now(self, gateway: Gateway, clock: ManualClock) -> Job:
        """A job whose slot is due this instant, with a scheduler that has not looked."""
        job = await gateway.create(every="1m")
        await clock.advance(59)
        clock.step(1)
        return job

    async def test_a_slot_that_is_due_runs_under_the_version_that_expected_it(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await self.due_now(gateway, clock)
        edited = await gateway.runtime.jobs.edit(job.job_id, JobDraft(command="other"))
        await clock.settle()
        assert [request.command for request in runner.requests] == ["work"]
        assert edited.next_run_at == gateway.began + 2 * MINUTE
        await clock.advance(60)
        assert [request.command for request in runner.requests] == ["work", "other"]

    @pytest.mark.parametrize(
        "change", [{"enabled": False}, {"cron_expr": "0 0 1 1 *"}, {"every": "7s"}]
    )
    async def test_it_is_not_lost_with_the_schedule_that_named_it(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        change: dict[str, object],
    ) -> None:
        job = await self.due_now(gateway, clock)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft.of(change))
        await clock.settle()
        assert runner.slots == [gateway.began + MINUTE]
        assert (await gateway.ledger()).unaccounted == []

    async def test_it_is_not_lost_with_its_job(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await self.due_now(gateway, clock)
        await gateway.runtime.jobs.delete(job.job_id)
        await clock.settle()
        assert runner.slots == [gateway.began + MINUTE]
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.unaccounted) == (1, [])

    async def test_edits_and_the_scheduler_at_once_decide_it_once(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", overlap="allow")
        for minute in range(1, 6):
            await clock.advance_to(gateway.began + minute * MINUTE - SECOND / 2)
            edits = [
                gateway.runtime.jobs.edit(job.job_id, JobDraft(title=f"{minute}.{n}"))
                for n in range(5)
            ]
            await asyncio.gather(clock.advance(0.5), *edits)
        await clock.settle()
        assert runner.slots == slots_after(gateway.began, 5)
        assert (await gateway.ledger()).unaccounted == []


class TestPause:
    async def test_slots_of_the_pause_are_not_expected_and_never_replayed(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        await clock.advance(150)
        paused = await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        assert (paused.next_run_at, paused.spec.off_label) == (None, OffLabel.PAUSED)
        await clock.advance(3600)
        resumed = await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        assert resumed.next_run_at == gateway.began + 63 * MINUTE
        await clock.advance(60)
        assert len(runner.requests) == 3
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.unaccounted) == (3, [])
        assert await gateway.pending() == []

    async def test_a_one_shot_whose_time_passed_in_the_pause_does_not_run(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="10m")
        await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        await clock.advance(1200)
        await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        await clock.advance(60)
        assert runner.requests == []
        assert (await gateway.ledger()).expected == 0

    async def test_a_run_in_execution_goes_on(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        runner.seconds = 30
        await clock.advance(61)
        await gateway.runtime.jobs.edit(job.job_id, DISABLED)
        await clock.advance(60)
        assert await gateway.statuses() == [RunStatus.SUCCESS]


class TestMovedOneShot:
    async def test_it_runs_again_when_it_is_moved_after_it_ran(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 6: the answer was 200, and it never ran again."""
        job = await gateway.create(run_at="1m")
        await clock.advance(120)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="5m"))
        await clock.advance(300)
        assert runner.slots == [gateway.began + MINUTE, gateway.began + 7 * MINUTE]
        assert (await gateway.ledger()).ran["success"] == 2

    async def test_it_runs_once_when_it_is_moved_before(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="1h")
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="1m"))
        await clock.advance(7200)
        assert runner.slots == [gateway.began + MINUTE]

    async def test_a_repeating_job_made_a_one_shot_of_now_runs_now(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        await clock.advance(60)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="now"))
        await clock.advance(7200)
        assert runner.slots == [gateway.began + MINUTE]
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.unaccounted) == (1, [])

    async def test_a_slot_is_never_expected_by_two_versions(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        await clock.advance(60)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="now"))
        await clock.advance(120)
        ledger = await gateway.ledger()
        assert (ledger.expected, len(runner.requests), ledger.unaccounted) == (1, 1, [])


class TestDelete:
    async def test_a_run_in_execution_ends_and_is_recorded(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        runner.seconds = 30
        await clock.advance(61)
        await gateway.runtime.jobs.delete(job.job_id)
        await clock.advance(300)
        assert await gateway.statuses() == [RunStatus.SUCCESS]
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["success"]) == (1, 1)

    async def test_a_kill_in_that_run_leaves_nothing_to_decide(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", retry_interrupted=True)
        runner.hold()
        await clock.advance(61)
        await gateway.runtime.jobs.delete(job.job_id)
        await gateway.kill()
        runner.release()
        await gateway.start()
        await clock.advance(60)
        assert await gateway.statuses() == [RunStatus.INTERRUPTED]
        assert await gateway.pending() == []
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_deleted_job_is_not_found(self, gateway: Gateway) -> None:
        job = await gateway.create()
        await gateway.runtime.jobs.delete(job.job_id)
        for again in (
            gateway.runtime.jobs.delete(job.job_id),
            gateway.runtime.jobs.edit(job.job_id, JobDraft(title="x")),
        ):
            with pytest.raises(JobNotFound):
                await again


class TestEdit:
    async def test_a_refused_edit_changes_nothing_at_all(self, gateway: Gateway) -> None:
        """Pitfall 5: the answer was 400, and the new expression was kept."""
        job = await gateway.create(cron_expr="0 9 * * *", timezone="Europe/Berlin")
        before = await gateway.kinds()
        with pytest.raises(InvalidInput):
            await gateway.runtime.jobs.edit(
                job.job_id, JobDraft(cron_expr="30 8 * * *", timezone="Mars/Olympus")
            )
        assert await gateway.job(job) == job
        assert await gateway.kinds() == before

    async def test_an_edit_of_an_older_version_is_refused(self, gateway: Gateway) -> None:
        job = await gateway.create()
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="new"), version=1)
        with pytest.raises(StaleVersion):
            await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="old"), version=1)

    async def test_an_edit_that_changes_nothing_makes_no_version(self, gateway: Gateway) -> None:
        job = await gateway.create(title="same")
        assert (await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="same"))).version == 1

    async def test_a_new_interval_counts_from_the_edit(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        await clock.advance(90)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(every="10s"))
        await clock.advance(30)
        assert runner.slots == slots_after(gateway.began + 90 * SECOND, 3, 10 * SECOND)

    async def test_a_job_that_was_never_is_not_found(self, gateway: Gateway) -> None:
        with pytest.raises(JobNotFound):
            await gateway.runtime.jobs.edit(JobId("job_x"), JobDraft(title="x"))


async def test_a_job_whose_next_slot_was_skipped_follows_a_new_schedule_at_once(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """A slot that was decided ahead of its time does not put off what an edit begins."""
    job = await gateway.create(every="1h")
    slot = SlotKey(Source.CRON, job.job_id, gateway.began + HOUR)
    await gateway.runtime.slot_overrides.make(slot, OverrideKind.SKIP, by="ada")
    await gateway.runtime.jobs.edit(job.job_id, JobDraft(every="1m"))
    await clock.advance(180)
    assert runner.slots == slots_after(gateway.began, 3)
    assert (await gateway.ledger()).unaccounted == []


async def test_storms_of_commands_leave_a_ledger_that_adds_up(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    jobs = gateway.runtime.jobs
    made = [await gateway.create(every="3s", overlap="queue_one") for _ in range(5)]
    runner.seconds = 2

    async def storm(number: int, job: Job) -> None:
        for step in range(6):
            await clock.sleep(0.5 + (number + step) % 3)
            try:
                await jobs.edit(job.job_id, JobDraft(title=f"{step}"))
                await jobs.edit(job.job_id, PAUSED)
                await clock.sleep(1)
                await jobs.edit(job.job_id, RESUMED)
                await jobs.run_now(job.job_id)
            except (Conflict, JobNotFound):
                continue

    storms = [asyncio.create_task(storm(number, job)) for number, job in enumerate(made)]
    await clock.advance(timedelta(minutes=1).total_seconds())
    outcomes = await asyncio.gather(*storms, return_exceptions=True)
    assert [one for one in outcomes if isinstance(one, UniversalAgentError | Exception)] == []
    starts = [(r.job_id, r.scheduled_at) for r in runner.requests if r.trigger == "schedule"]
    assert len(starts) == len(set(starts))
    assert (await gateway.ledger()).unaccounted == []
