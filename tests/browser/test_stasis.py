"""Deciding about missed slots, by mouse and by keyboard, alone and in a race."""

import re

from playwright.sync_api import Locator, Page, Route, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.api import Api, until
from tests.browser.conftest import MakeGateway, Visit


def row(page: Page, title: str) -> Locator:
    """The missed slots of one job."""
    return page.get_by_role("listitem", name=f"{title}, missed")


def approved(gateway: GatewayProcess, job_id: str) -> int:
    """How many runs of a job somebody approved."""
    with Api(gateway) as api:
        return sum(run["trigger"] == "approved" for run in api.runs(job_id))


def test_a_double_click_on_approve_makes_exactly_one_run(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    visitor = visit(gateway)
    with Api(gateway) as api:
        item = api.stasis()["Inbox triage"]
    page, other = visitor.open("/stasis"), visit(gateway).open("/stasis")
    expect(row(other, "Inbox triage")).to_be_visible()
    row(page, "Inbox triage").get_by_role("button", name="Approve & Run").dblclick()
    expect(row(page, "Inbox triage")).to_have_count(0)
    expect(row(other, "Inbox triage")).to_have_count(0)
    expect(
        page.get_by_role("region", name="Notices").get_by_text("Running Inbox triage")
    ).to_be_visible()
    assert visitor.asked("POST /api/v1/ops/calendar/events/") == 1
    until(lambda: approved(gateway, item["event"]["source_ref"]) == 1)
    epoch = item["event"]["scheduled_at_epoch"]
    page.goto(f"{gateway.base_url}/calendar?view=list&q=Inbox")
    with Api(gateway) as api:
        events = api.get("/api/v1/ops/calendar/events", start=str(epoch - 60), end=str(epoch + 60))[
            "events"
        ]
    (slot,) = [each for each in events if each["event_id"] == item["event_id"]]
    assert slot["status"] in ("running", "success")


def test_a_missed_slot_is_rescheduled_to_a_time_that_exists_and_is_ahead(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    visitor = visit(gateway)
    visitor.may_fail.update(("/action", "/preview"))
    page = visitor.open("/stasis?tz=Europe/Berlin")
    row(page, "Metrics scrape").get_by_role("button", name="Reschedule…").click()
    dialog = page.get_by_role("dialog")
    when = dialog.get_by_role("textbox", name="When")
    when.fill("2020-01-01 10:00")
    expect(dialog.get_by_role("status")).to_contain_text("past")
    dialog.get_by_text("Date and time").click()
    dialog.get_by_label("When, in Europe/Berlin").fill("2027-03-28T02:30")
    expect(dialog.get_by_role("status")).to_contain_text("03:00")
    expect(dialog.get_by_role("status")).to_contain_text(re.compile("CEST|GMT\\+2"))
    assert violations(page) == []
    dialog.get_by_role("button", name="Reschedule", exact=True).click()
    expect(row(page, "Metrics scrape")).to_have_count(0)
    notice = page.get_by_role("region", name="Notices")
    expect(notice.get_by_text("Rescheduled Metrics scrape")).to_be_visible()


def test_a_deletion_is_taken_back_by_undo(make_gateway: MakeGateway, visit: Visit) -> None:
    gateway = make_gateway(history=True)
    page = visit(gateway).open("/stasis")
    row(page, "Repo sync").get_by_role("button", name="Delete").click()
    expect(row(page, "Repo sync")).to_have_count(0)
    page.get_by_role("region", name="Notices").get_by_role("button", name="Undo").click()
    expect(row(page, "Repo sync")).to_be_visible()
    with Api(gateway) as api:
        assert api.stasis()["Repo sync"]["status"] == "pending"


def test_the_queue_is_decided_as_recommended_after_a_look_at_what_that_means(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    page = visit(gateway).open("/stasis")
    with Api(gateway) as api:
        items = api.stasis()
    for title, item in items.items():
        words = {"approve": "run it", "reschedule": "run it later", "delete": "delete it"}
        said = f"Recommended: {words[item['recommended']['decision']]} - "
        expect(row(page, title)).to_contain_text(said)
    page.get_by_role("button", name="Decide all as recommended").click()
    dialog = page.get_by_role("dialog")
    for title in items:
        expect(dialog.get_by_role("listitem").filter(has_text=title)).to_be_visible()
    assert violations(page) == []
    dialog.get_by_role("button", name="Decide as recommended").click()
    expect(page.get_by_text("Nothing is waiting")).to_be_visible()
    with Api(gateway) as api:
        entries = api.get("/api/v1/ops/audit", limit="100")["entries"]
    decided = {
        entry["data"]["event_id"]: entry["data"]["action"]
        for entry in entries
        if entry["type"] == "calendar_missed_resolved"
    }
    actions = {
        "approve": "approve_backfill_run",
        "reschedule": "reschedule",
        "delete": "delete_missed",
    }
    for item in items.values():
        assert decided[item["event_id"]] == actions[item["recommended"]["decision"]]


def test_who_decides_second_is_told_kindly_that_it_is_done(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    second = visit(gateway)
    second.may_fail.add("/action")
    page = second.open("/stasis")
    with Api(gateway) as api:
        item = api.stasis()["Repo sync"]

    def be_faster(route: Route) -> None:
        with Api(gateway) as api:
            path = f"/api/v1/ops/calendar/events/{item['event_id']}/action"
            api.post(path, action="delete_missed")
        route.continue_()

    second.context.route("**/api/v1/ops/calendar/events/*/action", be_faster)
    row(page, "Repo sync").get_by_role("button", name="Approve & Run").click()
    notice = page.get_by_role("region", name="Notices")
    expect(notice.get_by_text(re.compile("^Already handled"))).to_be_visible()
    expect(row(page, "Repo sync")).to_have_count(0)
    assert approved(gateway, item["event"]["source_ref"]) == 0


def test_a_missed_run_is_found_and_approved_by_keyboard_alone(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(history=True)
    page = visit(gateway).open("/")
    press = page.keyboard.press
    press("Control+k")
    expect(page.get_by_role("textbox", name="Search pages, jobs and commands")).to_be_focused()
    page.keyboard.type("stasis")
    expect(page.get_by_role("dialog").get_by_text("Overview")).to_have_count(0)
    press("Enter")
    expect(page.get_by_role("heading", name="Stasis", level=1)).to_be_visible()
    expect(row(page, "Inbox triage")).to_be_visible()
    for _ in range(80):
        press("Tab")
        if row(page, "Inbox triage").evaluate("(row) => row === document.activeElement"):
            break
    press("e")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    press("Escape")
    expect(dialog).to_have_count(0)
    expect(row(page, "Inbox triage")).to_be_focused()
    press("a")
    expect(row(page, "Inbox triage")).to_have_count(0)
    with Api(gateway) as api:
        assert "Inbox triage" not in api.stasis()


def test_typing_in_a_field_is_no_shortcut(gateway: GatewayProcess, visit: Visit) -> None:
    page = visit(gateway).open("/calendar?view=week")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    filter_box = page.get_by_label("Filter by title")
    expect(filter_box).to_be_focused()
    page.keyboard.type("dlmc?gj")
    expect(filter_box).to_have_value("dlmc?gj")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Calendar", level=1)).to_be_visible()
    assert "view=week" in page.url
