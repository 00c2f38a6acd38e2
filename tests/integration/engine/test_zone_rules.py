"""A zone has other rules at the next start: the past is judged by the old ones, the rest planned by
the new.
"""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, Gateway
from tests.oracle.zone_files import AN_HOUR_EAST, NO_SUMMER_TIME, SUMMER_TIME, TOWN, put_rules
from universal_agent.api.app import create_app
from universal_agent.domain.active_hours import ActiveHours
from universal_agent.domain.explain import explain
from universal_agent.domain.job_draft import PAUSED, RESUMED, JobDraft
from universal_agent.domain.local_time import forget_zones
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind
from universal_agent.errors import InvalidSchedule
from universal_agent.store import verbs
from universal_agent.testing import ManualClock

DAY = timedelta(days=1)

#: Wednesday; the town's clocks show 13:00 in winter.
NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[Path]:
    """Where the town's rules are; it begins with summer time."""
    path = zoneinfo.TZPATH
    folder = tmp_path / "zoneinfo"
    put_rules(folder, SUMMER_TIME)
    yield folder
    zoneinfo.reset_tzpath(path)
    forget_zones()


async def restart(gateway: Gateway, rules: Path, rule: str, *, after: timedelta) -> None:
    """Kill the gateway, let time pass, and start it with other rules for the town."""
    await gateway.kill()
    await gateway.clock.advance(after.total_seconds())
    put_rules(rules, rule)
    await gateway.start()


async def restart_without_the_zone(gateway: Gateway, rules: Path) -> None:
    """Kill the gateway, and start it where the town's rules are gone."""
    await gateway.kill()
    (rules / TOWN).unlink()
    forget_zones()
    await gateway.start()


