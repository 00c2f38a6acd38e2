"""What happens when there is more to run than may run."""

from pathlib import Path

import pytest

from tests.integration.engine.gateway import MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.testing import ManualClock, RecordingRunner


@pytest.fixture
async def lone(tmp_path: Path, clock: ManualClock) -> Gateway:
    """A gateway with a single worker."""
    gateway = Gateway(tmp_path / "data", clock, cron_max_concurrency=1)
    await gateway.start()
    return gateway


class TestOverlap:
    async def test_with_skip_a_slot_that_comes_while_the_job_runs_is_skipped(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s")
        runner.seconds = 25
        await clock.advance(70)
        assert runner.slots == [gateway.began + n * SECOND for n in (10, 40, 70)]
        ledger = await gateway.ledger()
        assert (ledger.skipped["overlap"], ledger.unaccounted) == (4, [])

    async def test_with_queue_one_the_next_slot_starts_as_the_run_ends(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s", overlap="queue_one")
        runner.seconds = 25
        await clock.advance(60)
        runs = [run for run in await gateway.runs() if run.started_at]
        assert [run.scheduled_at - gateway.began for run in runs] == [10 * SECOND, 20 * SECOND,
                                                                     40 * SECOND]  # fmt: skip
        assert [run.started_at for run in runs] == [
            gateway.began + n * SECOND for n in (10, 35, 60)
        ]
        assert (await gateway.ledger()).unaccounted == []

    async def test_with_allow_runs_go_on_beside_each_other(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s", overlap="allow")
        runner.seconds = 25
        await clock.advance(40)
        assert runner.slots == slots_after(gateway.began, 4, 10 * SECOND)
        assert len(runner.running) == 3

    async def test_with_cancel_previous_the_new_slot_takes_the_place_of_the_old(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="10s", overlap="cancel_previous")
        runner.seconds = 25
        await clock.advance(55)
        assert runner.slots == slots_after(gateway.began, 5, 10 * SECOND)
        assert await gateway.statuses(job) == [RunStatus.CANCELLED] * 4 + [RunStatus.RUNNING]
        assert (await gateway.runs())[0].error == "cancelled by the job's next slot"
        assert (await gateway.ledger()).ran["cancelled"] == 4


class TestConcurrency:
    async def test_no_more_runs_at_once_than_there_are_workers(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        runner.seconds = 5
        for _ in range(30):
            await gateway.create(run_at="10s")
        most = 0
        await clock.advance(10)
        while len(runner.requests) < 30:
            most = max(most, len(runner.running))
            await clock.advance(1)
        assert most == 8
        starts = {run.started_at for run in await gateway.runs()}
        assert len(starts) == 4, "a worker that is free takes the next at once"

    async def test_a_slot_that_waits_behind_a_busy_worker_runs_once(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 2: it was started again every five seconds, four times in all."""
        lone.runner.seconds = 18
        await lone.create(run_at="1s")
        behind = await lone.create(run_at="2s")
        await clock.advance(60)
        (run,) = await lone.runs(behind)
        assert (run.status, run.started_at) == (RunStatus.SUCCESS, lone.began + 19 * SECOND)
        await lone.stop()

    async def test_an_interval_that_waits_does_not_run_back_to_back_afterwards(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 2, its other half."""
        lone.runner.hold()
        await lone.create(run_at="1s", timeout_seconds=600)
        every = await lone.create(every="10s")
        await clock.advance(95)
        lone.runner.release()
        await clock.advance(20)
        started = [run.scheduled_at for run in await lone.runs(every)]
        assert started == [lone.began + n * SECOND for n in (10, 100, 110)]
        assert (await lone.ledger(every)).skipped["overlap"] == 8
        await lone.stop()

    async def test_the_most_urgent_of_those_that_wait_starts_first(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        lone.runner.seconds = 10
        await lone.create(run_at="1s")
        jobs = {
            priority: await lone.create(run_at="2s", metadata={"priority": priority})
            for priority in ("low", "normal", "critical")
        }
        await clock.advance(60)
        order = [request.job_id for request in lone.runner.requests][1:]
        assert order == [jobs[name].job_id for name in ("critical", "normal", "low")]
        await lone.stop()

    async def test_extra_runs_of_one_job_do_not_hold_up_another(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        runner.seconds = 10
        job = await gateway.create(every="1h")
        for _ in range(20):
            await gateway.runtime.jobs.run_now(job.job_id)
        other = await gateway.create(run_at="1s")
        await clock.advance(1)
        assert await gateway.statuses(other) == [RunStatus.RUNNING]
        await clock.advance(200)
        assert await gateway.statuses(job) == [RunStatus.SUCCESS] * 20

    async def test_a_long_queue_is_worked_off_without_a_nudge(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        """Runs that end at once leave the queue to nobody but the executor itself."""
        jobs = [await lone.create(every="1h") for _ in range(40)]
        for job in jobs:
            await lone.runtime.jobs.run_now(job.job_id)
        await clock.settle()
        assert await lone.statuses() == [RunStatus.SUCCESS] * 40
        await lone.stop()


class TestQueueLimit:
    async def test_a_slot_that_waits_too_long_is_missed_and_not_run_late(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        lone.runner.hold()
        await lone.create(run_at="1s", timeout_seconds=86_400)
        behind = await lone.create(run_at="10s", queue_limit_seconds=300)
        await clock.advance(309)
        assert await lone.statuses(behind) == [RunStatus.QUEUED]
        await clock.advance(1)
        assert await lone.statuses(behind) == [RunStatus.SKIPPED]
        lone.runner.release()
        await clock.advance(60)
        (missed,) = await lone.pending()
        assert (missed.source_ref, missed.cause) == (behind.job_id, Cause.CAPACITY)
        assert missed.span.last_at == lone.began + 10 * SECOND
        assert len(lone.runner.requests) == 1
        ledger = await lone.ledger()
        assert (ledger.missed["pending"], ledger.unaccounted) == (1, [])
        await lone.stop()

    async def test_those_that_miss_one_by_one_are_one_outage(
        self, lone: Gateway, clock: ManualClock
    ) -> None:
        lone.runner.hold()
        await lone.create(run_at="1s", timeout_seconds=86_400)
        for n in range(10):
            await lone.create(run_at=f"{10 + n}s", queue_limit_seconds=60)
        await clock.advance(120)
        missed = await lone.pending()
        assert len(missed) == 10
        assert len({one.outage_id for one in missed}) == 1
        await lone.stop()


async def test_nothing_starts_twice_in_a_day_of_load(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Runs that take longer than their interval, for every policy, with too few workers."""
    runner.seconds = 47
    for overlap in ("skip", "queue_one", "allow", "cancel_previous"):
        for every in ("20s", "60s", "90s"):
            await gateway.create(every=every, overlap=overlap, queue_limit_seconds=120)
    await clock.advance(30 * 60)
    starts = [(request.job_id, request.scheduled_at) for request in runner.requests]
    assert len(starts) == len(set(starts))
    ledger = await gateway.ledger()
    assert ledger.unaccounted == []
    assert ledger.expected == 4 * (90 + 30 + 20)
    late = [
        run.scheduled_at
        for run in await gateway.runs()
        if run.started_at and run.started_at - run.scheduled_at > 2 * MINUTE
    ]
    assert late == []
