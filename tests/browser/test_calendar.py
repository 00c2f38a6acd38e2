"""The calendar against a real gateway: a busy week, live changes, zones, links."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit
from tests.browser.visitor import document_facts
from universal_agent.clock import SystemClock

CALENDAR = "GET /api/v1/ops/calendar/events"

#: 3,200 slots in a week: 3,024 of four frequent jobs, 63 + 112 + 1 of those in the grid.
BUSY = {
    "Inbox triage": "*/10 * * * *",
    "Pulse": "3-59/10 * * * *",
    "Metrics scrape": "*/15 * * * *",
    "Repo sync": "*/30 * * * *",
    **{f"Daily {hour}": f"{hour} {hour} * * *" for hour in range(1, 10)},
    **{f"Watch {minute}": f"{minute} */6 * * *" for minute in (17, 34, 41, 52)},
}


def next_week() -> date:
    """The Sunday on which the next week begins: all of it is ahead."""
    today = SystemClock().now().date()
    return today + timedelta(days=7 - today.isoweekday() % 7)


def numbers(texts: list[str], pattern: str) -> int:
    """The sum of what the pattern finds in texts that have it."""
    found = (re.search(pattern, text) for text in texts)
    return sum(int(match[1]) for match in found if match)


def test_a_week_of_3200_slots_is_counted_exactly_in_few_nodes(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    sunday = next_week()
    with Api(gateway) as api:
        for title, expression in BUSY.items():
            api.create(title, cron_expr=expression)
        api.create("Once", run_at=f"{sunday + timedelta(days=3)}T12:00:00Z")
    page = visit(gateway).open(f"/calendar?date={sunday}&view=week")
    expect(page.get_by_text("3,200 slots")).to_be_visible()
    cells = page.get_by_role("cell")
    texts = cells.get_by_role("button").all_inner_texts()
    in_lanes = numbers(texts, r": (\d+) slots, 0 failed, 0 missed")
    hidden = numbers(texts, r"^\+(\d+) more$")
    in_grid = sum(text.startswith(("0", "1", "2")) for text in texts)
    assert (in_lanes, in_grid + hidden) == (3024, 176)
    assert document_facts(page)["nodes"] <= 4000


def test_a_slot_that_runs_is_followed_without_asking_again(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    noon = datetime.combine(next_week(), datetime.min.time(), UTC) + timedelta(hours=12)
    with Api(gateway) as api:
        job_id = api.create(
            "Followed", run_at=noon.isoformat(), command="until [ -e go ]; do sleep 0.05; done"
        )
        page = visitor.open(f"/calendar?view=day&date={noon.date()}")
        page.evaluate("() => { globalThis.isTheSameDocument = true }")
        slot = page.get_by_role("button", name="Followed, cron, ")
        expect(slot).to_have_accessible_name("12:00 Followed, cron, scheduled")
        expect(page.get_by_role("banner").get_by_text("Live")).to_be_visible()
        asked = visitor.asked(CALENDAR)
        event_id = f"cron|{job_id}|{int(noon.timestamp())}"
        api.post(f"/api/v1/ops/calendar/events/{event_id}/exception", run_early=True)
        expect(slot).to_have_accessible_name("12:00 Followed, cron, running")
        (gateway.data_dir / "workspaces" / f"cron_{job_id}" / "go").touch()
        expect(slot).to_have_accessible_name("12:00 Followed, cron, success")
        assert visitor.asked(CALENDAR) == asked
    assert page.evaluate("() => globalThis.isTheSameDocument")


@pytest.mark.parametrize(
    ("zone", "shown"), [("UTC", "01:30"), ("Europe/Berlin", "02:30"), ("Asia/Kolkata", "07:00")]
)
def test_one_instant_is_shown_in_the_zone_that_is_chosen_whatever_the_browser_has(
    gateway: GatewayProcess, visit: Visit, zone: str, shown: str
) -> None:
    title = f"Instant of {zone}"
    with Api(gateway) as api:
        api.create(title, run_at="2027-01-20T01:30:00Z")
    page = visit(gateway, timezone_id="Pacific/Auckland").open(
        f"/calendar?view=day&date=2027-01-20&tz={zone}"
    )
    expect(page.get_by_role("button", name=f"{title}, cron")).to_have_accessible_name(
        f"{shown} {title}, cron, scheduled"
    )


@pytest.mark.parametrize(
    ("zone", "day", "length", "note"),
    [
        ("Europe/Berlin", "2027-10-31", "25 h", "02:00–03:00 happens twice"),
        ("Europe/Berlin", "2027-03-28", "23 h", "02:00–03:00 does not exist"),
        ("Australia/Lord_Howe", "2027-10-03", "23.5 h", "02:00–02:30 does not exist"),
        ("Africa/Cairo", "2027-04-30", "23 h", "00:00–01:00 does not exist"),
    ],
)
def test_a_day_in_which_the_clock_is_changed_says_so(
    gateway: GatewayProcess, visit: Visit, zone: str, day: str, length: str, note: str
) -> None:
    with Api(gateway) as api:
        for hour in range(0, 24, 3):
            api.create("Every three hours", run_at=f"{day}T{hour:02}:15:00Z")
    page = visit(gateway).open(f"/calendar?view=week&date={day}&tz={zone}")
    expect(page.get_by_role("columnheader", name=f"({length})")).to_be_visible()
    expect(page.get_by_text(note)).to_be_visible()


def test_the_two_halves_of_a_repeated_hour_are_told_apart(
    gateway: GatewayProcess, visit: Visit
) -> None:
    with Api(gateway) as api:
        for hour in (0, 1):
            api.create("Half past two", run_at=f"2027-10-31T{hour:02}:30:00Z")
    page = visit(gateway).open("/calendar?view=day&date=2027-10-31&tz=Europe/Berlin")
    halves = page.get_by_role("button", name="Half past two, cron")
    expect(halves.first).to_have_accessible_name(re.compile("^02:30 (CEST|GMT\\+2) "))
    expect(halves.last).to_have_accessible_name(re.compile("^02:30 (CET|GMT\\+1) "))


def heading_of_days(page: Page) -> list[str]:
    """Of a week, once it is drawn."""
    expect(page.get_by_role("columnheader")).to_have_count(8)
    return page.get_by_role("columnheader").all_inner_texts()


def test_a_link_leads_to_the_same_view_before_and_after_a_reload(
    gateway: GatewayProcess, visit: Visit
) -> None:
    page = visit(gateway).open("/calendar?week=2026-11-22&tz=Asia/Kolkata&view=week")
    expect(page.get_by_text("Sun 22 Nov – Sat 28 Nov 2026")).to_be_visible()
    before = heading_of_days(page)
    page.reload()
    expect(page.get_by_text("Sun 22 Nov – Sat 28 Nov 2026")).to_be_visible()
    assert heading_of_days(page) == before
    assert before[0].startswith("ASIA/KOLKATA") or before[0].startswith("Asia/Kolkata")


def test_a_week_with_more_slots_than_one_answer_holds_is_shown_by_the_hour(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        for number in range(60):
            api.create(f"Busy {number:02}", cron_expr="*/5 * * * *")
    visitor = visit(gateway)
    visitor.may_fail.add("/calendar/events")
    page = visitor.open(f"/calendar?date={next_week()}&view=week")
    expect(page.get_by_text("120,960 slots · shown by the hour")).to_be_visible()
    expect(page.get_by_role("button", name="48 more lanes")).to_be_visible()
    page.get_by_role("button", name="Busy 00, Monday").click()
    lane = page.get_by_role("dialog")
    expect(lane.get_by_role("heading", name="288 slots").first).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_text("List", exact=True).click()
    expect(page.get_by_text("Too many slots for one page")).to_be_visible()
    page.get_by_role("button", name="Show one day").click()
    expect(page.get_by_text("17,280 slots")).to_be_visible()
