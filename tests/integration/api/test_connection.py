"""Slow clients and large heads: what the server does before any layer."""

import pytest
from starlette.types import Scope

from tests.integration.api.wire import POST, REQUEST, Connect
from universal_agent.api.connection import BODY_SECONDS, HEAD_SECONDS
from universal_agent.api.limits import MAX_HEAD_BYTES
from universal_agent.testing import ManualClock


async def test_a_whole_request_is_answered_and_the_connection_stays(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    for _ in range(3):
        protocol.data_received(REQUEST)
        await clock.settle()
    assert wire.received.count(b"HTTP/1.1 200 OK") == 3
    await clock.advance(HEAD_SECONDS * 2)
    assert not wire.is_closing()


async def test_a_connection_that_says_nothing_is_closed(
    connect: Connect, clock: ManualClock
) -> None:
    _, wire = connect()
    await clock.advance(HEAD_SECONDS - 1)
    assert not wire.is_closing()
    await clock.advance(1)
    assert wire.is_closing()
    assert wire.received == b""


async def test_a_head_that_trickles_in_is_cut_off(connect: Connect, clock: ManualClock) -> None:
    protocol, wire = connect()
    protocol.data_received(REQUEST)
    await clock.advance(60)
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    for _ in range(9):
        await clock.advance(1)
        protocol.data_received(b"X-A: b\r\n")
    assert not wire.is_closing()
    await clock.advance(1)
    assert wire.has_ended
    assert wire.received.count(b"HTTP/1.1 408 Request Timeout\r\n") == 1
    assert b"\r\n\r\n{" in wire.received


async def test_a_head_in_time_calls_the_alarm_off(connect: Connect, clock: ManualClock) -> None:
    protocol, wire = connect()
    for byte in REQUEST:
        protocol.data_received(bytes([byte]))
        await clock.advance(HEAD_SECONDS / len(REQUEST) / 2)
    assert wire.received.startswith(b"HTTP/1.1 200 OK")
    await clock.advance(HEAD_SECONDS * 2)
    assert not wire.is_closing()


@pytest.mark.parametrize("endless", [b"X-A: b\r\n", b"x", b"a" * 4096 + b": b\r\n"])
async def test_a_head_that_grows_without_end_is_refused(
    connect: Connect, endless: bytes, scopes: list[Scope]
) -> None:
    protocol, wire = connect()
    protocol.data_received(b"GET / HTTP/1.1\r\nX-Start: ")
    sent = 0
    while not wire.has_ended:
        protocol.data_received(endless)
        sent += len(endless)
        assert sent <= MAX_HEAD_BYTES + len(endless)
    assert wire.received.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"application/problem+json" in wire.received
    assert scopes == []


async def test_each_request_of_a_connection_may_have_a_head_of_the_largest_size(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    for number in range(1, 4):
        protocol.data_received(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: ")
        protocol.data_received(b"x" * (MAX_HEAD_BYTES - 100))
        protocol.data_received(b"\r\n\r\n")
        await clock.settle()
        assert wire.received.count(b"HTTP/1.1 200 OK") == number


async def test_a_body_that_trickles_in_is_cut_off(
    connect: Connect, clock: ManualClock, bodies: list[bytes]
) -> None:
    protocol, wire = connect()
    protocol.data_received(POST)
    for _ in range(29):
        await clock.advance(1)
        protocol.data_received(b"x")
    assert not wire.is_closing()
    await clock.advance(1)
    assert wire.has_ended
    assert wire.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert bodies == []


async def test_a_client_that_was_given_up_may_read_its_answer_before_the_end(
    connect: Connect, clock: ManualClock, scopes: list[Scope]
) -> None:
    protocol, wire = connect()
    protocol.data_received(b"GET / HTTP/1.1\r\n")
    await clock.advance(HEAD_SECONDS)
    assert wire.has_ended
    answer = wire.received
    protocol.data_received(b"Host: localhost\r\n\r\n")
    await clock.advance(HEAD_SECONDS - 1)
    assert not wire.is_closing()
    await clock.advance(1)
    assert wire.is_closing()
    assert wire.received == answer
    assert scopes == []


async def test_a_body_in_time_calls_the_alarm_off(
    connect: Connect, clock: ManualClock, bodies: list[bytes]
) -> None:
    protocol, wire = connect()
    protocol.data_received(POST + b"x" * 50)
    await clock.advance(BODY_SECONDS - 1)
    protocol.data_received(b"x" * 50)
    await clock.advance(BODY_SECONDS * 2)
    assert not wire.is_closing()
    assert bodies == [b"x" * 100]


async def test_a_client_that_goes_on_sending_after_its_answer_is_cut_off(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    protocol.data_received(POST.replace(b"POST /", b"POST /refuse"))
    await clock.advance(BODY_SECONDS)
    assert wire.is_closing()
    assert wire.received.count(b"HTTP/1.1") == 1
    assert b"408" not in wire.received


async def test_a_request_that_waits_behind_another_is_not_too_slow(
    connect: Connect, clock: ManualClock, bodies: list[bytes]
) -> None:
    protocol, wire = connect()
    protocol.data_received(REQUEST.replace(b"GET /", b"GET /wait") + POST)
    await clock.advance(BODY_SECONDS * 3)
    assert not wire.is_closing()
    protocol.data_received(b"x" * 100)
    await clock.advance(BODY_SECONDS * 10)
    assert wire.received.count(b"HTTP/1.1 200 OK") == 2
    assert bodies == [b"x" * 100]


async def test_a_large_body_before_a_head_is_not_taken_for_it(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    body = b"x" * (MAX_HEAD_BYTES * 3)
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    protocol.data_received(head + body + REQUEST[:20])
    protocol.data_received(REQUEST[20:])
    await clock.settle()
    assert wire.received.count(b"HTTP/1.1 200 OK") == 2


async def test_a_client_that_leaves_takes_its_alarm_with_it(
    connect: Connect, clock: ManualClock
) -> None:
    protocol, wire = connect()
    protocol.connection_lost(ConnectionResetError())
    await clock.advance(HEAD_SECONDS * 2)
    assert not wire.is_closing()


@pytest.mark.parametrize(
    ("target", "hosts"),
    [
        (b"/x", [b"localhost"]),
        (b"http://localhost/x", [b"localhost"]),
        (b"http://evil.example/x", [b"localhost", b"evil.example"]),
        (b"http://evil.example:8002/", [b"localhost", b"evil.example:8002"]),
        (b"http://user@localhost/x?y", [b"localhost", b"user@localhost"]),
    ],
)
async def test_the_host_of_an_absolute_target_is_not_lost(
    connect: Connect, clock: ManualClock, scopes: list[Scope], target: bytes, hosts: list[bytes]
) -> None:
    protocol, _ = connect()
    protocol.data_received(b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await clock.settle()
    assert [value for name, value in scopes[0]["headers"] if name == b"host"] == hosts


@pytest.mark.parametrize(
    "target", [b"*", b"evil.example:443", b"//evil.example/x", b"x", b"http://x"]
)
async def test_no_odd_target_breaks_the_server(
    connect: Connect, clock: ManualClock, target: bytes
) -> None:
    for method in [b"GET", b"OPTIONS", b"CONNECT"]:
        protocol, wire = connect()
        protocol.data_received(method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await clock.settle()
        assert wire.received.startswith((b"HTTP/1.1 400", b"HTTP/1.1 200")) or wire.is_closing()
