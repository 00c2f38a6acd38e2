"""Calendar subscriptions on the settings page: an address is made, shown once, and revoked."""

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import MakeGateway, Visit

TOKEN = "a token for the settings page that is long enough"


def test_an_address_is_made_read_by_a_calendar_program_and_revoked(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    visitor = visit(gateway)
    visitor.may_fail.add("/api/")  # what is asked before somebody has signed in
    page = visitor.open("/")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    visitor.go(page, "/settings")
    panel = page.get_by_role("region", name="Calendar subscriptions")
    expect(panel).to_contain_text("by an address of its own, and nothing else")
    panel.get_by_label("Name of a new subscription").fill("phone")
    panel.get_by_role("button", name="Make an address").click()
    address = panel.get_by_label("The address of phone").input_value()
    assert address.startswith(f"{gateway.base_url}/api/v1/ops/calendar.ics?feed_token=")
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 200
    assert answer.text.startswith("BEGIN:VCALENDAR")
    page.reload()
    expect(panel).to_contain_text("phone")
    expect(panel.get_by_label("The address of phone")).to_have_count(0)
    panel.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(panel.get_by_role("button", name="Revoke")).to_have_count(0)
    assert httpx.get(address, trust_env=False).status_code == 401
