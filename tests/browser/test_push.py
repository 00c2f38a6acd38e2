"""How the page stays current: one stream for a browser, and polling while there is none."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.acceptance.gateway import GatewayProcess
from tests.browser.api import Api, until
from tests.browser.conftest import MakeGateway, Visit

CALENDAR = "GET /api/v1/ops/calendar/events"
STREAM = "GET /api/v1/ops/scheduling/stream"
PAGE_FLAG = "NEXT_PUBLIC_UA_SCHED_PUSH_ENABLED"


def pill(page: Page) -> Locator:
    """How the page says it is kept current."""
    return page.get_by_role("banner").get_by_role("status")


def streams(gateway: GatewayProcess) -> int:
    """How many streams the gateway serves."""
    with Api(gateway) as api:
        return api.figure("event_bus", "subscriber_count")


def test_a_burst_of_events_makes_few_requests(make_gateway: MakeGateway, visit: Visit) -> None:
    gateway = make_gateway(UA_CRON_MOCK_RESPONSE="1")
    visitor = visit(gateway)
    with Api(gateway) as api:
        job_id = api.create("Burst")
        page = visitor.open("/calendar")
        expect(pill(page)).to_have_text("Live")
        asked = visitor.asked(CALENDAR)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: api.run(job_id, wait_seconds=30), range(250)))
        seq = api.figure("event_bus", "seq")
    assert seq > 500
    expect(page.get_by_role("banner").locator(f'[data-seq="{seq}"]')).to_be_visible()
    assert visitor.asked(CALENDAR) - asked <= 3


def test_a_gateway_that_dies_leaves_its_data_in_view_and_is_caught_up_with(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    visitor.may_fail.add(gateway.base_url)
    with Api(gateway) as api:
        api.create("Before")
    page = visitor.open("/jobs")
    expect(pill(page)).to_have_text("Live")
    gateway.kill()
    expect(pill(page)).to_have_text("No answer")
    expect(page.get_by_role("alert")).to_contain_text("has not answered for")
    expect(page.get_by_role("link", name="Before")).to_be_visible()
    gateway.start()
    with Api(gateway) as api:
        api.create("Meanwhile")
    expect(pill(page)).to_have_text("Live")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("link", name="Meanwhile")).to_have_count(1)
    expect(page.get_by_role("link", name="Before")).to_have_count(1)


def test_what_fell_out_of_the_memory_buffer_meanwhile_is_read_from_the_log(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway(UA_SCHED_EVENT_BUS_MAX="100", UA_CRON_MOCK_RESPONSE="1")
    visitor = visit(gateway)
    visitor.may_fail.add(gateway.base_url)
    page = visitor.open("/jobs")
    expect(pill(page)).to_have_text("Live")
    visitor.context.set_offline(True)
    gateway.restart()
    with Api(gateway) as api:
        job_id = api.create("Away")
        for _ in range(80):
            api.run(job_id, wait_seconds=30)
        seq = api.figure("event_bus", "seq")
        assert seq > api.figure("event_bus", "buffered_events")
    visitor.context.set_offline(False)
    expect(page.get_by_role("banner").locator(f'[data-seq="{seq}"]')).to_be_visible()
    expect(page.get_by_role("link", name="Away")).to_have_count(1)


def test_another_log_at_the_same_address_is_read_from_its_beginning(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    visitor.may_fail.add(gateway.base_url)
    with Api(gateway) as api:
        api.create("Of the old log")
    page = visitor.open("/jobs")
    expect(pill(page)).to_have_text("Live")
    gateway.kill()
    shutil.rmtree(gateway.data_dir)
    gateway.start()
    with Api(gateway) as api:
        api.create("Of the new log")
    expect(page.get_by_role("link", name="Of the new log")).to_be_visible()
    expect(page.get_by_role("link", name="Of the old log")).to_have_count(0)
    expect(pill(page)).to_have_text("Live")


@pytest.mark.parametrize(
    ("path", "asks", "seconds"),
    [
        ("/calendar", CALENDAR, 30),
        ("/sessions", "GET /api/v1/heartbeat/last", 20),
        ("/sessions", "GET /api/v1/ops/metrics/session-continuity", 45),
    ],
)
def test_without_push_the_page_polls_at_the_intervals_of_the_contract(
    make_gateway: MakeGateway, visit: Visit, path: str, asks: str, seconds: int
) -> None:
    gateway = make_gateway(UA_SCHED_PUSH_ENABLED="0")
    visitor = visit(gateway)
    page = visitor.context.new_page()
    page.clock.install()
    visitor.go(page, path)
    expect(pill(page)).to_have_text("Push off")
    until(lambda: visitor.asked(asks) > 0)
    page.clock.run_for(100)  # what was answered is drawn
    asked = visitor.asked(asks)
    page.clock.run_for((seconds - 2) * 1000)
    assert visitor.asked(asks) == asked
    with page.expect_request(re.compile(asks.removeprefix("GET "))):
        page.clock.run_for(4_000)
    assert visitor.asked(STREAM) == 0


def test_the_flag_of_the_page_is_followed_while_the_page_is_open(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    page = visitor.context.new_page()
    page.clock.install()
    visitor.go(page, "/jobs")
    page.clock.run_for(1_000)
    expect(pill(page)).to_have_text("Live")
    with Api(gateway) as api:
        api.flag(PAGE_FLAG, "0")
        page.clock.run_for(31_000)
        expect(pill(page)).to_have_text("Push off")
        until(lambda: streams(gateway) == 0)
        api.create("While it was off")
        api.flag(PAGE_FLAG, "1")
        seq = api.figure("event_bus", "seq")
    page.clock.run_for(31_000)
    until(lambda: streams(gateway) == 1)
    page.clock.run_for(1_000)
    expect(pill(page)).to_have_text("Live")
    expect(page.get_by_role("link", name="While it was off")).to_be_visible()
    since = re.search(r"since_seq=(\d+)", [r for r in visitor.requests if STREAM in r][-1])
    assert since and 0 < int(since[1]) <= seq


def test_eight_tabs_share_one_stream_and_another_takes_it_over(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    gateway = make_gateway()
    visitor = visit(gateway)
    tabs = [visitor.open("/jobs") for _ in range(8)]
    for tab in tabs:
        expect(pill(tab)).to_have_text("Live")
    assert streams(gateway) == 1
    tabs[0].close()
    with Api(gateway) as api:
        api.create("After the first tab went")
    for tab in tabs[1:]:
        expect(tab.get_by_role("link", name="After the first tab went")).to_be_visible()
    until(lambda: streams(gateway) == 1)
