"""The same words have the same slots through every entrance that takes them."""

from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.domain.phrases import parse_schedule
from universal_agent.testing import ManualClock

JOBS = "/api/v1/cron/jobs"

REPEATING = (
    *("every 30 minutes", "every 2h", "every hour and a half", "every other hour", "@every 6h"),
    *("every day at 9am", "everyday at 10am", "9am daily", "every 9:30am", "every noon"),
    *("weekdays at 17:45", "Mon-Fri 9am", "tue/thu 3pm", "every monday 09:00", "fridays at 11am"),
    *("weekly on friday at noon", "every other friday at 9am", "every 2 weeks on monday at 9am"),
    *("every 3 days at 9am", "1st and 15th at 10:00", "last day of the month at 11pm"),
    *("first friday of the month at 4pm", "every july 4th at noon", "every 3rd friday at 10am"),
    *("every hour at :15", "every hour from 9 to 5 on weekdays", "every 30 minutes on weekends"),
    *("every day except sunday at 9am", "every quarter hour", "0 9 * * 1-5", "@daily"),
    *("every day at 03:00 UTC", "weekdays at 9am America/New_York", "OnCalendar=weekly"),
)
ONCE = (
    *("in 90 minutes", "8h", "tomorrow at noon", "tonight at 8", "next friday at 9am"),
    *("2027-01-02 09:00", "2 Jan 2027 at 9:00", "day after tomorrow at 9am", "in 3 days at 6pm"),
)


async def sent(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def following(text: str, now: datetime) -> list[datetime]:
    schedule = parse_schedule(text, now=now, timezone="Europe/Berlin").schedule
    slots: list[datetime] = []
    slot = schedule.next_after(now)
    while slot is not None and len(slots) < 3:
        slots.append(slot)
        slot = schedule.next_after(slot)
    return slots


def shown(answer: Any) -> list[datetime]:
    return [datetime.fromisoformat(slot["utc"]) for slot in islice(answer["next"], 3)]


async def changed(client: httpx.AsyncClient, job: Any, instruction: str) -> list[datetime]:
    event_id = quote(f"cron|{job['job_id']}|{int(job['next_run_at'])}", safe="")
    path = f"/api/v1/ops/calendar/events/{event_id}/change-request"
    return shown((await sent(client, path, instruction=instruction))["proposal"]["after"])


@pytest.mark.parametrize("text", [*REPEATING, *ONCE])
async def test_words_have_one_meaning_in_a_preview_a_new_job_an_edit_and_a_change_request(
    text: str, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    expected = following(text, clock.now())
    fields = {"command": "true", "timezone": "Europe/Berlin"}
    first = {"cron_expr": "0 7 * * *"} if text in REPEATING else {"run_at": "2027-06-01 07:00"}
    old = (await sent(client, JOBS, **fields, **first))["job"]
    assert await changed(client, old, f"change the schedule to {text}") == expected
    assert shown(await sent(client, "/api/v1/cron/preview", **fields, schedule=text)) == expected
    made = await sent(client, JOBS, **fields, schedule=text)
    assert shown(made["echo"]) == expected
    edited = await client.put(f"{JOBS}/{old['job_id']}", json={"schedule": text})
    assert edited.status_code == 200, edited.text
    assert shown(edited.json()["echo"]) == expected


@pytest.mark.parametrize("text", ONCE)
async def test_an_instant_has_one_meaning_as_run_at_and_where_a_slot_is_moved(
    text: str, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    (expected,) = following(text, clock.now())
    fields = {"command": "true", "timezone": "Europe/Berlin"}
    made = await sent(client, JOBS, **fields, run_at=text)
    assert shown(made["echo"]) == [expected]
    daily = (await sent(client, JOBS, **fields, cron_expr="0 7 * * *"))["job"]
    when = f"in {text}" if text == "8h" else text
    assert expected in await changed(client, daily, f"only once, {when}")
