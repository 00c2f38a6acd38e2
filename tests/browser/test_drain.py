"""The button that stops the gateway once its runs have ended."""

from playwright.sync_api import expect

from tests.browser.conftest import MakeGateway, Visit


def test_the_gateway_is_drained_from_the_settings_page_after_a_question(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    visitor.may_say.add("ERR_CONNECTION_REFUSED")  # the gateway has stopped
    visitor.may_fail.add("/")
    page = visitor.open("/settings")
    page.get_by_role("button", name="Drain and stop").click()
    dialog = page.get_by_role("dialog", name="Drain and stop the gateway?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Drain").click()
    assert gateway.wait() == 0
