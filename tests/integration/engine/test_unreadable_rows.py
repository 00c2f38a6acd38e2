"""One row that cannot be read is set aside and told; everything else goes on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import MINUTE, Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.job import Job
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.testing import FAILURE, ManualClock, RecordingRunner

#: What makes the spec of a job unreadable.
BAD_SPECS = [
    "UPDATE job_versions SET spec = '{not json' WHERE job_id = :id",
    "UPDATE job_versions SET spec = '{}' WHERE job_id = :id",
    "UPDATE job_versions SET spec = json_set(spec, '$.schedule.kind', 'lunar') WHERE job_id = :id",
    "UPDATE job_versions SET spec = json_set(spec, '$.policy.overlap', 'huh') WHERE job_id = :id",
    "UPDATE jobs SET created_at = 1e300 WHERE job_id = :id",
    "UPDATE jobs SET effective_from = 'yesterday' WHERE job_id = :id",
    "UPDATE jobs SET next_run_at = -9e18 WHERE job_id = :id",
]

Break = Callable[..., None]


@pytest.fixture
def break_row(gateway: Gateway) -> Break:
    """Change a row behind the gateway's back, as a bug, a disk or another release would."""

    def do(statement: str, **params: Any) -> None:
        with closing(sqlite3.connect(gateway.runtime.settings.database_path)) as connection:
            changed = connection.execute(statement, params).rowcount
            connection.commit()
        assert changed > 0

    return do


async def get(gateway: Gateway, path: str) -> Any:
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def assert_all_is_served(gateway: Gateway, other: Job) -> None:
    """Lists and views answer, and have what can be read."""
    jobs = await get(gateway, "/api/v1/cron/jobs")
    assert other.job_id in {job["job_id"] for job in jobs["jobs"]}
    assert await get(gateway, f"/api/v1/cron/jobs/{other.job_id}/runs")
    for path in (
        "/api/v1/cron/runs",
        "/api/v1/ops/calendar/events",
        "/api/v1/ops/stasis",
        "/api/v1/ops/scheduling/ledger",
        "/api/v1/ops/scheduling/events",
        "/api/v1/dashboard/summary",
        "/api/v1/dashboard/notifications",
        "/api/v1/ops/sessions",
    ):
        await get(gateway, path)


async def assert_told(gateway: Gateway, clock: ManualClock, table: str) -> None:
    await clock.advance(6)
    assert table in {name.split()[0] for name in gateway.store.set_aside}
    found = (await get(gateway, "/api/v1/dashboard/notifications"))["notifications"]
    assert [one["is_open"] for one in found if one["kind"] == "row_unreadable"] == [True]
    assert gateway.runtime.health().ok


