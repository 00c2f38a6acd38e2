"""The clock ran ahead and was set back: what was judged of slots to come is judged again."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from tests.integration.stand_in import stand_in
from universal_agent.domain.events import Event
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import PAUSED, RESUMED, JobDraft
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, RecordingRunner

#: Seconds within which a jump is noticed.
NOTICED = 2

DAY = timedelta(days=1)

Wrong = Callable[[Gateway, ManualClock, timedelta], Awaitable[None]]


async def while_running(gateway: Gateway, clock: ManualClock, by: timedelta) -> None:
    """The clock is set, ahead or back, under a gateway that runs."""
    clock.step(by.total_seconds())
    await clock.advance(NOTICED)


async def at_a_start(gateway: Gateway, clock: ManualClock, by: timedelta) -> None:
    """The gateway dies, and is started with a clock that is set otherwise."""
    await gateway.kill()
    clock.step(by.total_seconds())
    await gateway.start()
    await clock.advance(NOTICED)


def runs_of(gateway: Gateway) -> set[tuple[str, datetime]]:
    """Slots that have run, in any life of the gateway."""
    return {(run.job_id, run.scheduled_at) for run in gateway.runner.requests}


async def events_of(gateway: Gateway, kind: str) -> list[Event]:
    return [event for event in await gateway.events() if event.type == kind]


async def starts(gateway: Gateway, job: Job) -> list[datetime]:
    """The times of all slots of a job that have run, oldest first."""
    return sorted(run.scheduled_at for run in await gateway.runs(job) if run.started_at)


@pytest.mark.parametrize("wrong", [while_running, at_a_start])
class TestAJobGoesOn:
    @pytest.mark.parametrize("ahead", [HOUR, 400 * DAY], ids=["an-hour", "a-year"])
    @pytest.mark.parametrize("on_miss", ["ask", "run_latest", "run_all", "skip"])
    async def test_as_soon_as_the_clock_is_right(
        self, gateway: Gateway, clock: ManualClock, wrong: Wrong, ahead: timedelta, on_miss: str
    ) -> None:
        job = await gateway.create(every="10m", on_miss=on_miss)
        await clock.advance(25 * 60)
        await wrong(gateway, clock, ahead)
        await clock.advance(60)
        late = await starts(gateway, job)
        await wrong(gateway, clock, -ahead)
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        expected = [gateway.began + n * 10 * MINUTE for n in range(1, 7)]
        ran = await starts(gateway, job)
        assert [at for at in ran if at <= clock.now()] == expected
        assert sorted(ran) == sorted(set(ran)), "nothing runs twice"
        assert set(late) <= set(ran)
        ledger = await gateway.ledger(job)
        assert ledger.ran["success"] + ledger.missed["approved_and_run"] == ledger.expected == 6
        assert ledger.unaccounted == []
        assert await gateway.pending() == []

    async def test_and_keeps_the_outcome_of_slots_that_have_passed_by_the_right_clock_too(
        self, gateway: Gateway, clock: ManualClock, wrong: Wrong
    ) -> None:
        job = await gateway.create(every="1m")
        await clock.advance(30)
        await wrong(gateway, clock, HOUR)
        await clock.advance(600)  # 12:01 to 12:10 by the right clock: nobody knew
        await wrong(gateway, clock, -HOUR)
        (missed,) = await gateway.pending()
        assert missed.span.first_at == gateway.began + MINUTE
        assert missed.span.last_at == gateway.began + 10 * MINUTE
        assert (missed.span.count, missed.cause == Cause.INTERRUPTED) == (10, False)
        await clock.advance(120)
        ledger = await gateway.ledger(job)
        assert (ledger.ran["success"], ledger.missed, ledger.unaccounted) == (
            2,
            {"pending": 10},
            [],
        )

    async def test_and_its_one_shot_of_the_wrong_future_runs_at_its_time(
        self, gateway: Gateway, clock: ManualClock, wrong: Wrong
    ) -> None:
        job = await gateway.create(run_at="30m", delete_after_run=True)
        await clock.advance(60)
        await wrong(gateway, clock, HOUR)
        assert len(await gateway.pending()) == 1
        await wrong(gateway, clock, -HOUR)
        assert await gateway.pending() == []
        await clock.advance(1800)
        assert await starts(gateway, job) == [gateway.began + 30 * MINUTE]
        assert await gateway.store.read(verbs.jobs.get_job, job.job_id) is None

    async def test_and_people_are_told_once(
        self, gateway: Gateway, clock: ManualClock, wrong: Wrong
    ) -> None:
        for _ in range(3):
            await gateway.create(every="10m")
        await clock.advance(20)
        await wrong(gateway, clock, HOUR)
        await wrong(gateway, clock, -HOUR)
        await clock.advance(60)
        (told,) = await events_of(gateway, "clock_set_back")
        assert (told.data["jobs"], told.data["slots"]) == (3, 15)
        (notification,) = [
            one
            for one in await gateway.store.read(verbs.notifications.list_notifications, limit=100)
            if one.kind == "clock_set_back"
        ]
        assert "3 jobs were planned again: 15 slots are expected again" in notification.message
        (misses,) = [
            one
            for one in await gateway.store.read(verbs.notifications.list_notifications, limit=9)
            if one.kind == "missed"
        ]
        assert (misses.is_open, misses.status) == (False, "read")
        again = await events_of(gateway, "calendar_replanned")
        assert len({event.source_ref for event in again}) == 3

    async def test_and_beats_do_too(
        self, gateway: Gateway, clock: ManualClock, wrong: Wrong
    ) -> None:
        beats = await gateway.session()
        await clock.advance(90)
        await wrong(gateway, clock, 30 * DAY)
        await wrong(gateway, clock, -30 * DAY)
        await clock.advance(120)
        assert len([at for at in await starts(gateway, beats) if at <= clock.now()]) == 3
        assert (await gateway.ledger(beats)).unaccounted == []


class TestWhatStands:
    async def test_what_ran_ahead_of_its_time_is_not_run_again(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m", overlap="allow", misfire_grace_seconds=600)
        await clock.advance(30)
        clock.step(300)  # all within their grace
        await clock.advance(NOTICED)
        clock.step(-300)
        await clock.advance(600)
        assert runner.slots == slots_after(gateway.began, 10)

    async def test_skips_for_overlap_ahead_of_time_are_withdrawn(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", misfire_grace_seconds=600)
        await clock.advance(30)
        clock.step(300)
        await clock.advance(NOTICED)
        assert len(runner.slots) == 1, "the others are skipped for overlap"
        clock.step(-300)
        await clock.advance(600)
        assert sorted(runner.slots) == slots_after(gateway.began, 10)
        ledger = await gateway.ledger(job)
        assert (ledger.ran, ledger.skipped, ledger.unaccounted) == ({"success": 10}, {}, [])

    @pytest.mark.parametrize("action", [StasisAction.APPROVE, StasisAction.RESCHEDULE])
    async def test_an_approved_or_rescheduled_slot_is_not_run_at_its_time_too(
        self, gateway: Gateway, clock: ManualClock, action: StasisAction
    ) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(60)
        clock.step(3600)
        await clock.advance(NOTICED)
        slot = SlotKey(job.source, job.job_id, gateway.began + 30 * MINUTE)
        await gateway.runtime.stasis.resolve(slot, action, scope=Scope.SLOT, by="ada")
        await clock.advance(10)
        clock.step(-3600)
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        ran = await starts(gateway, job)
        approved = action is StasisAction.APPROVE
        expected = [n for n in range(1, 7) if n != 3 or approved]
        assert ran == [gateway.began + n * 10 * MINUTE for n in expected]
        ledger = await gateway.ledger(job)
        assert (sum(ledger.ran.values()) + sum(ledger.missed.values()), ledger.unaccounted) == (
            6,
            [],
        )

    async def test_misses_that_a_person_deleted_are_expected_again(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(60)
        clock.step(3600)
        await clock.advance(NOTICED)
        (missed,) = await gateway.pending()
        slot = SlotKey(job.source, job.job_id, missed.span.last_at)
        await gateway.runtime.stasis.resolve(slot, StasisAction.DELETE, by="ada")
        clock.step(-3600)
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        assert (await gateway.ledger(job)).ran == {"success": 6}

    async def test_a_skip_by_a_person_stands(self, gateway: Gateway, clock: ManualClock) -> None:
        job = await gateway.create(every="10m")
        slot = SlotKey(job.source, job.job_id, gateway.began + 30 * MINUTE)
        await gateway.runtime.slot_overrides.make(slot, OverrideKind.SKIP, by="ada")
        clock.step(3600)
        await clock.advance(NOTICED)
        clock.step(-3600)
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        ledger = await gateway.ledger(job)
        assert (ledger.ran, ledger.skipped) == ({"success": 5}, {"operator": 1})

    async def test_a_miss_that_expired_too_early_waits_again(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="10m", useful_for_seconds=7200)
        await gateway.kill()
        await clock.advance(1800)
        await gateway.start()
        assert len(await gateway.pending()) == 1
        clock.step(86_400)
        await clock.advance(NOTICED)
        assert await gateway.pending() == []
        clock.step(-86_400)
        await clock.advance(NOTICED)
        (missed,) = await gateway.pending()
        assert missed.span.last_at == gateway.began + 10 * MINUTE

    async def test_a_slot_whose_shifted_start_is_to_come_is_judged_again(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        # The shift follows from the job's id, which is random.
        while (job := await gateway.create(run_at="1m", jitter_seconds=86_400)).jitter <= HOUR:
            await gateway.runtime.jobs.delete(job.job_id)
        await clock.advance(120)
        clock.step(2 * 86_400)
        await clock.advance(NOTICED)
        assert len(await gateway.pending()) == 1
        clock.step(-2 * 86_400)
        await clock.advance(86_400)
        assert runner.slots == [gateway.began + MINUTE]


class TestWhatWasDoneWhileItWasAhead:
    async def ahead(self, gateway: Gateway, clock: ManualClock) -> None:
        clock.step(30 * 86_400)
        await clock.advance(NOTICED)

    async def back(self, gateway: Gateway, clock: ManualClock) -> None:
        clock.step(-30 * 86_400)
        await clock.advance(NOTICED)

    @pytest.mark.parametrize("schedule", [{"every": "10m"}, {"cron_expr": "*/10 * * * *"}])
    async def test_a_job_that_was_created_runs_from_now_on(
        self, gateway: Gateway, clock: ManualClock, schedule: dict[str, str]
    ) -> None:
        await self.ahead(gateway, clock)
        job = await gateway.create(**schedule)
        await clock.advance(605)
        ahead = await starts(gateway, job)
        assert len(ahead) == 1
        await self.back(gateway, clock)
        right = clock.now()
        await clock.advance(3600)
        assert len([at for at in await starts(gateway, job) if right < at <= clock.now()]) == 6
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.unaccounted) == (6, [])
        (edited,) = await events_of(gateway, "cron_job_updated")
        assert (edited.data["changed"], "set back" in edited.data["reason"]) == ([], True)

    async def test_an_edit_holds_from_now_on(self, gateway: Gateway, clock: ManualClock) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(60)
        await self.ahead(gateway, clock)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(command="other", every="20m"))
        await self.back(gateway, clock)
        await clock.advance(3600)
        recent = [r for r in gateway.runner.requests if r.scheduled_at <= clock.now()]
        assert [request.command for request in recent] == ["other"] * 3
        assert (await gateway.ledger(job)).unaccounted == []

    async def test_a_pause_holds_from_now_on(self, gateway: Gateway, clock: ManualClock) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(11 * 60)
        await self.ahead(gateway, clock)
        await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        await self.back(gateway, clock)
        await clock.advance(3600)
        assert len([at for at in await starts(gateway, job) if at <= clock.now()]) == 1
        assert await gateway.pending() == []
        await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        await clock.advance(3600)
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.ran, ledger.unaccounted) == (7, {"success": 7}, [])

    async def test_a_deletion_stands_and_leaves_nothing_open(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(11 * 60)
        await self.ahead(gateway, clock)
        await gateway.runtime.jobs.delete(job.job_id)
        await self.back(gateway, clock)
        await clock.advance(3600)
        assert await gateway.pending() == []
        assert (await gateway.ledger(job)).unaccounted == []


class TestWithoutNoise:
    @pytest.mark.parametrize("step", [-0.5, -1.9, -5.0])
    async def test_a_small_correction_changes_nothing(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, step: float
    ) -> None:
        for every in ("1s", "10s", "1m"):
            await gateway.create(every=every, overlap="allow")
        await clock.advance(120.5)
        versions = {
            job.job_id: job.version
            for job in (await gateway.store.read(verbs.jobs.list_jobs, limit=9)).jobs
        }
        clock.step(step)
        await clock.advance(NOTICED)
        kinds = await gateway.kinds()
        assert (kinds["clock_set_back"], kinds["calendar_replanned"]) == (0, 0)
        assert versions == {
            job.job_id: job.version
            for job in (await gateway.store.read(verbs.jobs.list_jobs, limit=9)).jobs
        }
        await clock.advance(60)
        assert len(runner.requests) == len(runs_of(gateway))
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_restart_with_the_right_clock_changes_nothing(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        await clock.advance(150)
        await gateway.kill()
        await gateway.start()
        await clock.advance(10)
        assert (await gateway.kinds())["clock_set_back"] == 0

    async def test_a_set_back_without_slots_judged_ahead_tells_nobody(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(cron_expr="0 0 1 1 *")
        clock.step(3600)
        await clock.advance(NOTICED)
        clock.step(-3600)
        await clock.advance(NOTICED)
        assert (await gateway.kinds())["clock_set_back"] == 0


class TestCutShort:
    async def test_a_kill_in_the_middle_is_made_up_for_at_the_next_start(
        self, gateway: Gateway, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs = [await gateway.create(every="10m") for _ in range(3)]
        await clock.advance(60)
        clock.step(86_400)
        await clock.advance(NOTICED)
        monkeypatch.setattr("universal_agent.engine.replanning.BATCH", 1)

        async def fails_after_the_first(
            replan: Callable[..., Awaitable[object]], job_ids: Sequence[str], *, now: datetime
        ) -> object:
            if job_ids[0] != min(job.job_id for job in jobs):
                raise StoreUnavailable("killed")
            return await replan(job_ids, now=now)

        stand_in(monkeypatch, gateway.store, verbs.replanning.replan, fails_after_the_first)
        clock.step(-86_400)
        await clock.advance(NOTICED)
        await gateway.kill()
        await gateway.start()
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        for job in jobs:
            assert (await gateway.ledger(job)).ran == {"success": 6}
        assert await gateway.pending() == []

    async def test_a_database_that_fails_meanwhile_is_tried_until_it_does_not(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="10m")
        await clock.advance(60)
        clock.step(86_400)
        await clock.advance(NOTICED)
        gateway.store.database.failure = "disk full"
        clock.step(-86_400)
        await clock.advance(30)
        gateway.store.database.failure = None
        await clock.advance_to(gateway.began + HOUR + 5 * SECOND)
        assert (await gateway.ledger(job)).ran == {"success": 6}


async def test_a_job_of_an_engine_that_is_off_is_planned_again_too(
    gateway: Gateway, clock: ManualClock
) -> None:
    beats = await gateway.session()
    await clock.advance(90)
    await gateway.kill()
    clock.step(86_400)
    await gateway.start(enable_heartbeat=False)
    await clock.advance(120)
    await gateway.kill()
    clock.step(-86_400)
    await gateway.start(enable_heartbeat=True)
    await clock.advance(120)
    ran = [run for run in await gateway.runs(beats) if run.status is RunStatus.SUCCESS]
    assert len([run for run in ran if run.scheduled_at <= clock.now()]) >= 2
    assert (await gateway.ledger(beats)).unaccounted == []
