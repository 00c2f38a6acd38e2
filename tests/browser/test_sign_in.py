"""Signing in, and where the operator's token goes."""

from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.conftest import MakeGateway, Visit
from tests.browser.visitor import Visitor

TOKEN = "a-token-of-an-operator-0123456789"
STREAM = "/api/v1/ops/scheduling/stream"


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Operator token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def streams_of(visitor: Visitor) -> int:
    return visitor.asked(STREAM)


def test_a_wrong_token_is_told_and_nothing_is_asked_again_and_again(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    visitor = visit(make_gateway(UA_OPS_TOKEN=TOKEN))
    visitor.may_fail.add("/api/v1/auth/login")
    page = visitor.context.new_page()
    page.clock.install()
    visitor.go(page, "/calendar")
    sign_in(page, "guessed")
    expect(page.get_by_text("That is not the token.")).to_be_visible()
    before = len(visitor.requests)
    page.clock.run_for(10_000)
    assert streams_of(visitor) == 0
    assert len(visitor.requests) - before <= 2


def test_who_signs_in_sees_the_page_asked_for_and_the_token_is_in_no_address(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    visitor = visit(gateway)
    page = visitor.open("/jobs")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, TOKEN)
    expect(page.get_by_role("heading", name="Jobs", level=1)).to_be_visible()
    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")
    with Api(gateway, TOKEN) as api:
        api.create("Seen when signed in")
    expect(page.get_by_role("link", name="Seen when signed in")).to_be_visible()
    assert visitor.asked(TOKEN) == 0
    assert TOKEN not in gateway.log.read_text()
    assert (
        page.evaluate("() => JSON.stringify({ ...localStorage, ...sessionStorage })").find(TOKEN)
        == -1
    )


def test_a_page_whose_session_has_ended_asks_to_sign_in_again(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    visitor = visit(gateway)
    visitor.may_fail.add("/api/v1/")
    page = visitor.open("/jobs")
    sign_in(page, TOKEN)
    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")
    visitor.context.clear_cookies()
    with Api(gateway, TOKEN) as api:
        api.create("Makes the page ask")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
