"""Pipelined requests, and the turn of requests over connections without a token."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from starlette.types import Scope

from tests.integration.api.wire import POST, REQUEST, Connect
from universal_agent.api.connection import HEAD_SECONDS
from universal_agent.testing import ManualClock

CHUNKED_POST = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
)


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
async def test_requests_that_arrive_in_any_pieces_are_answered_in_their_order(
    connect: Connect, clock: ManualClock, scopes: list[Scope], bodies: list[bytes], step: int
) -> None:
    protocol, wire = connect()
    sent = REQUEST + POST + b"x" * 100 + CHUNKED_POST + REQUEST.replace(b"GET /", b"GET /last")
    for start in range(0, len(sent), step):
        protocol.data_received(sent[start : start + step])
    await clock.settle()
    assert [scope["method"] + " " + scope["path"] for scope in scopes] == [
        "GET /",
        "POST /",
        "POST /",
        "GET /last",
    ]
    assert bodies == [b"x" * 100, b"abcdefg"]
    assert wire.received.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.parametrize("request_", [REQUEST, CHUNKED_POST])
async def test_pipelined_requests_are_parsed_one_by_one(
    connect: Connect, clock: ManualClock, scopes: list[Scope], request_: bytes
) -> None:
    protocol, wire = connect()
    protocol.data_received(REQUEST.replace(b"GET /", b"GET /wait") + request_ * 1000)
    await clock.settle()
    assert [scope["path"] for scope in scopes] == ["/wait"]
    # None of them waits as an object: what was received is kept as it came.
    assert not protocol.pipeline  # type: ignore[attr-defined]
    await clock.advance(300)
    assert len(scopes) == 1001
    assert wire.received.count(b"HTTP/1.1 200 OK") == 1001


async def test_requests_of_clients_that_left_do_not_delay_those_that_stay(
    connect: Connect, clock: ManualClock, scopes: list[Scope]
) -> None:
    for number in range(300):
        protocol, wire = connect(f"10.0.{number // 100}.{number % 100}")
        protocol.data_received(REQUEST)
        wire.abort()
    protocol, _ = connect()
    protocol.data_received(REQUEST.replace(b"GET /", b"GET /stays"))
    for _ in range(3):
        await clock.sleep(0)
    assert [scope["path"] for scope in scopes] == ["/stays"]


async def test_a_request_that_cannot_begin_does_not_hold_up_those_behind_it(
    connect: Connect, clock: ManualClock, scopes: list[Scope], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _ = connect()
    broken.data_received(REQUEST)
    others = [connect()[0] for _ in range(5)]
    for protocol in others:
        protocol.data_received(REQUEST)
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))

    def refuse(coroutine: Coroutine[Any, Any, None]) -> None:
        coroutine.close()
        raise MemoryError

    monkeypatch.setattr(broken, "loop", type("Loop", (), {"create_task": refuse}))
    await clock.settle()
    loop.set_exception_handler(None)
    assert [type(error) for error in told] == [MemoryError]
    assert len(scopes) == 5


async def test_bytes_behind_a_handshake_are_not_read_as_http(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    handshake = (
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    protocol.data_received(handshake + REQUEST)
    await clock.advance(HEAD_SECONDS * 2)
    assert wire.received.startswith(b"HTTP/1.1 101 Switching Protocols")
    assert wire.received.count(b"HTTP/1.1") == 1
    assert not wire.is_closing()


async def test_a_client_is_not_read_while_its_requests_wait(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    seen = []
    for request in (REQUEST.replace(b"GET /", b"GET /wait"), REQUEST):
        protocol.data_received(request)
        seen.append(wire.is_paused)
    await clock.advance(300)
    assert [*seen, wire.is_paused] == [False, True, False]


async def test_a_health_check_begins_before_the_requests_of_many_strangers(
    connect: Connect, clock: ManualClock, scopes: list[Scope]
) -> None:
    for number in range(50):
        protocol, _ = connect(f"10.0.0.{number}")
        protocol.data_received(REQUEST)
    protocol, _ = connect()
    protocol.data_received(REQUEST.replace(b"GET /", b"GET /api/v1/health"))
    await clock.sleep(0)
    begun = [scope["path"] for scope in scopes]
    await clock.settle()
    assert "/api/v1/health" in begun
    assert len(begun) < 5
    assert len(scopes) == 51


async def test_a_request_of_the_operator_begins_before_those_of_strangers(
    connect: Connect, clock: ManualClock, scopes: list[Scope]
) -> None:
    trusted, _ = connect()
    trusted.data_received(REQUEST.replace(b"GET /", b"GET /trusted"))
    await clock.settle()
    for number in range(50):
        protocol, _ = connect(f"10.0.0.{number}")
        protocol.data_received(REQUEST)
    trusted.data_received(REQUEST.replace(b"GET /", b"GET /mine"))
    await clock.sleep(0)
    assert "/mine" in [scope["path"] for scope in scopes]
    await clock.settle()
    assert len(scopes) == 52
