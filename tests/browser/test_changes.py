"""Changing what is scheduled: in words, and in the form of a job."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.api import Api
from tests.browser.conftest import Visit


def propose(page: Page, title: str, instruction: str) -> Locator:
    """The dialog with a proposal in it."""
    page.get_by_role("button", name="Request change").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Of what").select_option(label=title)
    dialog.get_by_label("What is to change").fill(instruction)
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_role("button", name="Confirm")).to_be_visible()
    return dialog


def test_nothing_changes_before_the_proposal_is_confirmed(
    gateway: GatewayProcess, visit: Visit
) -> None:
    with Api(gateway) as api:
        path = f"/api/v1/cron/jobs/{api.create('Asked to move', cron_expr='0 7 * * *')}"
        before = api.get(path)["job"]
        page = visit(gateway).open("/jobs")
        dialog = propose(page, "Asked to move", "every day at 8:30")
        expect(dialog.get_by_role("row", name=re.compile("^schedule"))).to_contain_text(
            "at 08:30 every day"
        )
        expect(dialog.get_by_role("button", name="Confirm")).not_to_be_focused()
        assert violations(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        assert api.get(path)["job"] == before
        dialog = propose(page, "Asked to move", "every day at 8:30")
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_have_count(0)
        assert api.get(path)["job"]["cron_expr"] == "30 8 * * *"


def test_a_proposal_about_a_job_that_changed_meanwhile_is_previewed_again(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    visitor.may_fail.add("/change-request/confirm")
    with Api(gateway) as api:
        path = f"/api/v1/cron/jobs/{api.create('Moved by two', cron_expr='0 7 * * *')}"
        page = visitor.open("/jobs")
        dialog = propose(page, "Moved by two", "every day at 8:30")
        api.put(path, cron_expr="0 12 * * *")
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog.get_by_role("alert")).to_contain_text("changed since the preview")
        assert api.get(path)["job"]["cron_expr"] == "0 12 * * *"
        dialog.get_by_role("button", name="Preview again").click()
        expect(dialog.get_by_role("alert")).to_have_count(0)
        dialog.get_by_role("button", name="Confirm").click()
        expect(dialog).to_have_count(0)
        assert api.get(path)["job"]["cron_expr"] == "30 8 * * *"


def test_the_form_of_a_job_shows_what_was_understood_before_it_is_stored(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    visitor.may_fail.add("/cron/preview")
    page = visitor.open("/jobs?tz=UTC")
    page.get_by_role("button", name="Create a job").click()
    dialog = page.get_by_role("dialog", name="Create a job")
    understood = dialog.get_by_role("status")
    dialog.get_by_label("Title").fill("Made in the form")
    dialog.get_by_label("What to run").fill("echo done")
    when = dialog.get_by_role("textbox", name="When")
    when.fill("0 0 30 2 *")
    expect(understood).to_contain_text(re.compile("never|no date|does not", re.IGNORECASE))
    when.fill("every weekday at 9am")
    expect(understood).to_contain_text("at 09:00 on weekdays")
    expect(understood.get_by_role("listitem")).to_have_count(3)
    assert violations(page) == []
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("link", name="Made in the form").first).to_be_visible()
    with Api(gateway) as api:
        (job,) = [
            job
            for job in api.get("/api/v1/cron/jobs")["jobs"]
            if job["title"] == "Made in the form"
        ]
    assert job["description"].startswith("at 09:00 on weekdays")
