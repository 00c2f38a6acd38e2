"""The store fails for a while, or something in it for good: the loops go on, and health tells."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.integration.engine.gateway import MINUTE, SECOND, Gateway, slots_after
from tests.integration.stand_in import stand_in
from universal_agent.domain.job import Job
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.engine.scheduler import Scheduler
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.databases.upkeep import Upkeep
from universal_agent.store.values import Decision, Finished
from universal_agent.testing import ManualClock, RecordingRunner

#: The call that a stand-in stands in for.
Really = Callable[..., Awaitable[object]]


class TestOutage:
    async def test_what_could_not_be_admitted_in_time_is_missed_with_that_as_its_cause(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 7: one disk-full exception ended the loop for ever."""
        await gateway.create(every="1m")
        await clock.advance(61)
        gateway.store.database.failure = "disk full"
        await clock.advance(600)
        gateway.store.database.failure = None
        await clock.advance(1)
        (missed,) = await gateway.pending()
        assert (missed.cause, missed.span.first_at) == (
            Cause.STORE_UNAVAILABLE,
            gateway.began + 2 * MINUTE,
        )
        await clock.advance(120)
        assert (await gateway.ledger()).unaccounted == []
        assert len(runner.slots) == len(set(runner.slots)) == 4

    async def test_what_is_within_its_grace_just_runs_late(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        await clock.advance(55)
        gateway.store.database.failure = "disk full"
        await clock.advance(30)
        assert runner.requests == []
        gateway.store.database.failure = None
        await clock.advance(1)
        assert runner.slots == [gateway.began + MINUTE]
        assert await gateway.pending() == []

    async def test_commands_are_refused_and_health_says_why_until_it_is_over(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        assert gateway.runtime.health().ok
        gateway.store.database.failure = "disk full"
        with pytest.raises(StoreUnavailable):
            await gateway.create()
        health = gateway.runtime.health()
        assert (health.ok, health.store_error) == (False, "disk full")
        gateway.store.database.failure = None
        await gateway.create()
        assert gateway.runtime.health().ok

    async def test_the_calendar_is_read_from_the_tables_while_the_projection_cannot_follow(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(every="1h")
        await gateway.create(every="1h")
        await clock.advance(1)
        gateway.runtime.projector.position -= 1  # as when the newest event was not folded yet
        gateway.store.database.failure = "disk full"
        assert await gateway.runtime.calendar.stasis_items(now=clock.now()) == []
        assert not await gateway.runtime.projector.is_caught_up()
        gateway.store.database.failure = None
        assert await gateway.runtime.projector.is_caught_up()

    async def test_a_run_that_ends_meanwhile_is_recorded_afterwards(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.seconds = 30
        await clock.advance(61)
        gateway.store.database.failure = "disk full"
        await clock.advance(120)
        assert await gateway.statuses() == [RunStatus.RUNNING]
        gateway.store.database.failure = None
        await clock.advance(1)
        (run,) = await gateway.runs()
        assert (run.status, run.finished_at) == (
            RunStatus.SUCCESS,
            gateway.began + 90 * SECOND,
        )

    async def test_nothing_runs_twice_however_often_it_fails(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s", overlap="queue_one")
        runner.seconds = 3
        for _ in range(20):
            gateway.store.database.failure = "flaky"
            await clock.advance(7)
            gateway.store.database.failure = None
            await clock.advance(4)
        await clock.advance(5)
        assert runner.slots == slots_after(gateway.began, len(runner.slots), 10 * SECOND)
        assert (await gateway.ledger()).unaccounted == []


class TestStop:
    async def test_everything_is_closed_though_the_ends_of_runs_cannot_be_recorded(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        runner.seconds = 1000
        await clock.advance(61)
        gateway.store.database.failure = "the database was removed"
        with pytest.raises(StoreUnavailable):
            await gateway.stop()
        assert len(gateway.runtime.running) == 0
        await gateway.start()  # the lock of the database is free
        assert await gateway.statuses() == [RunStatus.INTERRUPTED]


class TestKeptCommit:
    """A commit is reported as failed, but was kept: what it claimed is `running` in the store."""

    @pytest.fixture
    def keep_and_fail(
        self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[Callable[..., object]], None]:
        """Lets the next commit of a verb fail after it was kept."""
        armed: list[bool] = []
        really = Upkeep.committed

        def committed(upkeep: Upkeep, *args: Any) -> None:
            if armed:
                armed.clear()
                raise OSError(errno.EIO, "the disk did not answer")
            really(upkeep, *args)

        def arm(verb: Callable[..., object]) -> None:
            calls: list[bool] = []

            async def instead(call: Really, *args: Any, **kwargs: Any) -> object:
                if not calls:
                    calls.append(True)
                    armed.append(True)
                return await call(*args, **kwargs)

            stand_in(monkeypatch, gateway.store, verb, instead)

        monkeypatch.setattr(Upkeep, "committed", committed)
        return arm

    async def test_a_slot_that_was_admitted_with_its_run_runs_once(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        keep_and_fail: Callable[..., None],
    ) -> None:
        job = await gateway.create(every="1m")
        keep_and_fail(verbs.admission.admit)
        await clock.advance(65)
        assert runner.slots == [gateway.began + MINUTE]
        assert await gateway.statuses(job) == [RunStatus.SUCCESS]
        await clock.advance(120)
        assert (await gateway.ledger()).unaccounted == []
        assert len(runner.slots) == 3

    async def test_a_run_that_was_claimed_from_the_queue_runs_once(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        keep_and_fail: Callable[..., None],
    ) -> None:
        job = await gateway.create(every="1h")
        keep_and_fail(verbs.execution.claim)
        await gateway.runtime.jobs.run_now(job.job_id)
        await clock.advance(2)
        assert await gateway.statuses(job) == [RunStatus.SUCCESS]
        assert len(runner.requests) == 1

    async def test_a_run_that_was_claimed_with_the_end_of_another_runs_once(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        keep_and_fail: Callable[..., None],
    ) -> None:
        job = await gateway.create(every="10s", overlap="queue_one")
        runner.seconds = 12
        await clock.advance(21)
        keep_and_fail(verbs.execution.settle)
        await clock.advance(4)
        assert await gateway.statuses(job) == [RunStatus.SUCCESS, RunStatus.RUNNING]
        await clock.advance(12)
        assert (await gateway.statuses(job))[:2] == [RunStatus.SUCCESS] * 2
        assert len(runner.slots) == len(set(runner.slots))
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_run_whose_end_is_requested_before_it_began_is_cancelled(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        keep_and_fail: Callable[..., None],
    ) -> None:
        job = await gateway.create(every="1h")
        keep_and_fail(verbs.execution.claim)
        await gateway.runtime.jobs.run_now(job.job_id)
        await clock.settle()
        (run,) = await gateway.runs(job)
        cancelling = asyncio.create_task(gateway.runtime.jobs.cancel_run(run.run_id))
        await clock.advance(1)
        assert (await cancelling).status is RunStatus.CANCELLED
        assert runner.requests == []

    async def test_a_stop_puts_the_run_back_into_the_queue(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        keep_and_fail: Callable[..., None],
    ) -> None:
        job = await gateway.create(every="1h")
        keep_and_fail(verbs.execution.claim)
        await gateway.runtime.jobs.run_now(job.job_id)
        await clock.settle()
        assert await gateway.statuses(job) == [RunStatus.RUNNING]
        assert runner.requests == []
        await gateway.stop()
        await gateway.start()
        await clock.advance(1)
        assert await gateway.statuses(job) == [RunStatus.SUCCESS]

    async def test_a_run_that_began_is_not_put_back_although_its_end_cannot_be_recorded(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
        keep_and_fail: Callable[..., None],
    ) -> None:
        bad = await gateway.create(run_at="1m")
        good = await gateway.create(every="1h")

        async def settle(call: Really, ended: list[Finished], **kwargs: Any) -> object:
            if any(end.claimed.run.source_ref == bad.job_id for end in ended):
                raise ValueError("cannot be recorded")
            return await call(ended, **kwargs)

        stand_in(monkeypatch, gateway.store, verbs.execution.settle, settle)
        await clock.advance(65)
        assert await gateway.statuses(bad) == [RunStatus.RUNNING]
        keep_and_fail(verbs.execution.claim)
        await gateway.runtime.jobs.run_now(good.job_id)
        await clock.advance(5)
        assert await gateway.statuses(good) == [RunStatus.SUCCESS]
        assert await gateway.statuses(bad) == [RunStatus.RUNNING]
        assert len(runner.requests) == 2


class TestOneBadJob:
    async def test_one_that_cannot_be_judged_does_not_stop_the_others(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bad, good = await gateway.create(), await gateway.create()
        decide = Scheduler._decide

        def failing(scheduler: Scheduler, job: Job, *rest: Any, **more: Any) -> Decision:
            if job.job_id == bad.job_id:
                raise ArithmeticError("no such day")
            return decide(scheduler, job, *rest, **more)

        with monkeypatch.context() as patch:
            patch.setattr(Scheduler, "_decide", failing)
            await clock.advance(180)
            assert [request.job_id for request in runner.requests] == [good.job_id] * 3
        await clock.advance(120)
        assert gateway.runtime.health().ok
        assert (await gateway.ledger()).unaccounted == []
        assert bad.job_id in {request.job_id for request in runner.requests}

    async def test_one_that_cannot_be_committed_does_not_stop_the_others(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bad, good = await gateway.create(), await gateway.create()

        async def failing(admit: Really, decisions: list[Decision], **more: Any) -> object:
            if any(decision.job.job_id == bad.job_id for decision in decisions):
                raise ValueError("not JSON")
            return await admit(decisions, **more)

        stand_in(monkeypatch, gateway.store, verbs.admission.admit, failing)
        await clock.advance(180)
        assert [request.job_id for request in runner.requests] == [good.job_id] * 3
        assert gateway.runtime.health().ok

    async def test_an_end_that_cannot_be_recorded_does_not_hold_up_the_others(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        bad, good = await gateway.create(run_at="1m"), await gateway.create(run_at="1m")

        async def failing(settle: Really, ended: list[Finished], **more: Any) -> object:
            if any(end.claimed.run.source_ref == bad.job_id for end in ended):
                raise ValueError("not JSON")
            return await settle(ended, **more)

        stand_in(monkeypatch, gateway.store, verbs.execution.settle, failing)
        await clock.advance(70)
        assert await gateway.statuses(good) == [RunStatus.SUCCESS]
        assert await gateway.statuses(bad) == [RunStatus.RUNNING]
        await gateway.kill()
        await gateway.start()
        assert await gateway.statuses(bad) == [RunStatus.INTERRUPTED]

    async def test_a_claim_that_fails_costs_no_end_that_shares_its_commit(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for _ in range(10):
            await gateway.create(run_at="1m")
        runner.seconds = 5
        await clock.advance(61)

        async def failing_settle(settle: Really, ended: list[Finished], **more: Any) -> object:
            if more["free_workers"]:
                raise ValueError("a run that cannot be read")
            return await settle(ended, **more)

        async def failing_claim(*_: Any, **more: Any) -> object:
            raise ValueError("a run that cannot be read")

        with monkeypatch.context() as patch:
            stand_in(patch, gateway.store, verbs.execution.settle, failing_settle)
            stand_in(patch, gateway.store, verbs.execution.claim, failing_claim)
            await clock.advance(9)
            assert (await gateway.statuses()).count(RunStatus.SUCCESS) == 8
        await clock.advance(30)
        assert await gateway.statuses() == [RunStatus.SUCCESS] * 10


class TestSupervision:
    async def test_a_loop_that_fails_is_started_again_and_health_tells_meanwhile(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        await gateway.create(every="1m")

        async def failing(*_: Any, **__: Any) -> object:
            raise RuntimeError("out of luck")

        with monkeypatch.context() as patch:
            stand_in(patch, gateway.store, verbs.admission.due, failing)
            await clock.advance(65)
            health = gateway.runtime.health()
            assert not health.ok
            assert "the scheduler loop is down (RuntimeError: out of luck)" in health.reasons[0]
        await clock.advance(10)
        assert gateway.runtime.health().ok
        assert runner.slots == [gateway.began + MINUTE]

    async def test_what_the_failed_loop_was_about_to_do_is_not_forgotten(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Nobody edits a job, no clock jumps: nothing but the loop itself can look again."""
        await gateway.create(run_at="10m")
        calls = 0

        async def failing_once(due: Really, **more: Any) -> object:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise RuntimeError("out of luck")
            return await due(**more)

        stand_in(monkeypatch, gateway.store, verbs.admission.due, failing_once)
        await clock.advance(700)
        assert calls > 1
        assert runner.slots == [gateway.began + 10 * MINUTE]
