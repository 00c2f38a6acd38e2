"""Text that others wrote: names and logs that would do harm, or are very long."""

import re

from playwright.sync_api import expect

from tests.browser.accessibility import violations
from tests.browser.api import Api, until
from tests.browser.conftest import MakeGateway, Visit
from tests.browser.visitor import document_facts

SCRIPT = "<img src=x onerror=\"document.title='harmed'\">"
LONG = "very-long-name-" * 13
RIGHT_TO_LEFT = "‮reversed‬ مرحبا 🐝🐝🐝"

PAGES = ("/", "/calendar?view=list", "/jobs", "/changes", "/activity?tab=events", "/logs")


def test_hostile_and_endless_text_is_shown_as_text_within_the_window(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        for title in (SCRIPT, LONG, RIGHT_TO_LEFT):
            job_id = api.create(
                title, command=f"printf '%s\\n' '{SCRIPT.replace(chr(39), chr(34))}' {'x' * 5000}"
            )
            api.run(job_id, wait_seconds=30)
    visitor = visit(gateway, viewport={"width": 390, "height": 844})
    page = visitor.open()
    for path in PAGES:
        visitor.go(page, path)
        expect(page).to_have_title(re.compile("Universal Agent"))
        assert document_facts(page)["beyond"] <= 0, path
        assert page.locator("main img").count() == 0
    expect(page.get_by_role("log").get_by_text("<img src=x")).to_be_visible()
    assert violations(page) == []


def test_a_log_of_100000_lines_is_followed_in_bounds_until_one_scrolls_up(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    with Api(gateway) as api:
        job_id = api.create(
            "Talkative",
            command="seq 1 100000; until [ -e go ]; do sleep 0.1; done; seq 1 50; echo end",
        )
        run_id = api.run(job_id)["run_id"]
        page = visit(gateway).open(f"/logs?run={run_id}")
        log = page.get_by_role("log")
        expect(log.get_by_text("100000", exact=True)).to_be_visible()
        expect(page.get_by_text(re.compile("^5,000 lines, earlier ones left out"))).to_be_visible()
        assert document_facts(page)["nodes"] < 2000
        follow = page.get_by_role("switch", name="Follow")
        expect(follow).to_be_checked()
        log.hover()
        page.mouse.wheel(0, -2000)
        expect(follow).not_to_be_checked()
        (gateway.data_dir / "workspaces" / f"cron_{job_id}" / "go").touch()
        until(lambda: api.get(f"/api/v1/cron/runs/{run_id}")["run"]["status"] == "success")
        expect(log.get_by_text("end", exact=True)).to_have_count(0)
        log.press("End")
        expect(log.get_by_text("end", exact=True)).to_be_visible()