@pytest.mark.parametrize("statement", BAD_SPECS)
class TestAJob:
    async def test_the_others_run_and_it_runs_again_when_it_is_put_right(
        self,
        gateway: Gateway,
        clock: ManualClock,
        break_row: Break,
        statement: str,
    ) -> None:
        bad, other = await gateway.create(every="1m"), await gateway.create(every="1m")
        await clock.advance(1)
        with closing(sqlite3.connect(gateway.runtime.settings.database_path)) as connection:
            rows = {
                table: connection.execute(
                    f"SELECT * FROM {table} WHERE job_id = ?", (bad.job_id,)
                ).fetchone()
                for table in ("jobs", "job_versions")
            }
        break_row(statement, id=bad.job_id)
        await clock.advance(180)
        assert await gateway.statuses(other) == [RunStatus.SUCCESS] * 3
        assert await gateway.runs(bad) == []
        await assert_told(gateway, clock, "jobs")
        await assert_all_is_served(gateway, other)
        for table, row in rows.items():
            marks = ", ".join("?" * len(row))
            with closing(sqlite3.connect(gateway.runtime.settings.database_path)) as connection:
                connection.execute(f"REPLACE INTO {table} VALUES ({marks})", row)
                connection.commit()
        await gateway.runtime.jobs.run_now(other.job_id)  # the timer looks at what is due
        await clock.advance(180)
        assert RunStatus.SUCCESS in await gateway.statuses(bad)
        await clock.advance(6)
        assert gateway.store.set_aside == {}
        assert (await gateway.ledger()).unaccounted == []

    async def test_the_gateway_starts_with_it(
        self, gateway: Gateway, clock: ManualClock, break_row: Break, statement: str
    ) -> None:
        bad, other = await gateway.create(every="1m"), await gateway.create(every="1m")
        break_row(statement, id=bad.job_id)
        await gateway.kill()
        clock.step(3600)
        await gateway.start()
        await clock.advance(60)
        assert RunStatus.SUCCESS in await gateway.statuses(other)
        await assert_all_is_served(gateway, other)

    async def test_an_engine_that_is_off_records_what_the_others_miss(
        self, gateway: Gateway, clock: ManualClock, break_row: Break, statement: str
    ) -> None:
        bad = await gateway.create(every="10m", on_miss="run_latest")
        other = await gateway.create(every="10m", on_miss="run_latest")
        await gateway.stop()
        await gateway.start(enable_cron=False)
        await clock.advance(1200)
        break_row(statement, id=bad.job_id)
        await clock.advance(1200)
        missed = [
            one.span.count for one in await gateway.pending() if one.source_ref == other.job_id
        ]
        assert sum(missed) == 3
        await gateway.stop()
        await gateway.start(enable_cron=True)
        await clock.advance(1)
        assert len(await gateway.runs(other)) >= 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET trigger = 'because' WHERE run_id = :id",
        "UPDATE runs SET queued_at = 1e300 WHERE run_id = :id",
        "UPDATE runs SET queued_at = 'then' WHERE run_id = :id",
        "UPDATE runs SET job_version = 99 WHERE run_id = :id",
    ],
)
class TestARun:
    async def queued(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> tuple[Job, Job]:
        """Two jobs whose slots wait for a worker."""
        runner.hold()
        for _ in range(8):
            await gateway.create(run_at="1s", timeout_seconds=86_400)
        bad = await gateway.create(every="10s", queue_limit_seconds=900, overlap="queue_one")
        await clock.advance(11)
        other = await gateway.create(run_at="1s")
        await clock.advance(2)
        return bad, other

    async def test_one_that_is_queued_ends_in_an_error_and_its_job_goes_on(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        break_row: Break,
        statement: str,
    ) -> None:
        bad, other = await self.queued(gateway, runner, clock)
        (run,) = await gateway.runs(bad)
        break_row(statement, id=run.run_id)
        runner.release()
        await clock.advance(20)
        assert await gateway.statuses(other) == [RunStatus.SUCCESS]
        assert RunStatus.SUCCESS in await gateway.statuses(bad)
        with closing(sqlite3.connect(gateway.runtime.settings.database_path)) as connection:
            found = connection.execute(
                "SELECT status, error FROM runs WHERE run_id = ?", (run.run_id,)
            ).fetchone()
        assert found[0] == "error"
        assert "cannot be read" in found[1]
        failed = [e for e in await gateway.events() if e.type == "cron_run_failed"]
        assert [e.data["run"]["run_id"] for e in failed] == [run.run_id]
        if "job_version" not in statement:  # its row can be read, and says how it ended
            await assert_told(gateway, clock, "runs")
        await assert_all_is_served(gateway, other)
        assert (await gateway.ledger()).unaccounted == []

    async def test_one_that_has_waited_too_long_does_not_keep_others_from_being_missed(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        break_row: Break,
        statement: str,
    ) -> None:
        bad, other = await self.queued(gateway, runner, clock)
        (run,) = await gateway.runs(bad)
        break_row(statement, id=run.run_id)
        await clock.advance(901)
        assert [one.source_ref for one in await gateway.pending() if one.source_ref == other.job_id]
        assert gateway.runtime.supervisor.failures == {}

    async def test_one_that_was_left_running_is_closed_at_the_next_start(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        break_row: Break,
        statement: str,
    ) -> None:
        runner.hold()
        bad, other = await gateway.create(every="1m"), await gateway.create(every="1m")
        await clock.advance(61)
        (run,) = await gateway.runs(bad)
        await gateway.kill()
        runner.release()
        break_row(statement, id=run.run_id)
        await gateway.start()
        await clock.advance(60)
        assert (await gateway.statuses(other))[-1] is RunStatus.SUCCESS
        assert (await gateway.statuses(bad))[-1] is RunStatus.SUCCESS


async def test_a_slot_with_a_time_of_its_own_does_not_hold_up_others(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock, break_row: Break
) -> None:
    jobs = [await gateway.create(run_at="10m") for _ in range(2)]
    retried = await gateway.create(run_at="1m", retries=1, retry_backoff=[60])
    runner.answer(FAILURE)
    for job in jobs:
        slot = SlotKey(Source.CRON, job.job_id, gateway.began + 10 * MINUTE)
        await gateway.runtime.slot_overrides.make(
            slot, OverrideKind.MOVE, by="ada", move_to="in 2m"
        )
    break_row("UPDATE slots SET job_version = 99 WHERE source_ref = :id", id=jobs[0].job_id)
    break_row("UPDATE job_versions SET spec = '{' WHERE job_id = :id", id=jobs[0].job_id)
    await clock.advance(150)
    assert await gateway.statuses(jobs[1]) == [RunStatus.SUCCESS]
    assert await gateway.statuses(retried) == [RunStatus.ERROR, RunStatus.SUCCESS]
    assert gateway.runtime.supervisor.failures == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE missed SET status = 'pending', cause = 'gremlins' WHERE source_ref = :id",
        "UPDATE missed SET first_at = -9e18 WHERE source_ref = :id",
        "UPDATE missed SET created_at = 1e300 WHERE source_ref = :id",
    ],
)
async def test_a_miss_that_cannot_be_read_does_not_keep_others_from_expiring(
    gateway: Gateway, clock: ManualClock, break_row: Break, statement: str
) -> None:
    bad, other = [await gateway.create(every="1h", useful_for_seconds=600) for _ in range(2)]
    await gateway.kill()
    clock.step(3600 + 300)
    await gateway.start()
    break_row(statement, id=bad.job_id)
    await clock.advance(600)
    assert (await gateway.ledger(other)).missed == {"expired": 1}
    assert gateway.runtime.supervisor.failures == {}
    await assert_told(gateway, clock, "missed")
    await assert_all_is_served(gateway, other)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{not json' WHERE seq = :id",
        "UPDATE events SET type = 'cron_run_exploded' WHERE seq = :id",
        "UPDATE events SET timestamp = 1e300 WHERE seq = :id",
        "UPDATE events SET data = '{}' WHERE seq = :id",
    ],
)
async def test_an_event_that_cannot_be_read_is_passed_over_by_all_who_follow(
    gateway: Gateway, clock: ManualClock, break_row: Break, statement: str
) -> None:
    other = await gateway.create(every="1m")
    await clock.advance(61)
    started = next(e for e in await gateway.events() if e.type == "cron_run_completed")
    await gateway.kill()
    break_row(statement, id=started.seq)
    await gateway.start()
    await clock.advance(120)
    seqs = [event.seq for event in await gateway.events()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert gateway.runtime.supervisor.failures == {}
    assert await gateway.runtime.projector.is_caught_up()
    await assert_all_is_served(gateway, other)


async def test_a_setting_that_cannot_be_read_does_not_keep_the_gateway_from_starting(
    gateway: Gateway, break_row: Break
) -> None:
    name = "UA_SCHED_PUSH_ENABLED"
    await gateway.runtime.flags.change({name: False}, by="ada")
    await gateway.kill()
    break_row("UPDATE meta SET value = 'off' WHERE name = :name", name=f"flag:{name}")
    await gateway.start()
    assert gateway.runtime.flags[name] is True


async def test_a_session_that_cannot_be_read_does_not_keep_the_gateway_from_starting(
    gateway: Gateway, clock: ManualClock, break_row: Break
) -> None:
    bad, other = await gateway.session("s1"), await gateway.session("s2")
    await gateway.kill()
    break_row("UPDATE job_versions SET spec = '{' WHERE job_id = :id", id=bad.job_id)
    await gateway.start()
    await clock.advance(61)
    assert RunStatus.SUCCESS in await gateway.statuses(other)
