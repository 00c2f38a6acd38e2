"""Slots around every clock change of 2027, as icalendar reads them, against the JSON feed."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import icalendar
import pytest

from tests.integration.histories import History
from universal_agent.api.app import create_app
from universal_agent.testing import ManualClock

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "America/Santiago",
    "Africa/Cairo",
    "Pacific/Chatham",
)

#: Days on which a clock of these zones is changed, and the day after.
WINDOWS = (
    ("2027-02-06", "2027-02-08"),
    ("2027-03-13", "2027-03-15"),
    ("2027-03-27", "2027-03-29"),
    ("2027-04-03", "2027-04-05"),
    ("2027-04-29", "2027-05-01"),
    ("2027-09-04", "2027-09-06"),
    ("2027-09-25", "2027-09-27"),
    ("2027-10-02", "2027-10-04"),
    ("2027-10-30", "2027-11-01"),
    ("2027-11-06", "2027-11-08"),
)


@pytest.fixture
async def client(tmp_path: Path, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    history = await History.begin(tmp_path, clock)
    transport = httpx.ASGITransport(create_app(history.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        for zone in ZONES:
            job = {
                "title": zone,
                "command": "true",
                "runner": "shell",
                "cron_expr": "*/5 * * * *",
                "timezone": zone,
            }
            made = await client.post("/api/v1/cron/jobs", json=job)
            assert made.status_code == 200, made.text
        yield client
    await history.end()


@pytest.mark.timeout(300)
async def test_no_slot_around_a_clock_change_is_read_at_another_instant(
    client: httpx.AsyncClient,
) -> None:
    compared = 0
    wrong: list[str] = []
    for number, (start, end) in enumerate(WINDOWS):
        zone = ZONES[number % len(ZONES)]
        query = {"start": start, "end": end, "timezone": zone, "detail": "all"}
        feed = (await client.get("/api/v1/ops/calendar/events", params=query)).json()
        expected = {
            f"{event['event_id']}@universal-agent": datetime.fromisoformat(
                event["scheduled_at_utc"]
            )
            for event in feed["events"]
        }
        answer = await client.get("/api/v1/ops/calendar.ics", params=query)
        assert b"VTIMEZONE" not in answer.content
        read: dict[str, Any] = {
            str(event["UID"]): event.decoded("DTSTART")
            for event in icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
        }
        assert all(at.tzinfo is not None for at in read.values())
        wrong += [uid for uid in expected | read if read.get(uid) != expected.get(uid)]
        compared += len(read)
    assert wrong == []
    assert compared > 45_000
