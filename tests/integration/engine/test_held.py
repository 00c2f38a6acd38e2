"""Jobs that fail again and again are held: skipped slot by slot, probed, and released."""

import sqlite3
from contextlib import closing
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, Gateway
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.job import OffLabel
from universal_agent.domain.job_draft import PAUSED, RESUMED, JobDraft
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.testing import FAILURE, SUCCESS, ManualClock, RecordingRunner
from universal_agent.views.calendar_provider import both_calendars


class TestFailureInARow:
    async def test_a_job_that_fails_and_fails_is_held_and_each_of_its_slots_says_so(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=3)
        runner.usual = FAILURE
        await clock.advance(600)
        assert len(runner.requests) == 3
        held = await gateway.job(job)
        assert (held.spec.enabled, held.spec.off_label) == (True, OffLabel.AUTO_PAUSED)
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["error"], ledger.unaccounted) == (10, 3, [])
        assert ledger.skipped == {"breaker": 7}
        slot = SlotKey(Source.CRON, job.job_id, gateway.began + 5 * MINUTE)
        told = await gateway.runtime.ledger.explain(slot, now=clock.now())
        assert (told["outcome"], told["sentences"][-1]) == (
            "skipped",
            "It was skipped: too many slots of the job in a row had failed.",
        )

    async def test_the_job_says_since_when_until_when_and_what_it_has_cost(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        client: httpx.AsyncClient,
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=3)
        path = f"/api/v1/cron/jobs/{job.job_id}"
        assert (await client.get(path)).json()["breaker"] is None
        runner.usual = FAILURE
        await clock.advance(600)
        began = (gateway.began + 3 * MINUTE).timestamp()
        shown = (await client.get(path)).json()
        assert shown["breaker"] == {"since": began, "probe_at": began + 900, "slots": 7}
        # An edit that does not end it, and a probe that fails, leave its beginning.
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="other"))
        await clock.advance(900)
        breaker = (await client.get(path)).json()["breaker"]
        assert (breaker["since"], breaker["slots"]) == (began, 21)
        runner.usual = SUCCESS
        await clock.advance(3600)
        assert (await client.get(path)).json()["breaker"] is None

    async def test_a_person_who_resumes_it_ends_that(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=3)
        runner.usual = FAILURE
        await clock.advance(300)
        await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        resumed = await gateway.job(job)
        assert (resumed.spec.off_label, resumed.consecutive_failures) == (None, 0)
        await clock.advance(120)
        assert len(runner.requests) == 5
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["error"], ledger.unaccounted) == (7, 5, [])

    @pytest.mark.parametrize(
        ("fields", "ends_it"),
        [
            ({"command": "other"}, True),
            ({"every": "2m"}, True),
            ({"enabled": True}, True),
            ({"title": "other"}, False),
            ({"retries": 1}, False),
        ],
    )
    async def test_an_edit_ends_it_when_it_changes_what_runs(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        fields: dict[str, Any],
        ends_it: bool,
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=1)
        runner.answer(FAILURE)
        await clock.advance(60)
        edited = await gateway.runtime.jobs.edit(job.job_id, JobDraft.of(fields))
        assert edited.spec.is_held is not ends_it
        await clock.advance(180)
        assert (len(runner.requests) > 1) is ends_it

    async def test_a_held_job_that_a_person_switches_off_is_off(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=1)
        runner.answer(FAILURE)
        await clock.advance(60)
        off = await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        assert (off.spec.enabled, off.spec.off_label, off.probe_at) == (
            False,
            OffLabel.PAUSED,
            None,
        )
        on = await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        assert (on.spec.is_held, on.consecutive_failures) == (False, 0)

    async def test_it_is_held_on_after_a_restart_and_health_counts_it(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=1)
        await gateway.create(every="1h")
        runner.answer(FAILURE)
        await clock.advance(60)
        assert len(gateway.runtime.held_jobs) == 1
        await gateway.stop()
        await gateway.start()
        assert len(gateway.runtime.held_jobs) == 1
        assert gateway.runtime.health().ok
        summary = await gateway.runtime.dashboard_summary()
        assert summary["cron"]["paused_after_failures"] == 1
        await clock.advance(120)
        assert len(runner.requests) == 1
        await gateway.runtime.jobs.edit(job.job_id, RESUMED)
        await clock.settle()
        assert len(gateway.runtime.held_jobs) == 0

    async def test_the_projection_of_a_held_job_says_the_same_as_the_tables(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m", auto_pause_after=1)
        runner.usual = FAILURE
        await clock.advance(3600)
        now = clock.now()
        window = Window(start=now - HOUR, end=now + HOUR, zone=ZoneInfo("UTC"))
        scanned, projected = await both_calendars(gateway.store, window)
        assert (scanned.slots, scanned.jobs) == (projected.slots, projected.jobs)
        assert "breaker" in {slot.reason for slot in scanned.slots}


class TestJobsThatEarlierVersionsSwitchedOff:
    """Earlier versions switched a job off after repeated failures: it had no slots any more."""

    async def test_they_are_resumed_once_and_their_slots_are_expected_again(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        paused, off = await gateway.create(), await gateway.create()
        beats = await gateway.session()
        for job in (paused, off):
            await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        await gateway.stop()
        self.switch_off(gateway, paused.job_id, beats.job_id)
        await clock.advance(600)
        began = clock.now()
        await gateway.start()
        await clock.advance(180)
        for job in (paused, beats):
            assert (await gateway.job(job)).spec.off_label is None
            assert (await gateway.ledger(job, start=began)).expected == 3
        assert (await gateway.job(off)).spec.off_label is OffLabel.PAUSED
        await gateway.runtime.jobs.edit(paused.job_id, PAUSED)
        await gateway.stop()
        await gateway.start()
        assert not (await gateway.job(paused)).spec.enabled

    def switch_off(self, gateway: Gateway, *job_ids: str) -> None:
        """What the earlier version left, and the migration over it."""
        migration = resources.files("universal_agent.store") / "migrations"
        statements = (migration / "0026_auto_paused.sqlite.sql").read_text()
        with closing(sqlite3.connect(gateway.database_path)) as database, database:
            for job_id in job_ids:
                database.execute(
                    "UPDATE job_versions SET spec = json_set(spec, '$.enabled', json('false'), "
                    "'$.off_label', 'auto_paused') WHERE job_id = ? AND effective_until IS NULL",
                    (job_id,),
                )
                database.execute(
                    "UPDATE jobs SET enabled = 0, next_run_at = NULL, due_at = NULL, "
                    "consecutive_failures = 10 WHERE job_id = ?",
                    (job_id,),
                )
            database.execute(statements)