async def test_the_next_slots_are_those_of_the_new_rules(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    assert job.next_run_at == NOON + 2 * HOUR
    await restart(gateway, rules, AN_HOUR_EAST, after=10 * MINUTE)
    planned = await gateway.job(job)
    assert (planned.version, planned.next_run_at) == (2, NOON + HOUR)
    await clock.advance(4 * 3600)
    assert gateway.runner.slots == [NOON + HOUR]
    ledger = await gateway.ledger(job)
    assert (ledger.expected, ledger.ran, ledger.unaccounted) == (1, {"success": 1}, [])


async def test_what_passed_before_the_start_is_judged_by_the_old_rules(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await gateway.kill()
    clock.step(3 * DAY.total_seconds())
    put_rules(rules, AN_HOUR_EAST)
    await gateway.start()
    (missed,) = await gateway.pending()
    assert (missed.span.count, missed.job_version) == (3, 1)
    assert missed.span.first_at == NOON + 2 * HOUR
    await clock.advance(2 * 3600)
    ledger = await gateway.ledger(job)
    assert (ledger.expected, ledger.missed["pending"], ledger.unaccounted) == (4, 3, [])


async def test_the_ledger_does_not_judge_the_past_by_the_new_rules(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await clock.advance(3 * 3600)
    before = await gateway.ledger(job)
    past = SlotKey(job.source, job.job_id, NOON + 2 * HOUR)
    for rule in (AN_HOUR_EAST, NO_SUMMER_TIME, SUMMER_TIME):
        await restart(gateway, rules, rule, after=MINUTE)
        ledger = await gateway.ledger(job, end=before.end)
        assert (ledger.expected, ledger.ran, ledger.unaccounted) == (1, {"success": 1}, [])
        history = await gateway.store.read(verbs.ledger.slot_history, past)
        assert explain(past, history, now=clock.now()).outcome == "success"
    assert (await gateway.job(job)).version == 4


async def test_a_job_goes_on_without_losing_or_repeating_a_day(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    """No summer time any more: known only after the gateway had planned its first slot by it."""
    clock.step((datetime(2026, 3, 28, 12, tzinfo=UTC) - clock.now()).total_seconds())
    await clock.advance(2)
    job = await gateway.create(cron_expr="0 7 * * *", timezone=TOWN)
    assert job.next_run_at == datetime(2026, 3, 29, 5, tzinfo=UTC)
    await restart(gateway, rules, NO_SUMMER_TIME, after=10 * MINUTE)
    await clock.advance(1.8 * DAY.total_seconds())
    days = [datetime(2026, 3, 29, 6, tzinfo=UTC) + n * DAY for n in range(2)]
    assert gateway.runner.slots == days
    assert (await gateway.ledger(job)).unaccounted == []


async def test_people_are_told_once_and_each_job_says_why(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    jobs = [await gateway.create(cron_expr="0 15 * * *", timezone=TOWN) for _ in range(3)]
    other = await gateway.create(cron_expr="0 15 * * *", timezone="Europe/Berlin")
    every = await gateway.create(every="1h", timezone=TOWN)
    await restart(gateway, rules, AN_HOUR_EAST, after=MINUTE)
    await clock.advance(60)
    events = await gateway.events()
    (changed,) = [event for event in events if event.type == "zone_rules_changed"]
    assert (changed.data["timezone"], changed.data["jobs"]) == (TOWN, 3)
    updated = [event for event in events if event.type == "cron_job_updated"]
    assert {event.source_ref for event in updated} == {job.job_id for job in jobs}
    assert all(event.data["changed"] == ["zone_rules"] for event in updated)
    assert all(TOWN in event.data["reason"] for event in updated)
    assert [(await gateway.job(job)).version for job in (other, every)] == [1, 1]
    told = [
        one.kind
        for one in await gateway.store.read(verbs.notifications.list_notifications, limit=9)
    ]
    assert told == ["zone_rules_changed"]
    await restart(gateway, rules, AN_HOUR_EAST, after=MINUTE)
    assert (await gateway.kinds())["zone_rules_changed"] == 1


async def test_a_job_that_is_off_gets_the_new_rules_when_it_is_switched_on(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await gateway.runtime.jobs.edit(job.job_id, PAUSED)
    await restart(gateway, rules, AN_HOUR_EAST, after=MINUTE)
    assert (await gateway.job(job)).version == 2
    resumed = await gateway.runtime.jobs.edit(job.job_id, RESUMED)
    assert resumed.next_run_at == NOON + HOUR


async def test_an_edit_after_the_change_that_repeats_the_schedule_changes_nothing(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart(gateway, rules, AN_HOUR_EAST, after=MINUTE)
    planned = await gateway.job(job)
    fields = {"cron_expr": "0 15 * * *", "timezone": TOWN}
    assert (
        await gateway.runtime.jobs.edit(job.job_id, JobDraft.of(fields))
    ).version == planned.version


async def test_a_skip_of_a_slot_that_the_new_rules_do_not_have_is_void(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    slot = SlotKey(job.source, job.job_id, NOON + 2 * HOUR)
    await gateway.runtime.slot_overrides.make(slot, OverrideKind.SKIP, by="ada")
    await restart(gateway, rules, AN_HOUR_EAST, after=MINUTE)
    await clock.advance(4 * 3600)
    ledger = await gateway.ledger(job)
    assert (ledger.expected, ledger.ran, ledger.skipped) == (1, {"success": 1}, {})


async def test_a_zone_that_is_gone_is_read_by_the_rules_on_record(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    await clock.advance(3 * 3600)
    assert gateway.runner.slots == [NOON + 2 * HOUR]
    assert (await gateway.job(job)).version == 1
    assert (await gateway.ledger(job)).unaccounted == []


async def test_a_job_whose_zone_is_gone_is_shown_edited_and_explained_in_its_own_time(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    path = f"/api/v1/cron/jobs/{job.job_id}"
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        shown = await client.get(path)
        edited = await client.put(path, json={"title": "tea"})
        coming = await client.get("/api/v1/cron/next")
        explained = await client.get(
            "/api/v1/ops/scheduling/explain",
            params={"event_id": SlotKey(Source.CRON, job.job_id, NOON + 2 * HOUR).event_id},
        )
        asked = await client.post(
            f"/api/v1/ops/calendar/events/cron|{job.job_id}|"
            f"{int((NOON + 2 * HOUR).timestamp())}/change-request",
            json={"instruction": "pause it", "timezone": "UTC"},
        )
    answers = [shown, edited, coming, explained, asked]
    assert [answer.status_code for answer in answers] == [200] * 5, [a.text for a in answers]
    local = "2026-01-14T15:00:00+01:00"
    assert shown.json()["echo"]["next"][0]["local"] == local
    assert edited.json()["echo"]["next"][0]["local"] == local
    assert coming.json()["next"][0]["local"] == local
    assert asked.json()["proposal"]["before"]["next"][0]["local"] == local
    assert "2026-01-14 15:00:00 in Test/Town" in explained.json()["sentences"][0]


@pytest.mark.parametrize(
    ("instruction", "planned"),
    [
        ("at 16:00", NOON + 3 * HOUR),
        ("every day at 16:00", NOON + 3 * HOUR),
        ("0 16 * * *", NOON + 3 * HOUR),
        ("only once, tomorrow at 16:00", NOON + DAY + 3 * HOUR),
        ("pause it", None),
    ],
)
async def test_a_change_of_a_job_whose_zone_is_gone_is_read_in_its_own_time(
    rules: Path, gateway: Gateway, instruction: str, planned: datetime | None
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    slot = SlotKey(Source.CRON, job.job_id, NOON + 2 * HOUR)
    proposal = await gateway.runtime.changes.propose(slot, instruction)
    await gateway.runtime.changes.confirm(slot, proposal, approve=True, by="ada")
    assert (await gateway.job(job)).next_run_at == planned


async def test_a_slot_of_a_job_whose_zone_is_gone_is_moved_in_its_own_time(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    slot = SlotKey(Source.CRON, job.job_id, NOON + 2 * HOUR)
    proposal = await gateway.runtime.changes.propose(slot, "move to 14:00")
    await gateway.runtime.changes.confirm(slot, proposal, approve=True, by="ada")
    await clock.advance(3600)
    (run,) = await gateway.runs()
    assert run.started_at == NOON + HOUR


async def test_a_new_job_in_a_zone_that_is_gone_is_refused(rules: Path, gateway: Gateway) -> None:
    await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    with pytest.raises(InvalidSchedule, match=TOWN):
        await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)


async def test_the_active_hours_of_a_zone_that_is_gone_are_read_by_the_rules_on_record(
    rules: Path, gateway: Gateway
) -> None:
    await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await restart_without_the_zone(gateway, rules)
    hours = ActiveHours.parse("15:00-16:00")
    seen = [hours.contain(NOON + n * HOUR, timezone=TOWN) for n in range(4)]
    assert seen == [False, False, True, False]


async def test_a_slot_of_the_past_is_explained_in_the_time_that_it_was_planned_in(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await clock.advance(3 * 3600)
    await restart(gateway, rules, AN_HOUR_EAST, after=10 * MINUTE)
    history = await gateway.store.read(
        verbs.ledger.slot_history, SlotKey(Source.CRON, job.job_id, NOON + 2 * HOUR)
    )
    story = explain(SlotKey(Source.CRON, job.job_id, NOON + 2 * HOUR), history, now=clock.now())
    assert "2026-01-14 15:00:00 in Test/Town" in story.sentences[0]


async def test_jobs_of_an_engine_that_is_off_wait_for_it_with_the_old_rules(
    rules: Path, gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 15 * * *", timezone=TOWN)
    await gateway.kill()
    put_rules(rules, AN_HOUR_EAST)
    await gateway.start(enable_cron=False)
    await clock.advance(3 * 3600)
    await gateway.kill()
    await gateway.start(enable_cron=True)
    (missed,) = await gateway.pending()
    assert missed.span.first_at == missed.span.last_at == NOON + 2 * HOUR
    assert (await gateway.job(job)).next_run_at == NOON + HOUR + DAY
    assert (await gateway.ledger(job)).unaccounted == []
