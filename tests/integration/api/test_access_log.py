"""The access log: one line, no token, nothing a client could write lines of its own with."""

import asyncio
from typing import Any

import pytest
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.integration.api.exchange import SIGNED_IN, TOKEN, exchange
from tests.integration.api.small_app import SmallApp
from universal_agent.api.access_log import AccessLog
from universal_agent.testing import ManualClock

STREAM = "/api/v1/ops/scheduling/stream"


async def test_a_request_is_one_line_that_says_who_asked_for_what(
    closed: SmallApp, clock: ManualClock, log: list[Any]
) -> None:
    app = AccessLog(closed.app, clock=clock, every=True, shown=["limit"])
    await exchange(app, headers=SIGNED_IN, query="limit=3", client="192.0.2.7")
    assert log == [
        {
            "event": "request",
            "log_level": "info",
            "method": "GET",
            "path": "/api/v1/things",
            "query": "limit=3",
            "status": 200,
            "seconds": 0.0,
            "client": "192.0.2.7",
            "via": "header",
        }
    ]


async def test_what_was_refused_is_logged_as_well(
    closed: SmallApp, clock: ManualClock, log: list[Any]
) -> None:
    app = AccessLog(closed.app, clock=clock, every=True)
    await exchange(app)
    await exchange(app, host="evil.example")
    await exchange(app, "WEBSOCKET", "/api/v1/sessions/s1/stream")
    await exchange(app, "WEBSOCKET", "/api/v1/sessions/s1/stream", headers=SIGNED_IN)
    assert [(record["method"], record["status"], record["via"]) for record in log] == [
        ("GET", 401, None),
        ("GET", 403, None),
        ("WEBSOCKET", 401, None),
        ("WEBSOCKET", 101, "header"),
    ]


@pytest.mark.parametrize(
    "query",
    [
        f"ops_token={TOKEN}",
        f"since_seq=1&ops_token={TOKEN}&once=1",
        f"ops%5Ftoken={TOKEN}",
        f"%6fps_token={TOKEN}&ops_token={TOKEN}",
        f"x=1&&ops_token={TOKEN}",
    ],
)
async def test_a_token_in_the_query_is_left_out(
    closed: SmallApp, clock: ManualClock, log: list[Any], query: str
) -> None:
    await exchange(AccessLog(closed.app, clock=clock, every=True), path=STREAM, query=query)
    [record] = [record for record in log if record["event"] == "request"]
    assert TOKEN not in repr(log)
    assert "ops_token=***" in record["query"]


async def test_what_a_client_sends_stays_on_one_short_line(
    closed: SmallApp, clock: ManualClock, log: list[Any]
) -> None:
    evil = '\r\n{"action":"slot_admitted"}\x1b[2K\u202e\u2028\x00\x7f'
    app = AccessLog(closed.app, clock=clock, every=True)
    await exchange(app, path=f"/{evil}{'x' * 9000}", query="q=\x1b" + "y" * 5000, client=evil)
    [record] = log
    line = structlog.processors.JSONRenderer()(None, "info", record)
    assert isinstance(line, str)
    assert line.isprintable()
    assert all(len(value) <= 256 for value in record.values() if isinstance(value, str))
    assert record["path"].startswith('/\\r\\n{"action":"slot_admitted"}\\x1b[2K\\u202e\\u2028\\x00')


def answering(status: int, *, after: float, clock: ManualClock) -> ASGIApp:
    async def app(_: Scope, __: Receive, send: Send) -> None:
        await clock.sleep(after)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        await clock.sleep(3600)

    return app


@pytest.mark.parametrize(
    ("status", "after", "level"),
    [(200, 0.0, None), (404, 0.9, None), (200, 1.0, "info"), (500, 0.0, "warning")],
)
async def test_by_itself_the_log_tells_of_what_failed_or_was_slow_to_begin(
    clock: ManualClock, log: list[Any], status: int, after: float, level: str | None
) -> None:
    app = AccessLog(answering(status, after=after, clock=clock), clock=clock)
    await asyncio.gather(exchange(app), clock.advance(4000))
    assert [(r["status"], r["seconds"], r["log_level"]) for r in log] == (
        [(status, after, level)] if level else []
    )


@pytest.mark.parametrize(
    ("query", "written"),
    [
        (f"token={TOKEN}", "token=***"),
        (f"OPS_TOKEN={TOKEN}", "OPS_TOKEN=***"),
        (f"opstoken={TOKEN}&limit=3", "opstoken=***&limit=3"),
        (f"limit=3&access%5Ftoken={TOKEN}", "limit=3&access_token=***"),
        (TOKEN, "***"),
        (f"{TOKEN}=1", "***"),
    ],
)
async def test_of_a_parameter_that_no_route_knows_the_value_is_left_out(
    closed: SmallApp, clock: ManualClock, log: list[Any], query: str, written: str
) -> None:
    app = AccessLog(closed.app, clock=clock, every=True, shown=["limit", "ops_token"])
    await exchange(app, path=STREAM, query=query)
    [record] = [record for record in log if record["event"] == "request"]
    assert record["query"] == written
