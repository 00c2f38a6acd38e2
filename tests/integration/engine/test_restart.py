"""The gateway is killed, stopped, switched off: what a start makes of what happened meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from tests.integration.stand_in import stand_in
from universal_agent.clock import SystemClock
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.store import verbs
from universal_agent.store.values import Admission
from universal_agent.testing import ManualClock, RecordingRunner


async def test_a_run_that_was_cut_short_by_a_kill_waits_for_an_operator(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Pitfall 14: there was no record of it at all, and a one-shot ran again."""
    await gateway.create(run_at="1m")
    runner.hold()
    await clock.advance(60)
    await gateway.kill()
    clock.step(10)
    await gateway.start()
    await clock.advance(3600)
    (run,) = await gateway.runs()
    assert run.status is RunStatus.INTERRUPTED
    (missed,) = await gateway.pending()
    assert (missed.cause, missed.span.last_at) == (Cause.INTERRUPTED, gateway.began + MINUTE)
    assert len(runner.requests) == 1
    ledger = await gateway.ledger()
    assert (ledger.expected, ledger.interrupted, ledger.unaccounted) == (1, 1, [])


async def test_slots_that_passed_meanwhile_are_missed_once(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Pitfall 14: one of 72 ran, the others left no trace."""
    await gateway.create(every="5m")
    await clock.advance(301)
    await gateway.kill()
    clock.step(6 * 3600)
    await gateway.start()
    (missed,) = await gateway.pending()
    assert (missed.cause, missed.span.count) == (Cause.PROCESS_DOWN, 71)
    await gateway.kill()
    await gateway.start()
    await clock.advance(60)
    assert await gateway.pending() == [missed]
    ledger = await gateway.ledger()
    assert (ledger.expected, ledger.unaccounted) == (73, [])


async def test_a_slot_that_passed_within_its_grace_runs_at_the_start(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(every="5m")
    await clock.advance(290)
    await gateway.kill()
    clock.step(40)
    await gateway.start()
    assert runner.slots == [gateway.began + 5 * MINUTE]
    assert await gateway.pending() == []


async def test_a_slot_that_was_run_early_is_not_missed_in_an_outage(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """It ran: to have it decided, and run, once more would be to run it twice."""
    job = await gateway.create(every="10m", on_miss="run_all")
    slot = SlotKey(Source.CRON, job.job_id, gateway.began + 30 * MINUTE)
    await gateway.runtime.slot_overrides.make(slot, OverrideKind.RUN_EARLY, by="ada")
    await clock.advance(1)
    await gateway.kill()
    clock.step(3600 + 300)
    await gateway.start()
    await clock.advance(1)
    assert sorted(runner.slots) == slots_after(gateway.began, 6, 10 * MINUTE)
    ledger = await gateway.ledger()
    assert (ledger.ran, ledger.missed, ledger.unaccounted) == (
        {"success": 1},
        {"approved_and_run": 5},
        [],
    )


async def test_health_says_no_until_the_past_is_settled(
    gateway: Gateway, clock: ManualClock
) -> None:
    await gateway.create(every="1m")
    await gateway.kill()
    clock.step(3600)
    seen: list[bool] = []
    catch_up = gateway.runtime.scheduler.__class__.catch_up

    async def watched(scheduler: object, cause: Cause) -> None:
        seen.append(gateway.runtime.health().ok)
        await catch_up(scheduler, cause)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("universal_agent.engine.scheduler.Scheduler.catch_up", watched)
        await gateway.start()
    assert seen[0] is False
    assert gateway.runtime.health().ok


class TestWhatWaited:
    async def waiting(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> RecordingRunner:
        """All workers are busy, and one more slot waits for one."""
        runner.hold()
        for _ in range(8):
            await gateway.create(run_at="1s", timeout_seconds=86_400)
        self.job = await gateway.create(run_at="10s")
        await clock.advance(10)
        await gateway.kill()
        runner.release()
        return runner

    async def test_starts_after_a_short_outage(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await self.waiting(gateway, runner, clock)
        clock.step(30)
        await gateway.start()
        assert await gateway.statuses(self.job) == [RunStatus.SUCCESS]

    async def test_is_missed_after_a_long_one(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await self.waiting(gateway, runner, clock)
        clock.step(3600)
        await gateway.start()
        assert await gateway.statuses(self.job) == [RunStatus.SKIPPED]
        causes = {one.source_ref: one.cause for one in await gateway.pending()}
        assert causes[self.job.job_id] is Cause.PROCESS_DOWN
        assert (await gateway.ledger()).unaccounted == []


class TestPolicyAtTheStart:
    async def test_run_latest_runs_one_and_says_how_late_it_is(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m", on_miss="run_latest")
        await gateway.kill()
        clock.step(3600 + 300)
        await gateway.start()
        (request,) = runner.requests
        assert (request.trigger, request.scheduled_at) == (
            Trigger.CATCH_UP,
            gateway.began + HOUR,
        )
        assert request.late_seconds == 300
        assert (await gateway.ledger()).missed == {"superseded": 5, "approved_and_run": 1}

    async def test_run_all_runs_one_after_another(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m", on_miss="run_all")
        await gateway.kill()
        clock.step(3600 + 300)
        runner.seconds = 10
        await gateway.start()
        await clock.advance(100)
        assert runner.slots == slots_after(gateway.began, 6, 10 * MINUTE)
        starts = sorted((run.scheduled_at, run.started_at) for run in await gateway.runs())
        begun = clock.now() - 100 * SECOND
        assert [at for _, at in starts] == [begun + n * 10 * SECOND for n in range(6)]

    async def test_a_second_kill_before_they_have_run_loses_none_of_them(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m", on_miss="run_all")
        await gateway.kill()
        clock.step(3600 + 300)
        runner.hold()
        await gateway.start()
        await gateway.kill()
        clock.step(7200)
        runner.release()
        await gateway.start()
        await clock.advance(1)
        runs = sorted(await gateway.runs(), key=lambda run: run.scheduled_at)
        statuses = [run.status for run in runs]
        assert statuses[:6] == [RunStatus.INTERRUPTED] + [RunStatus.SUCCESS] * 5
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_job_may_have_interrupted_work_done_again(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retry_interrupted=True)
        runner.hold()
        await clock.advance(60)
        await gateway.kill()
        runner.release()
        clock.step(10)
        await gateway.start()
        await clock.advance(1)
        assert await gateway.statuses() == [RunStatus.INTERRUPTED, RunStatus.SUCCESS]
        assert [request.attempt for request in runner.requests] == [1, 2]
        assert await gateway.pending() == []

    async def test_work_that_ends_its_gateway_each_time_is_left_to_a_person_and_told(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="1m", retry_interrupted=True, title="rogue")
        runner.hold()
        await clock.advance(60)
        for _ in range(5):
            await gateway.kill()
            await gateway.start()
            await clock.advance(1)
        assert await gateway.statuses(job) == [RunStatus.INTERRUPTED] * 3
        (missed,) = await gateway.pending()
        assert (missed.cause, missed.span.first_at) == (
            Cause.INTERRUPTED,
            gateway.began + MINUTE,
        )
        told = await gateway.store.read(verbs.notifications.list_notifications, limit=9)
        assert [(one.kind, one.title) for one in told] == [("missed", "1 run was interrupted")]
        ledger = await gateway.ledger()
        assert (ledger.interrupted, ledger.in_flight, ledger.unaccounted) == (1, 0, [])

    @pytest.mark.parametrize(("times", "attempts"), [(0, 1), (1, 2), (4, 5), (False, 1), (True, 3)])
    async def test_a_job_says_how_often_its_interrupted_slots_are_run_again(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        times: int,
        attempts: int,
    ) -> None:
        job = await gateway.create(run_at="1m", retry_interrupted=times)
        runner.hold()
        await clock.advance(60)
        for _ in range(7):
            await gateway.kill()
            await gateway.start()
            await clock.advance(1)
        assert await gateway.statuses(job) == [RunStatus.INTERRUPTED] * attempts
        assert len(await gateway.pending()) == 1

    async def test_an_interrupted_slot_whose_retry_came_too_late_is_left_to_a_person(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """The first start died before it had queued the retry that it had planned."""
        await gateway.create(run_at="1m", retry_interrupted=True)
        runner.hold()
        await clock.advance(60)
        await gateway.kill()
        await gateway.store.open()
        await gateway.runtime.reconciler.close_lost(but="proc_next")
        await gateway.store.close()
        clock.step(3600)
        await gateway.start()
        await clock.advance(1)
        assert await gateway.statuses() == [RunStatus.INTERRUPTED]
        (missed,) = await gateway.pending()
        assert missed.cause is Cause.INTERRUPTED


async def test_ninety_days_off_cost_one_row_a_job(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    for _ in range(100):
        await gateway.create(cron_expr="* * * * *")
    await gateway.kill()
    clock.step(90 * 86_400)
    await gateway.start()
    missed = await gateway.pending()
    assert len(missed) == 100
    assert {one.span.count for one in missed} == {90 * 1440 - 2}
    assert len({one.outage_id for one in missed}) == 1
    assert len(runner.requests) == 100, "of the two that are within the grace one overlaps"
    assert len(await gateway.events()) < 600


class TestStop:
    async def test_runs_are_stopped_and_recorded_as_interrupted(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.hold()
        await clock.advance(60)
        await gateway.stop()
        assert len(runner.stopped) == 1
        await gateway.start()
        assert await gateway.statuses() == [RunStatus.INTERRUPTED]
        assert len(await gateway.pending()) == 1

    async def test_runs_that_have_ended_are_recorded_as_they_ended(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.hold()
        await clock.advance(60)
        runner.release()
        (task,) = [task for task in asyncio.all_tasks() if task.get_name().startswith("run ")]
        await task  # it has ended, and that is not recorded yet
        await gateway.stop()
        await gateway.start()
        assert await gateway.statuses() == [RunStatus.SUCCESS]

    @pytest.mark.parametrize("turns", range(12))
    async def test_whenever_it_comes_it_interrupts_nothing_that_has_not_begun(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, turns: int
    ) -> None:
        """Some turns of the event loop after a run was asked for, wherever it is by then."""
        runner.hold()
        jobs = [await gateway.create(every="1h") for _ in range(3)]
        for job in jobs:
            await gateway.runtime.jobs.run_now(job.job_id)
        for _ in range(turns):
            await SystemClock().sleep(0)
        await gateway.stop()
        begun = {request.run_id for request in runner.requests}
        runner.release()
        await gateway.start()
        runs = await gateway.runs()
        assert {run.run_id for run in runs if run.status is RunStatus.INTERRUPTED} == begun
        assert {run.status for run in runs if run.run_id not in begun} <= {RunStatus.SUCCESS}

    async def test_what_its_last_commit_started_goes_back_to_the_queue(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        job = await gateway.create(run_at="1m")
        started, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(
            admit: Callable[..., Awaitable[Admission]], *args: Any, **kwargs: Any
        ) -> Admission:
            admission = await admit(*args, **kwargs)
            started.set()
            await go_on.wait()
            return admission

        stand_in(monkeypatch, gateway.store, verbs.admission.admit, slowly)
        advancing = asyncio.create_task(clock.advance(60))
        await started.wait()
        stopping = asyncio.create_task(gateway.stop())
        await SystemClock().sleep(0)
        go_on.set()
        await stopping
        await advancing
        assert runner.requests == []
        await gateway.start()
        await clock.advance(1)
        assert await gateway.statuses(job) == [RunStatus.SUCCESS]
        assert runner.slots == [gateway.began + MINUTE]
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (1, 1, [])

    async def test_a_run_that_was_cancelled_before_it_began_is_cancelled(
        self, gateway: Gateway, runner: RecordingRunner
    ) -> None:
        job = await gateway.create(every="1h")
        runtime, now = gateway.runtime, gateway.clock.now()
        run = await runtime.store.write(verbs.admission.add_run, job, RunId("run_1"), now=now)
        settled = await runtime.store.write(
            verbs.execution.claim, free_workers=1, process=runtime.own_process.process, now=now
        )
        runtime.running.start(settled.claimed[0])
        assert runtime.running.stop(run.run_id, RunStatus.CANCELLED, "not this one")
        await gateway.stop()
        await gateway.start()
        assert await gateway.statuses(job) == [RunStatus.CANCELLED]
        assert runner.requests == []

    async def test_stopping_twice_is_harmless(self, gateway: Gateway) -> None:
        await gateway.stop()
        await gateway.stop()


class TestSwitchedOff:
    async def test_what_passes_is_recorded_with_that_as_its_cause(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m")
        await gateway.stop()
        await gateway.start(enable_cron=False)
        await clock.advance(3600)
        assert runner.requests == []
        missed = await gateway.pending()
        assert {one.cause for one in missed} == {Cause.ENGINE_OFF}
        assert len({one.outage_id for one in missed}) == 1
        ledger = await gateway.ledger()
        assert (ledger.unaccounted, ledger.missed["pending"], ledger.in_flight) == ([], 5, 1)

    async def test_switched_on_again_it_goes_on_from_there(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m")
        await gateway.stop()
        await gateway.start(enable_cron=False)
        await clock.advance(3600)
        await gateway.stop()
        await gateway.start(enable_cron=True)
        await clock.advance(600)
        assert runner.slots == [gateway.began + HOUR, gateway.began + HOUR + 10 * MINUTE]
        assert {one.span.status for one in await gateway.pending()} == {MissedStatus.PENDING}
        assert (await gateway.ledger()).unaccounted == []


async def test_a_run_that_repeats_an_interrupted_one_knows_it_and_has_the_same_folder(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(run_at="1m", retry_interrupted=True)
    runner.hold()
    await clock.advance(60)
    await gateway.kill()
    await gateway.start()
    await clock.advance(1)
    first, second = runner.requests
    assert (first.previous_run_id, second.previous_run_id) == (None, first.run_id)
    assert second.facts()["UA_PREVIOUS_RUN_ID"] == first.run_id
    assert second.facts()["UA_STATE_DIR"] == first.facts()["UA_STATE_DIR"]
