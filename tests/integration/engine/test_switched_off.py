"""An engine that is switched off runs nothing; what it missed is decided once, at switch-on."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.job import Job
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, ManualClock, RecordingRunner
from universal_agent.views.calendar_provider import both_calendars

#: Cron alone is off, or heartbeats as well.
OFF: list[dict[str, Any]] = [
    {"enable_cron": False},
    {"enable_cron": False, "enable_heartbeat": False},
]
ON = {"enable_cron": True, "enable_heartbeat": True}
ON_MISS = ["ask", "run_latest", "run_all", "skip"]


@pytest.fixture(params=OFF, ids=["cron", "both"])
def off(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


async def restart(gateway: Gateway, **settings: Any) -> None:
    await gateway.stop()
    await gateway.start(**settings)


async def triggers(gateway: Gateway, job: Job) -> Counter[str]:
    return Counter(str(run.trigger) for run in await gateway.runs(job))


async def post(gateway: Gateway, path: str, **body: Any) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.post(path, json=body)


@pytest.mark.parametrize("on_miss", ON_MISS)
async def test_while_it_is_off_every_slot_waits_whatever_its_policy(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any], on_miss: str
) -> None:
    job = await gateway.create(every="10s", on_miss=on_miss)
    await restart(gateway, **off)
    await clock.advance(300)
    assert await gateway.runs(job) == []
    missed = await gateway.pending()
    assert {(one.cause, one.span.status) for one in missed} == {
        (Cause.ENGINE_OFF, MissedStatus.PENDING)
    }
    assert sum(one.span.count for one in missed) == 23, "seven are within their grace"
    assert len({one.outage_id for one in missed}) == 1
    ledger = await gateway.ledger()
    assert (ledger.unaccounted, ledger.in_flight) == ([], 7)


@pytest.mark.parametrize("jump", ["step", "suspend"])
async def test_slots_that_the_clock_leaps_over_are_recorded_within_seconds(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any], jump: str
) -> None:
    await gateway.create(every="10m")
    await restart(gateway, **off)
    await clock.advance(5)
    getattr(clock, jump)(HOUR.total_seconds())
    await clock.advance(2)
    missed = await gateway.pending()
    assert [(one.cause, one.span.count) for one in missed] == [(Cause.ENGINE_OFF, 5)]
    ledger = await gateway.ledger()
    assert (ledger.unaccounted, ledger.in_flight) == ([], 1)


async def test_slots_are_recorded_when_the_clock_was_ahead_and_is_set_back(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    await gateway.create(every="10m")
    await restart(gateway, **off)
    clock.step(-HOUR.total_seconds())
    await clock.advance(2)
    clock.step(3 * HOUR.total_seconds())
    await clock.advance(2)
    ledger = await gateway.ledger()
    assert ledger.unaccounted == []
    assert sum(one.span.count for one in await gateway.pending()) > 0


@pytest.mark.parametrize(
    ("on_miss", "catch_ups", "missed"),
    [
        ("ask", 0, {"pending": 353}),
        ("run_latest", 1, {"superseded": 352, "approved_and_run": 1}),
        ("run_all", 100, {"superseded": 253, "approved_and_run": 100}),
        ("skip", 0, {}),
    ],
)
async def test_at_switch_on_the_policy_is_applied_once_to_the_whole_outage(
    gateway: Gateway,
    clock: ManualClock,
    off: dict[str, Any],
    on_miss: str,
    catch_ups: int,
    missed: dict[str, int],
) -> None:
    job = await gateway.create(every="10s", on_miss=on_miss, overlap="allow")
    await restart(gateway, **off)
    await clock.advance(3600)
    await restart(gateway, **ON)
    await clock.advance(1)
    found = await triggers(gateway, job)
    assert found[Trigger.CATCH_UP] == catch_ups
    assert found[Trigger.SCHEDULE] == 7, "those within their grace"
    ledger = await gateway.ledger()
    assert dict(ledger.missed) == missed
    assert ledger.unaccounted == []
    assert ledger.skipped == ({"on_miss": 353} if on_miss == "skip" else {})
    window = Window(start=gateway.began, end=clock.now() + HOUR, zone=ZoneInfo("UTC"))
    scanned, projected = await both_calendars(gateway.store, replace(window, include_resolved=True))
    assert (scanned.slots, scanned.missed) == (projected.slots, projected.missed)


async def test_the_latest_slot_of_the_outage_is_the_one_that_runs(
    gateway: Gateway, clock: ManualClock, runner: RecordingRunner, off: dict[str, Any]
) -> None:
    await gateway.create(every="10m", on_miss="run_latest")
    await restart(gateway, **off)
    await clock.advance(2 * 3600 + 300)
    await restart(gateway, **ON)
    await clock.advance(1)
    (request,) = runner.requests
    assert (request.trigger, request.scheduled_at) == (Trigger.CATCH_UP, gateway.began + 2 * HOUR)
    assert request.late_seconds == 300


async def test_an_outage_lasts_over_restarts_with_the_engine_off(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    job = await gateway.create(every="10m", on_miss="run_latest")
    for _ in range(3):
        await restart(gateway, **off)
        await clock.advance(1800)
    await gateway.kill()
    clock.step(3600)
    await gateway.start(**off)
    await clock.advance(1)
    assert {(one.cause, one.outage_id) for one in await gateway.pending()} == {
        (Cause.ENGINE_OFF, (await gateway.pending())[0].outage_id)
    }
    await restart(gateway, **ON)
    await clock.advance(1)
    assert (await triggers(gateway, job))[Trigger.CATCH_UP] <= 1
    assert dict((await gateway.ledger()).missed)["approved_and_run"] == 1


async def test_each_time_it_is_switched_off_is_an_outage_of_its_own(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    latest = await gateway.create(every="10m", on_miss="run_latest")
    await gateway.create(every="10m", on_miss="ask")
    for _ in range(2):
        await restart(gateway, **off)
        await clock.advance(3600 + 120)
        await restart(gateway, **ON)
        await clock.advance(1)
    assert (await triggers(gateway, latest))[Trigger.CATCH_UP] == 2
    assert len({one.outage_id for one in await gateway.pending()}) == 2
    assert (await gateway.ledger()).unaccounted == []


async def test_the_time_the_gateway_was_down_before_switch_on_belongs_to_the_outage(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    job = await gateway.create(every="10m", on_miss="run_latest")
    await restart(gateway, **off)
    await clock.advance(3600)
    await gateway.kill()
    clock.step(3600 + 120)
    await gateway.start(**ON)
    await clock.advance(1)
    assert (await triggers(gateway, job)) == {Trigger.CATCH_UP: 1}
    assert (await gateway.ledger()).missed == {"superseded": 11, "approved_and_run": 1}


async def test_a_kill_at_switch_on_decides_nothing_twice(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [await gateway.create(every="10m", on_miss="run_latest") for _ in range(60)]
    await restart(gateway, **off)
    await clock.advance(3600 + 120)
    await gateway.stop()

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr("universal_agent.store.verbs.switched_off.switched_on", die)
        with pytest.raises(RuntimeError, match="killed"):
            await gateway.start(**ON)
    await gateway.kill()
    await gateway.start(**ON)
    await clock.advance(1)
    assert [await triggers(gateway, job) for job in jobs] == [{Trigger.CATCH_UP: 1}] * 60


async def test_what_was_queued_before_is_missed_and_decided_with_the_rest(
    gateway: Gateway, clock: ManualClock, runner: RecordingRunner, off: dict[str, Any]
) -> None:
    runner.hold()
    for _ in range(8):
        await gateway.create(run_at="1s", timeout_seconds=86_400)
    job = await gateway.create(run_at="10s", on_miss="run_latest")
    await clock.advance(2)
    extra = await gateway.runtime.jobs.run_now((await gateway.create(run_at="1d")).job_id)
    await clock.advance(9)
    await gateway.kill()
    runner.release()
    await gateway.start(**off)
    await clock.advance(600)
    assert await gateway.statuses(job) == [RunStatus.SKIPPED]
    cancelled = await gateway.store.read(verbs.runs.get_run, extra.run_id)
    assert cancelled is not None
    assert (cancelled.status, cancelled.reason) == (RunStatus.CANCELLED, "engine_off")
    await restart(gateway, **ON)
    await clock.advance(1)
    assert await gateway.statuses(job) == [RunStatus.SKIPPED, RunStatus.SUCCESS]
    assert (await gateway.ledger(job)).missed == {"approved_and_run": 1}
    assert (await gateway.ledger()).unaccounted == []


async def test_a_retry_and_a_moved_slot_do_not_start(
    gateway: Gateway, clock: ManualClock, runner: RecordingRunner, off: dict[str, Any]
) -> None:
    retried = await gateway.create(run_at="1m", retries=3, retry_backoff=[120])
    runner.answer(FAILURE)
    moved = await gateway.create(run_at="10m")
    slot = SlotKey(Source.CRON, moved.job_id, gateway.began + 10 * MINUTE)
    await gateway.runtime.slot_overrides.make(slot, OverrideKind.MOVE, by="ada", move_to="in 20m")
    await clock.advance(61)
    await restart(gateway, **off)
    await clock.advance(1800)
    assert await gateway.statuses(retried) == [RunStatus.ERROR]
    assert await gateway.statuses(moved) == []
    (missed,) = await gateway.pending()
    assert (missed.source_ref, missed.cause) == (moved.job_id, Cause.ENGINE_OFF)
    assert (await gateway.ledger()).unaccounted == []


async def test_a_miss_expires_while_it_is_off_and_does_not_run_at_switch_on(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    job = await gateway.create(every="30m", on_miss="run_all", useful_for_seconds=2700)
    await restart(gateway, **off)
    await clock.advance(3 * 3600 + 120)
    ledger = await gateway.ledger()
    assert (ledger.missed["expired"], ledger.missed["pending"]) == (4, 2)
    await restart(gateway, **ON)
    await clock.advance(1)
    assert sorted(run.scheduled_at for run in await gateway.runs(job)) == [
        gateway.began + timedelta(minutes=150),
        gateway.began + 3 * HOUR,
    ]


@pytest.mark.parametrize(
    "body", [{"action": "approve_backfill_run"}, {"action": "reschedule"}, {"action": "run_now"}]
)
async def test_what_would_run_something_is_answered_503(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any], body: dict[str, Any]
) -> None:
    job = await gateway.create(every="10m")
    await restart(gateway, **off)
    await clock.advance(3600)
    before = await gateway.pending()
    event_id = before[0].event_id
    path = f"/api/v1/ops/calendar/events/{event_id}/action"
    answer = await post(gateway, path, **body)
    assert (answer.status_code, answer.json()["detail"]) == (503, "Cron service not available.")
    if body["action"] != "run_now":
        bulk = await post(gateway, "/api/v1/ops/stasis/bulk", event_ids=[event_id], **body)
        assert [one["code"] for one in bulk.json()["results"]] == [503]
    await clock.advance(1)
    assert (await gateway.runs(job), await gateway.pending()) == ([], before)


async def test_a_miss_may_be_deleted_and_then_does_not_run_at_switch_on(
    gateway: Gateway, clock: ManualClock, off: dict[str, Any]
) -> None:
    job = await gateway.create(every="1h", on_miss="run_latest")
    await restart(gateway, **off)
    await clock.advance(3600 + 120)
    (missed,) = await gateway.pending()
    path = f"/api/v1/ops/calendar/events/{missed.event_id}/action"
    assert (await post(gateway, path, action="delete_missed")).status_code == 200
    await restart(gateway, **ON)
    await clock.advance(60)
    assert await gateway.runs(job) == []


async def test_beats_that_are_off_are_not_woken_by_the_end_of_a_job(
    gateway: Gateway, clock: ManualClock
) -> None:
    beats = await gateway.session(every="1h")
    metadata = {"session_id": "s1", "wake_heartbeat": "now"}
    await gateway.create(run_at="10m", user_id="somebody", metadata=metadata)
    await restart(gateway, enable_heartbeat=False)
    await clock.advance(1200)
    assert await gateway.runs(beats) == []
    await restart(gateway, **ON)
    await clock.advance(2400)
    (beat,) = await gateway.runs(beats)
    assert beat.trigger is Trigger.SCHEDULE
    (request,) = gateway.beats.requests
    assert any(note.event_type == "heartbeat_wake" for note in request.notes)


async def test_beats_that_pass_while_they_are_off_wait_for_an_operator(
    gateway: Gateway, clock: ManualClock
) -> None:
    beats = await gateway.session(every="10m")
    await restart(gateway, enable_heartbeat=False)
    await clock.advance(1800 + 90)
    assert await gateway.runs(beats) == []
    assert {one.cause for one in await gateway.pending()} == {Cause.ENGINE_OFF}
    assert (await gateway.ledger()).unaccounted == []
    await restart(gateway, **ON)
    await clock.advance(SECOND.total_seconds())
    assert await gateway.runs(beats) == []
