"""Slots whose time has come and that have not started: their job ends, and they have an outcome."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.explain import explain
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import PAUSED, RESUMED, JobDraft
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import StasisAction
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, RecordingRunner

Change = Callable[[Gateway, Job], Awaitable[object]]


async def pause(gateway: Gateway, job: Job) -> None:
    await gateway.runtime.commands(job.source).edit(job.job_id, PAUSED)


async def disable(gateway: Gateway, job: Job) -> None:
    await gateway.runtime.commands(job.source).edit(job.job_id, JobDraft(enabled=False))


async def delete(gateway: Gateway, job: Job) -> None:
    await gateway.runtime.commands(job.source).delete(job.job_id)


async def reschedule(gateway: Gateway, job: Job) -> None:
    await gateway.runtime.jobs.edit(job.job_id, JobDraft(cron_expr="30 12 * * *"))


async def pause_and_resume(gateway: Gateway, job: Job) -> None:
    await pause(gateway, job)
    await gateway.runtime.jobs.edit(job.job_id, RESUMED)


ENDS = [
    pytest.param(pause, "paused", id="pause"),
    pytest.param(disable, "disabled", id="disable"),
    pytest.param(delete, "job_deleted", id="delete"),
    pytest.param(reschedule, "rescheduled", id="reschedule"),
    pytest.param(pause_and_resume, "paused", id="pause-and-resume"),
]


async def jittered(gateway: Gateway, every: str = "1m") -> Job:
    """A job whose starts are more than ten seconds after their slots' times."""
    while True:
        job = await gateway.create(every=every, jitter_seconds=40)
        if job.jitter > 10 * SECOND:
            return job
        await gateway.runtime.jobs.delete(job.job_id)


async def outcome(gateway: Gateway, job: Job, at: datetime) -> str:
    history = await gateway.store.read(
        verbs.ledger.slot_history, SlotKey(job.source, job.job_id, at)
    )
    explanation = explain(SlotKey(job.source, job.job_id, at), history, now=gateway.clock.now())
    return f"{explanation.outcome}: {explanation.sentences[-1]}"


class TestBetweenItsTimeAndItsShiftedStart:
    @pytest.mark.parametrize(("change", "reason"), ENDS)
    async def test_a_slot_is_expected_and_says_why_it_did_not_run(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        change: Change,
        reason: str,
    ) -> None:
        job = await jittered(gateway)
        slot = gateway.began + MINUTE
        await clock.advance(65)
        await change(gateway, job)
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.skipped) == (1, {reason: 1})
        assert (await outcome(gateway, job, slot)).startswith("skipped: It was skipped: the job")
        await clock.advance(300)
        assert slot not in runner.slots
        assert (await gateway.ledger(job)).unaccounted == []

    async def test_an_edit_that_keeps_the_schedule_keeps_the_slot(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await jittered(gateway)
        await clock.advance(65)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(command="other", every="60s"))
        await clock.advance(50)
        assert [request.command for request in runner.requests] == ["other"]
        assert runner.slots == slots_after(gateway.began, 1)

    async def test_a_one_shot_that_is_put_off_is_skipped_where_it_was(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        while (job := await gateway.create(run_at="1m", jitter_seconds=86_400)).jitter <= HOUR:
            await gateway.runtime.jobs.delete(job.job_id)  # the shift depends on the random id
        await clock.advance(65)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="1h", jitter_seconds=0))
        await clock.advance(7200)
        assert runner.slots == [gateway.began + HOUR + 65 * SECOND]
        ledger = await gateway.ledger(job)
        assert (ledger.ran, ledger.skipped) == ({"success": 1}, {"rescheduled": 1})

    async def test_many_slots_of_a_long_shift_are_all_closed(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1s", jitter_seconds=86_400)
        await clock.advance(30)
        await delete(gateway, job)
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.skipped) == (30, {"job_deleted": 30})


