"""What a calendar program that subscribes makes of it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import icalendar
import pytest

from tests.integration.histories import History
from universal_agent.api.app import create_app
from universal_agent.domain.job_draft import JobDraft
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock

PATH = "/api/v1/ops/calendar.ics"
BERLIN = {"timezone_name": "Europe/Berlin"}


@pytest.fixture
async def history(tmp_path: Path, clock: ManualClock) -> AsyncIterator[History]:
    history = await History.begin(tmp_path, clock)
    yield history
    await history.end()


@pytest.fixture
async def client(history: History) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(history.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def entries(client: httpx.AsyncClient, **asked: str) -> dict[str, Any]:
    """The entries by UID, after a program has read the document."""
    answer = await client.get(PATH, params=BERLIN | asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    found = icalendar.Calendar.from_ical(answer.text)
    return {str(event["UID"]): event for event in found.walk("VEVENT")}


async def test_a_slot_keeps_its_uid_when_it_has_run(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(0, 0, 0)  # every 20 minutes
    day = {"start": "2026-01-14T12:00:00Z", "end": "2026-01-15T12:00:00Z"}
    before = await entries(client, **day)
    uid = min(before, key=lambda uid: before[uid]["DTSTART"].dt)
    await history.wait(35, 1, 0)
    await history.finish(0, 0, 0)
    after = await entries(client, **day)
    assert uid.startswith("cron|job_") and uid.endswith("@universal-agent")
    assert after.keys() == before.keys()
    assert before[uid]["DESCRIPTION"] == "every 20 minutes\nscheduled"
    assert after[uid]["DESCRIPTION"] == "every 20 minutes\nsuccess"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # 02:00 and 02:30 come twice: four instants.
        (
            "2026-10-24T22:00:00Z",
            "2026-10-25T03:00:00Z",
            "22:00 22:30 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30",
        ),
        # 02:00 and 02:30 do not exist.
        (
            "2026-03-28T23:00:00Z",
            "2026-03-29T03:00:00Z",
            "23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30",
        ),
    ],
    ids=["autumn", "spring"],
)
async def test_instants_are_utc_so_that_a_clock_change_moves_none(
    history: History, client: httpx.AsyncClient, start: str, end: str, expected: str
) -> None:
    await history.runtime.jobs.create(
        JobDraft(command="true", runner="shell", cron_expr="*/30 * * * *", timezone="Europe/Berlin")
    )
    found = await entries(client, start=start, end=end)
    starts = sorted(event["DTSTART"].dt for event in found.values())
    assert [at.strftime("%H:%M") for at in starts] == expected.split()
    assert {at.utcoffset() for at in starts} == {timedelta(0)}
    feed = await client.get(
        "/api/v1/ops/calendar/events", params=BERLIN | {"start": start, "end": end}
    )
    told = [event["scheduled_at_utc"] for event in feed.json()["events"]]
    assert [at.isoformat() for at in starts] == told


async def test_the_zone_is_named_for_programs_that_show_it(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(4, 0, 0)  # at 09:00 in Berlin
    text = (await client.get(PATH, params=BERLIN)).text
    assert "X-WR-TIMEZONE:Europe/Berlin" in text
    assert "DTSTART:20260115T080000Z" in text
    assert "VTIMEZONE" not in text


async def test_beats_and_what_comes_often_are_one_entry_a_day_unless_all_is_asked_for(
    history: History, client: httpx.AsyncClient
) -> None:
    runtime = history.runtime
    session = await runtime.sessions.create(
        user_id="somebody", workspace_dir=None, source="api", metadata={}
    )
    await runtime.jobs.create(JobDraft(command="true", runner="shell", every="5m"))
    await history.create(0, 0, 0)  # every 20 minutes
    day = {"start": "2026-01-16T00:00:00+01:00", "end": "2026-01-17T00:00:00+01:00"}
    found = await entries(client, **day)
    whole = [event for event in found.values() if not isinstance(event["DTSTART"].dt, datetime)]
    assert len(found) - len(whole) == 72
    feed = await client.get("/api/v1/ops/calendar/events", params=BERLIN | day)
    beats = sum(event["source"] == "heartbeat" for event in feed.json()["events"])
    assert beats > 50  # every 25 minutes
    told = {str(event["DESCRIPTION"]).split("\n")[1] for event in whole}
    assert told == {"288 scheduled", f"{beats} scheduled"}
    assert any(session.session_id in str(event["UID"]) for event in whole)
    everything = await entries(client, **day, detail="all")
    starts = [event["DTSTART"].dt for event in everything.values()]
    assert sum(isinstance(at, datetime) for at in starts) == 72 + 288 + beats


async def test_missed_slots_of_what_is_counted_by_the_day_wait_in_an_entry_of_their_own(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.runtime.jobs.create(JobDraft(command="true", runner="shell", every="5m"))
    await history.wait(60, 0, 0)  # an hour later
    (waiting,) = [
        event for event in (await entries(client)).values() if event["STATUS"] == "TENTATIVE"
    ]
    assert str(waiting["SUMMARY"]).endswith("missed)")


async def test_the_default_with_200_hourly_jobs_is_summarised_further_and_not_refused(
    history: History, client: httpx.AsyncClient
) -> None:
    fields = {"command": "true", "runner": "shell", "cron_expr": "0 * * * *"}
    for _ in range(200):
        await history.runtime.jobs.create(JobDraft.of(fields))
    found = await entries(client)
    jobs = {str(event["UID"]).split("|")[1] for event in found.values()}
    assert len(jobs) == 200
    assert not any(isinstance(event["DTSTART"].dt, datetime) for event in found.values())
    counted = BERLIN | {"detail": "counts"}
    refused = await client.get("/api/v1/ops/calendar/events", params=counted)
    assert refused.status_code == 400
    assert refused.json()["estimated_events"] > 100_000
    answer = await client.get(PATH, params=BERLIN)
    kept = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get(PATH, params=BERLIN, headers=kept)).status_code == 304


async def test_more_entries_than_a_program_can_use_are_refused(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.runtime.jobs.create(JobDraft(command="true", runner="shell", every="5m"))
    asked = BERLIN | {"start": "2026-01-15T00:00:00Z", "end": "2026-03-01T00:00:00Z"}
    assert (await client.get(PATH, params=asked)).status_code == 200
    refused = await client.get(PATH, params=asked | {"detail": "all"})
    assert refused.status_code == 400
    problem = refused.json()
    assert problem["type"].endswith(":window-too-large")
    assert problem["estimated_events"] > 10_000
    shorter = asked | {"detail": "all", "end": problem["suggested_end"]}
    assert (await client.get(PATH, params=shorter)).status_code == 200


async def test_what_waits_for_a_decision_is_tentative_and_what_was_skipped_cancelled(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(0, 0, 0)
    await history.wait(60, 0, 0)  # an hour later: two slots were missed
    await history.make_exception(0, 0, 0)
    statuses = [event["STATUS"] for event in (await entries(client)).values()]
    assert statuses.count("TENTATIVE") > 0
    assert statuses.count("CANCELLED") == 1


async def test_a_frequent_job_is_one_entry_a_day_with_its_counts(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(1, 0, 0)  # every second
    found = await entries(
        client, start="2026-01-15T00:00:00+01:00", end="2026-01-17T00:00:00+01:00"
    )
    days = sorted(found.values(), key=lambda event: event["DTSTART"].dt)
    assert [str(day["DTSTART"].dt) for day in days] == ["2026-01-15", "2026-01-16"]
    assert days[0]["DESCRIPTION"] == "every second\n86,400 scheduled"


async def test_a_program_that_has_it_is_told_so(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(0, 0, 0)
    first = await client.get(PATH)
    again = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await history.create(2, 0, 0)
    after = await client.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    assert after.status_code == 200


async def test_the_token_may_come_in_the_query_for_programs_that_send_no_headers(
    tmp_path: Path, clock: ManualClock
) -> None:
    token = "a-token-of-the-operator-0123456789"
    runtime = Runtime(Settings(data_dir=tmp_path / "closed", ops_token=token), clock=clock)
    await runtime.store.open()
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get(PATH)).status_code == 401
        assert (await client.get(PATH, params={"ops_token": token})).status_code == 200
    await runtime.store.close()
