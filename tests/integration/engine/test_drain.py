"""A drain: nothing more starts, open runs end, what came due is decided at the next start."""

import asyncio

from tests.integration.engine.gateway import MINUTE, Gateway
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.testing import ManualClock, RecordingRunner


async def test_a_drain_lets_the_open_run_end_and_starts_nothing_more(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(run_at="1m")
    runner.hold()
    await clock.advance(60)
    stopped = asyncio.Event()
    gateway.runtime.drain.then(stopped.set)
    gateway.runtime.drain.begin()
    await gateway.create(every="1m")
    await clock.advance(300)
    assert len(runner.requests) == 1
    assert not stopped.is_set()
    assert gateway.runtime.health().is_draining
    runner.release()
    await clock.advance(1)
    assert stopped.is_set()
    assert [run.status for run in await gateway.runs()] == [RunStatus.SUCCESS]


async def test_a_drain_with_a_limit_stops_though_a_run_is_open(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(run_at="1m")
    runner.hold()
    await clock.advance(60)
    stopped = asyncio.Event()
    gateway.runtime.drain.then(stopped.set)
    gateway.runtime.drain.begin(600)
    await clock.advance(599)
    assert not stopped.is_set()
    await clock.advance(2)
    assert stopped.is_set()
    assert len(gateway.runtime.running) == 1


async def test_slots_that_come_due_in_a_drain_are_decided_at_the_next_start(
    gateway: Gateway, clock: ManualClock
) -> None:
    await gateway.create(every="1m")
    gateway.runtime.drain.begin()
    await clock.advance(600)
    assert await gateway.runs() == []
    assert await gateway.pending() == []
    await gateway.stop()
    await gateway.start()
    (missed,) = await gateway.pending()
    assert missed.cause is Cause.PLANNED_RESTART
    assert missed.span.first_at == gateway.began + MINUTE
    assert (await gateway.ledger()).unaccounted == []


async def test_the_cause_of_a_drain_does_not_outlive_the_next_start(
    gateway: Gateway, clock: ManualClock
) -> None:
    await gateway.create(every="1m")
    gateway.runtime.drain.begin()
    await clock.advance(1)
    await gateway.stop()
    await gateway.start()
    await gateway.kill()
    clock.step(600)
    await gateway.start()
    causes = {missed.cause for missed in await gateway.pending()}
    assert causes == {Cause.PROCESS_DOWN}


async def test_runs_that_wait_for_a_worker_start_after_the_restart(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(run_at="1h")
    gateway.runtime.drain.begin()
    await gateway.runtime.jobs.run_now(job.job_id)
    await clock.advance(1)
    assert runner.requests == []
    await gateway.stop()
    await gateway.start()
    await clock.advance(1)
    assert [run.status for run in await gateway.runs()] == [RunStatus.SUCCESS]
