"""What a calendar program that subscribes makes of it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import icalendar
import pytest

from tests.integration.histories import History
from universal_agent.api.app import create_app
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


async def test_times_are_in_the_zone_that_was_asked_for_and_the_zone_is_told(
    history: History, client: httpx.AsyncClient
) -> None:
    await history.create(4, 0, 0)  # at 09:00 in Berlin
    found = await entries(client)
    assert {(event["DTSTART"].dt.hour, event["DTSTART"].dt.minute) for event in found.values()} == {
        (9, 0)
    }
    text = (await client.get(PATH, params=BERLIN)).text
    assert "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin" in text
    assert "DTSTART;TZID=Europe/Berlin:20260115T090000" in text


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
