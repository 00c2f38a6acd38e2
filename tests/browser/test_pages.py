"""Every page of the dashboard, as a real browser shows it."""

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit
from tests.browser.visitor import document_facts

PAGES = (
    "/",
    "/calendar",
    "/calendar?view=day",
    "/calendar?view=month",
    "/jobs",
    "/sessions",
    "/stasis",
    "/changes",
    "/activity",
    "/activity/metrics",
    "/logs",
    "/settings",
)
WIDE: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_is_accessible_and_fits_its_window(
    gateway: GatewayProcess, visit: Visit, window: ViewportSize
) -> None:
    visitor = visit(gateway, viewport=window)
    page = visitor.open()
    wrong = {}
    for path in PAGES:
        visitor.go(page, path)
        wrong[path] = violations(page)
        assert document_facts(page)["beyond"] <= 0, path
    assert {path: found for path, found in wrong.items() if found} == {}


@pytest.mark.parametrize("window", [WIDE, PHONE], ids=["wide", "phone"])
def test_what_opens_over_a_page_is_accessible_too(
    gateway: GatewayProcess, visit: Visit, window: ViewportSize
) -> None:
    visitor = visit(gateway, viewport=window)
    with Api(gateway) as api:
        job_id = api.create("Looked at closely")
        run_id = api.run(job_id, wait_seconds=30)["run_id"]
    page = visitor.open(f"/jobs/{job_id}?run={run_id}")
    run = page.get_by_role("dialog", name="Run")
    expect(run.get_by_text("done", exact=True)).to_be_visible()
    assert violations(page) == []
    visitor.go(page, "/calendar?view=day")
    slot = page.get_by_role("button", name="Daily report, cron")
    slot.click()
    expect(page.get_by_role("dialog", name="Daily report")).to_contain_text("Request change")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(slot).to_be_focused()


def test_an_address_of_the_api_that_is_not_there_is_no_page(
    gateway: GatewayProcess, visit: Visit
) -> None:
    visitor = visit(gateway)
    for path in ("/api/v1/nothing", "/api", "/assets/nothing.js"):
        answer = visitor.context.request.get(
            f"{gateway.base_url}{path}", headers={"accept": "text/html"}
        )
        assert answer.status == 404
        assert answer.headers["content-type"] == "application/problem+json"
    page = visitor.open("/settings/nothing")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()


def test_a_gateway_with_nothing_to_do_says_how_to_begin(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    page = visit(gateway).open()
    steps = page.get_by_role("region", name="First steps")
    expect(steps.get_by_role("heading", name="Create the first job")).to_be_visible()
    assert violations(page) == []
    with Api(gateway) as api:
        api.run(api.create("The first"), wait_seconds=30)
    expect(page.get_by_role("region", name="Today")).to_be_visible()
    page.goto(f"{gateway.base_url}/stasis")
    expect(page.get_by_role("main")).to_contain_text("Nothing")
