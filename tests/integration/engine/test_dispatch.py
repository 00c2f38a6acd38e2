"""Slots run once, on time, and the clock's grid never moves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.api.app import create_app
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.testing import ManualClock, RecordingRunner


async def test_each_slot_runs_once_at_its_time(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(every="1m")
    await clock.advance(3600)
    assert runner.slots == slots_after(gateway.began, 60)
    runs = await gateway.runs(job)
    assert {run.status for run in runs} == {RunStatus.SUCCESS}
    assert [run.started_at for run in runs] == runner.slots
    ledger = await gateway.ledger()
    assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (60, 60, [])


async def test_a_run_is_told_what_it_is(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(
        title="Nightly", model="small", metadata={"channel": "ops"}, workspace_dir="ada"
    )
    await clock.advance(60)
    (request,) = runner.requests
    (run,) = await gateway.runs()
    assert (request.run_id, request.job_id, request.event_id) == (
        run.run_id,
        job.job_id,
        run.event_id,
    )
    assert (request.command, request.title, request.model) == ("work", "Nightly", "small")
    assert (request.trigger, request.attempt) == (Trigger.SCHEDULE, 1)
    assert (request.late_seconds, request.approved_by) == (None, None)
    assert request.metadata == {"channel": "ops"}
    assert request.workspace_dir == gateway.runtime.settings.workspaces_root / "ada"


async def test_an_interval_keeps_to_its_anchor_however_long_runs_take(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(every="10s", overlap="queue_one")
    runner.seconds = 7.3
    await clock.advance(600)
    assert runner.slots == slots_after(gateway.began, 60, 10 * SECOND)


async def test_an_interval_keeps_to_its_anchor_over_a_pause(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(every="10m")
    await clock.advance(25 * 60)
    await gateway.runtime.jobs.edit(job.job_id, JobDraft(enabled=False))
    await clock.advance(7 * 60)
    await gateway.runtime.jobs.edit(job.job_id, JobDraft(enabled=True))
    await clock.advance(30 * 60)
    minutes = [(slot - gateway.began) // MINUTE for slot in runner.slots]
    assert minutes == [10, 20, 40, 50, 60]


async def test_a_job_that_takes_no_time_runs_each_second_without_a_gap(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(every="1s")
    await clock.advance(300)
    assert runner.slots == slots_after(gateway.began, 300, SECOND)
    assert (await gateway.ledger()).unaccounted == []


async def test_many_jobs_of_the_same_second_all_start_in_it(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Pitfall 1: one after another, each with a pass over all jobs, they took 14 seconds."""
    for _ in range(250):
        await gateway.create(run_at=(clock.now() + 10 * SECOND).isoformat(), overlap="allow")
    await clock.advance(10)
    runs = await gateway.runs()
    assert len(runs) == 250
    assert {run.started_at for run in runs} == {gateway.began + 10 * SECOND}


async def test_a_cron_expression_runs_in_its_zone(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(cron_expr="30 21 * * *", timezone="Asia/Tokyo")
    await clock.advance(3600)
    assert runner.slots == [gateway.began + 30 * MINUTE]


async def test_a_fixed_time_in_the_repeated_hour_runs_once(tmp_path: Path) -> None:
    """Pitfall 4, with the engine around it."""
    clock = ManualClock(datetime(2026, 10, 24, 23, tzinfo=UTC))
    gateway = Gateway(tmp_path, clock)
    await gateway.start()
    await gateway.create(cron_expr="30 2 * * *", timezone="Europe/Berlin")
    await clock.advance(4 * 3600)
    assert gateway.runner.slots == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)]
    await gateway.stop()


async def test_a_one_shot_runs_once_and_never_again(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(run_at="10m")
    await clock.advance(7200)
    assert runner.slots == [gateway.began + 10 * MINUTE]
    assert (await gateway.job(job)).next_run_at is None


async def test_now_is_the_present_moment(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.create(run_at="now")
    await clock.settle()
    assert runner.slots == [gateway.began]
    assert (await gateway.ledger(start=gateway.began - SECOND)).ran["success"] == 1


async def test_a_jitter_shifts_the_start_and_not_the_slot(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create(every="1h", jitter_seconds=600)
    await clock.advance(4 * 3600)
    await clock.advance(600)
    assert runner.slots == slots_after(gateway.began, 4, HOUR)
    starts = [run.started_at for run in await gateway.runs()]
    assert starts == [slot + job.jitter for slot in runner.slots]
    assert timedelta(0) < job.jitter < 10 * MINUTE


async def test_while_nothing_is_due_nothing_is_written(
    gateway: Gateway, clock: ManualClock
) -> None:
    await gateway.create(cron_expr="0 0 1 1 *")
    before = await gateway.kinds()
    await clock.advance(3600)
    assert await gateway.kinds() == before


async def test_a_job_made_while_the_timer_sleeps_is_not_overslept(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Pitfall 8: a wake-up cuts the sleep short, it does not wait for the next tick."""
    await gateway.create(every="1h")
    await clock.advance(0.2)
    await gateway.create(run_at=(clock.now() + 0.3 * SECOND).isoformat())
    await clock.advance(0.8)
    (run,) = await gateway.runs()
    assert run.started_at == run.scheduled_at == gateway.began + SECOND


async def test_a_long_run_does_not_hold_up_other_jobs(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    """Pitfalls 8 and 29: one that takes for ever has a worker to itself, and no more."""
    slow = await gateway.create(run_at="1s")
    runner.hold()
    await clock.advance(1)
    others = [await gateway.create(every="1s", overlap="allow") for _ in range(3)]
    await clock.advance(1)
    assert await gateway.statuses(slow) == [RunStatus.RUNNING]
    assert [await gateway.statuses(job) for job in others] == [[RunStatus.RUNNING]] * 3


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_a_page_of_runs_says_whether_there_are_more(
    gateway: Gateway, clock: ManualClock, limit: int
) -> None:
    await gateway.create()
    await clock.advance(180)
    found = await gateway.runtime.cron.runs(limit=limit)
    assert (len(found["runs"]), found["has_more"]) == (min(limit, 3), limit < 3)


async def test_runs_of_several_statuses_are_one_list(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    job = await gateway.create()
    await clock.advance(120)
    runner.hold()
    await clock.advance(60)
    expected = {
        "success": ["success", "success"],
        "running": ["running"],
        "error,timeout": [],
        "error,running,success": ["running", "success", "success"],
    }
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for path in ("/api/v1/cron/runs", f"/api/v1/cron/jobs/{job.job_id}/runs"):
            for asked, statuses in expected.items():
                answer = await client.get(path, params={"status": asked})
                assert [run["status"] for run in answer.json()["runs"]] == statuses, asked
            for wrong in ("", "success,", "success,done", "success error", "SUCCESS"):
                refused = await client.get(path, params={"status": wrong})
                assert refused.status_code == 422, wrong
