"""Missed slots that run after all: behind those that are on time, and not behind them forever."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.testing import ManualClock, RecordingRunner


@pytest.fixture
async def gateway(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Gateway]:
    """A gateway with two workers, at noon."""
    gateway = Gateway(tmp_path / "data", clock, cron_max_concurrency=2)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.mark.parametrize("priority", ["low", "normal", "critical"])
@pytest.mark.parametrize("overlap", ["allow", "skip"])
async def test_catch_ups_let_every_slot_on_time_run(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock, overlap: str, priority: str
) -> None:
    late = await gateway.create(
        every="10m", on_miss="run_all", overlap=overlap, metadata={"priority": priority}
    )
    await gateway.kill()
    clock.step(2 * 3600 + 300)
    runner.seconds = 5
    await gateway.start()
    fresh = await gateway.create(every="7s", queue_limit_seconds=6, overlap="allow")
    await clock.advance(120)
    assert {run.status for run in await gateway.runs(fresh)} <= {
        RunStatus.SUCCESS,
        RunStatus.RUNNING,
    }
    caught_up = [run for run in await gateway.runs(late) if run.trigger is Trigger.CATCH_UP]
    assert [run.status for run in caught_up] == [RunStatus.SUCCESS] * 12
    assert await gateway.pending() == []


async def test_catch_ups_leave_half_of_the_workers_free(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(every="10m", on_miss="run_all", overlap="allow")
    await gateway.kill()
    clock.step(3600 + 300)
    runner.hold()
    await gateway.start()
    await clock.advance(10)
    assert [run.status for run in await gateway.runs()].count(RunStatus.RUNNING) == 1


async def test_a_catch_up_is_not_starved_by_slots_on_time(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    late = await gateway.create(every="10m", on_miss="run_all", overlap="allow")
    await gateway.kill()
    clock.step(1200 + 300)
    runner.seconds = 11
    await gateway.start()
    for _ in range(3):  # more than two workers can do
        await gateway.create(every="10s", overlap="allow", queue_limit_seconds=20)
    await clock.advance(2 * 900 + 60)
    caught_up = [run for run in await gateway.runs(late) if run.trigger is Trigger.CATCH_UP]
    assert [run.status for run in caught_up] == [RunStatus.SUCCESS] * 2
