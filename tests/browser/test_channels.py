"""The channels of notifications: what each gets, how it is, and its test."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from playwright.sync_api import Locator, Page, expect

from tests.browser.accessibility import violations
from tests.browser.api import until
from tests.browser.conftest import MakeGateway, Visit


class Receiver(ThreadingHTTPServer):
    """A webhook's receiver that answers with `status`."""

    status = 204
    received = 0

    def has(self, count: int) -> bool:
        return self.received == count

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.received += 1
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver(("127.0.0.1", 0), Answer) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


def channel(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("button", name=f"Test {name}"))


def test_a_channel_says_what_it_gets_and_how_it_is_and_is_tested(
    make_gateway: MakeGateway, visit: Visit
) -> None:
    with receiving() as team, receiving() as boss:
        settings = [
            {
                "name": "team",
                "webhook": team.url,
                "severity": "warning",
                "quiet_hours": "22:00-07:00",
                "digest": "08:30",
                "urgent": False,
                "reminders": False,
            },
            {"name": "boss", "webhook": boss.url},
        ]
        gateway = make_gateway(UA_NOTIFY_CHANNELS=json.dumps(settings))
        page = visit(gateway).open("/activity")
        page.get_by_role("radiogroup", name="What to show").get_by_text("Channels").click()
        expect(channel(page, "team")).to_contain_text(
            "warnings and errors, quiet 22:00-07:00, digest at 08:30, errors wait too, no reminders"
        )
        expect(channel(page, "boss")).to_contain_text("everything")
        assert violations(page) == []

        channel(page, "team").get_by_role("button", name="Test team").click()
        expect(channel(page, "team").get_by_role("status")).to_contain_text("Test: ")
        expect(channel(page, "team")).to_contain_text("ok")
        assert (team.received, boss.received) == (1, 0)

        # A receiver that refuses again and again is down, and the page says why and until when.
        team.status = 403
        for count in range(2, 5):
            channel(page, "team").get_by_role("button", name="Test team").click()
            until(partial(team.has, count))
            expect(page.get_by_role("button", name="Test team")).to_be_enabled()
        expect(channel(page, "team")).to_contain_text("down")
        expect(channel(page, "team")).to_contain_text("403")
        expect(channel(page, "team")).to_contain_text("tried again")
        assert violations(page) == []

        # It takes messages again: a test of all brings it back up.
        team.status = 204
        page.get_by_role("button", name="Test all").click()
        expect(channel(page, "team")).to_contain_text("ok")
        expect(channel(page, "boss").get_by_role("status")).to_contain_text("Test: ")
        assert boss.received >= 1
