"""Schedules and changes in words, through the API."""

from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.domain.slot import epoch
from universal_agent.testing import ManualClock

JOBS = "/api/v1/cron/jobs"


async def sent(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"schedule": "on the 31st of every month at 9am"}, "Only in months that have a day 31."),
        ({"schedule": "00:00"}, "00:00 has passed today, so tomorrow."),
        ({"cron_expr": "*/90 * * * *"}, "this runs hourly"),
        ({"cron_expr": "0 0 1 * mon"}, "one of the day fields, not both"),
        ({"cron_expr": "0 0 * * 5#3"}, "Debian's cron and Temporal run 5 every week"),
        ({"cron_expr": "0 0 9 * * *"}, "The first of six fields is the seconds"),
        ({"cron_expr": "0 9 * * 1-5"}, "Weekday 1 is Monday"),
        ({"cron_expr": "0 22-6 * * *"}, "22-6 goes round the end of the field"),
        ({"every": "1h", "runner": "shell", "command": r"date +\%F"}, r"The command has \%"),
    ],
)
async def test_what_may_not_be_expected_is_said_when_previewed_and_when_made(
    fields: dict[str, Any], note: str, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    fields = {"command": "true", **fields}
    previewed = await sent(client, "/api/v1/cron/preview", **fields)
    made = (await sent(client, JOBS, **fields))["echo"]
    for echo in (previewed, made):
        assert any(note in said for said in echo["notes"]), echo["notes"]


@pytest.mark.parametrize(
    ("fields", "zone", "source"),
    [
        ({"schedule": "every day at 9am"}, "UTC", "host"),
        (
            {"schedule": "every day at 9am", "timezone": "Europe/Berlin"},
            "Europe/Berlin",
            "timezone",
        ),
        ({"schedule": "every day at 9am Asia/Tokyo"}, "Asia/Tokyo", "schedule"),
    ],
)
async def test_the_answer_names_the_zone_and_where_it_came_from(
    fields: dict[str, Any], zone: str, source: str, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    made = await sent(client, JOBS, command="true", **fields)
    assert (made["job"]["timezone"], made["echo"]["timezone"]) == (zone, zone)
    assert made["echo"]["timezone_source"] == source
    shown = (await client.get(f"{JOBS}/{made['job']['job_id']}")).json()
    assert shown["echo"]["timezone_source"] == "job"


@pytest.mark.parametrize(
    ("instruction", "field", "value"),
    [
        ("change the command to echo hello", "command", "echo hello"),
        ("change the timezone to Asia/Tokyo", "timezone", "Asia/Tokyo"),
        ("on mondays", "cron_expr", "0 9 * * 1"),
        ("rename to Nightly", "title", "Nightly"),
    ],
)
async def test_a_change_in_words_is_made_when_it_is_confirmed(
    instruction: str, field: str, value: str, gateway: Gateway, client: httpx.AsyncClient
) -> None:
    job = (await sent(client, JOBS, command="true", cron_expr="0 9 * * *"))["job"]
    event = f"/api/v1/ops/calendar/events/cron|{job['job_id']}|{int(job['next_run_at'])}"
    asked = await sent(client, f"{event}/change-request", instruction=instruction)
    proposal_id = asked["proposal"]["proposal_id"]
    await sent(client, f"{event}/change-request/confirm", proposal_id=proposal_id, approve=True)
    assert (await client.get(f"{JOBS}/{job['job_id']}")).json()["job"][field] == value


async def test_a_slot_is_skipped_in_words_and_the_skip_taken_back(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    job = await gateway.create()
    slot = job.next_run_at
    assert slot is not None
    event = f"/api/v1/ops/calendar/events/cron|{job.job_id}|{epoch(slot)}"
    for instruction in ("skip it", "undo the skip"):
        asked = await sent(client, f"{event}/change-request", instruction=instruction)
        proposal_id = asked["proposal"]["proposal_id"]
        await sent(client, f"{event}/change-request/confirm", proposal_id=proposal_id, approve=True)
    await clock.advance((slot - clock.now()).total_seconds())
    ledger = (await client.get("/api/v1/ops/scheduling/ledger")).json()
    assert (ledger["unaccounted"], ledger["outcomes"]["skipped"]) == ([], {})
    assert ledger["outcomes"]["ran"]["success"] == 1


async def test_the_ledger_reads_times_of_the_past_in_words(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    answer = await client.get("/api/v1/ops/scheduling/ledger", params={"start": "2 hours ago"})
    assert answer.status_code == 200, answer.text
    refused = await client.get("/api/v1/ops/scheduling/ledger", params={"start": "20m"})
    assert refused.status_code == 400
    assert "20m ago" in refused.json()["detail"]
