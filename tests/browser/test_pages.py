"""Every page of the dashboard, as a real browser shows it."""

import pytest
from playwright.sync_api import ViewportSize

from tests.acceptance.gateway import GatewayProcess
from tests.browser.accessibility import violations
from tests.browser.conftest import Visit
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