class TestMovedSlots:
    async def moved(self, gateway: Gateway, clock: ManualClock) -> Job:
        """A job whose first slot, of 12:01, was moved to 12:05; it is 12:02:30."""
        job = await gateway.create(every="1m")
        await self.move(gateway, job, gateway.began + MINUTE, gateway.began + 5 * MINUTE)
        await clock.advance(150)
        return job

    async def move(self, gateway: Gateway, job: Job, at: datetime, to: datetime) -> None:
        await gateway.runtime.slot_overrides.make(
            SlotKey(job.source, job.job_id, at),
            OverrideKind.MOVE,
            by="ada",
            move_to=to.timestamp(),
        )

    @pytest.mark.parametrize(("change", "reason"), ENDS)
    async def test_one_does_not_outlive_its_job(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        change: Change,
        reason: str,
    ) -> None:
        job = await self.moved(gateway, clock)
        await change(gateway, job)
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.skipped) == (2, {reason: 1})
        await clock.advance(600)
        assert gateway.began + MINUTE not in runner.slots
        ledger = await gateway.ledger(job)
        assert (ledger.skipped[reason], ledger.in_flight, ledger.unaccounted) == (1, 0, [])

    async def test_one_to_come_that_a_new_schedule_has_too_stays_moved(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(cron_expr="10 * * * *")
        slot = gateway.began + 10 * MINUTE
        await self.move(gateway, job, slot, slot + 2 * MINUTE)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(cron_expr="10,20 * * * *"))
        await clock.advance(11 * 60)
        assert runner.requests == []
        await clock.advance(120)
        assert runner.slots == [slot]
        assert (await gateway.ledger(job)).ran == {"success": 1}

    async def test_one_to_come_that_a_new_schedule_does_not_have_is_void(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(cron_expr="10 * * * *")
        slot = gateway.began + 10 * MINUTE
        await self.move(gateway, job, slot, slot + 2 * MINUTE)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(cron_expr="20 * * * *"))
        await clock.advance(30 * 60)
        assert runner.slots == [gateway.began + 20 * MINUTE]
        assert (await outcome(gateway, job, slot)).startswith("not_expected")

    async def test_one_runs_as_its_job_is_by_then(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await self.moved(gateway, clock)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(command="other", overlap="allow"))
        await clock.advance(151)
        late = [r for r in runner.requests if r.scheduled_at == gateway.began + MINUTE]
        assert [request.command for request in late] == ["other"]

    async def test_one_of_a_one_shot_keeps_the_job_until_it_has_run(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """An earlier miss that is approved is not the job's last run."""
        job = await gateway.create(run_at="1m", delete_after_run=True)
        await gateway.kill()
        clock.step(3600)
        await gateway.start()
        runner = gateway.runner
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(run_at="1h"))
        slot = gateway.began + 2 * HOUR
        await self.move(gateway, job, slot, slot + HOUR)
        (missed,) = await gateway.pending()
        await gateway.runtime.stasis.resolve(
            SlotKey(job.source, job.job_id, missed.span.last_at), StasisAction.APPROVE, by="ada"
        )
        await clock.advance(2 * 3600 + 60)
        assert runner.slots == [gateway.began + MINUTE, slot]
        assert await gateway.store.read(verbs.jobs.get_job, job.job_id) is None


class TestSlotsRunEarly:
    @pytest.mark.parametrize("change", [pause, disable, delete])
    async def test_one_that_waits_for_a_worker_is_cancelled_when_its_job_ends(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, change: Change
    ) -> None:
        runner.hold()
        job = await gateway.create(every="1m")
        await clock.advance(60)
        slot = SlotKey(job.source, job.job_id, gateway.began + 10 * MINUTE)
        await gateway.runtime.slot_overrides.make(slot, OverrideKind.RUN_EARLY, by="ada")
        await change(gateway, job)
        runner.release()
        await clock.advance(1200)
        assert runner.slots == slots_after(gateway.began, 1)
        assert sorted(await gateway.statuses(job)) == ["cancelled", "success"]


async def test_a_session_that_is_deleted_takes_its_moved_beat_with_it(
    gateway: Gateway, clock: ManualClock
) -> None:
    beats = await gateway.session()
    slot = SlotKey(beats.source, beats.job_id, gateway.began + MINUTE)
    await gateway.runtime.slot_overrides.make(
        slot, OverrideKind.MOVE, by="ada", move_to=(gateway.began + 5 * MINUTE).timestamp()
    )
    await clock.advance(150)
    await gateway.runtime.heartbeats.remove(beats.job_id)
    await clock.advance(600)
    assert slot.scheduled_at not in gateway.beats.slots
    ledger = await gateway.ledger(beats)
    assert (ledger.skipped["job_deleted"], ledger.unaccounted) == (1, [])


class TestWhatIsEqualChangesNothing:
    async def test_an_interval_that_is_re_applied_more_often_than_it_comes_runs(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="8s")
        before = await gateway.events()
        for _ in range(5):
            await clock.advance(5)
            again = await gateway.runtime.jobs.edit(
                job.job_id, JobDraft(every="8s", command="work")
            )
            assert again.version == 1
        assert runner.slots == slots_after(gateway.began, 3, 8 * SECOND)
        kinds = [event.type for event in (await gateway.events())[len(before) :]]
        assert "cron_job_updated" not in kinds

    async def test_another_zone_leaves_an_intervals_slots_where_they_are(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="8s")
        for number, zone in enumerate(("Asia/Tokyo", "Europe/Berlin", "UTC")):
            await clock.advance(5)
            fields = {"every": "8s", "timezone": zone}
            edited = await gateway.runtime.jobs.edit(job.job_id, JobDraft.of(fields))
            assert edited.version == number + 2
            assert (
                await gateway.runtime.jobs.edit(job.job_id, JobDraft.of(fields))
            ).version == edited.version
        await clock.advance(10)
        assert runner.slots == slots_after(gateway.began, 3, 8 * SECOND)
        assert (await gateway.ledger(job)).ran == {"success": 3}
