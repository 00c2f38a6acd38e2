"""Slow clients, large heads and too many connections: what the server does before any layer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from universal_agent.api.connection import BODY_SECONDS, HEAD_SECONDS, bounded_protocols
from universal_agent.api.limits import MAX_HEAD_BYTES, read_body
from universal_agent.api.open_connections import (
    CONNECTION,
    MAX_STRANGERS,
    MAX_STRANGERS_OF_ONE,
    WRITE_BYTES,
    WRITE_SECONDS,
    OpenConnections,
    most_connections,
)
from universal_agent.testing import ManualClock

Connect = Callable[..., tuple[asyncio.Protocol, "Wire"]]


class Wire(asyncio.Transport):
    """The client's side of a connection."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__({"peername": (address, 50000), "sockname": ("127.0.0.1", 8002)})
        self.received = b""
        #: Bytes that were written and not sent, since the client does not read.
        self.waiting = 0
        self.was_aborted = False
        self.is_paused = False
        self._closed = False
        self.has_ended = False
        self.protocol = asyncio.Protocol()

    def write(self, data: Any) -> None:
        self.received += data

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if not self.waiting:
                self._lose()

    def abort(self) -> None:
        self._closed = self.was_aborted = True
        self._lose()

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def _lose(self) -> None:
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def write_eof(self) -> None:
        self.has_ended = True

    def is_closing(self) -> bool:
        return self._closed

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol)
        self.protocol = protocol

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


@pytest.fixture
def scopes() -> list[Scope]:
    """What reached the application."""
    return []


@pytest.fixture
def bodies() -> list[bytes]:
    """What came with POSTs, once it was whole."""
    return []


@pytest.fixture
def connections(clock: ManualClock) -> OpenConnections:
    return OpenConnections(clock, most=lambda: 500)


@pytest.fixture
def connect(
    clock: ManualClock, connections: OpenConnections, scopes: list[Scope], bodies: list[bytes]
) -> Connect:
    """Opens a connection to a server with the bounded protocol."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await clock.sleep(300)
            return
        if scope["path"] == "/trusted":
            scope["extensions"][CONNECTION].trust()
        if scope["path"] == "/wait":
            await clock.sleep(300)
        elif scope["path"] != "/refuse" and scope["method"] == "POST":
            body = await read_body(receive, {})
            if body is None:
                return
            bodies.append(body)
        await PlainTextResponse("hello")(scope, receive, send)

    protocol_class, ws = bounded_protocols(clock, connections)
    config = uvicorn.Config(app, http=protocol_class, ws=ws, log_config=None, access_log=False)
    config.load()

    def connected(address: str = "127.0.0.1") -> tuple[asyncio.Protocol, Wire]:
        protocol = protocol_class(  # type: ignore[call-arg]
            config=config, server_state=ServerState(), app_state={}
        )
        wire = Wire(address)
        wire.protocol = protocol
        protocol.connection_made(wire)
        return protocol, wire

    return connected


REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


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


POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"


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


class TestAClientThatDoesNotRead:
    async def test_it_is_closed_after_a_while(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        protocol, wire = connect()
        protocol.data_received(REQUEST)
        await clock.settle()
        wire.waiting = 1000
        connections.sweep()
        await clock.advance(WRITE_SECONDS - 1)
        connections.sweep()
        assert len(connections) == 1
        await clock.advance(1)
        connections.sweep()
        assert wire.was_aborted
        assert len(connections) == 0

    async def test_it_is_closed_too_when_the_server_has_closed_its_side(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        _, wire = connect()
        wire.waiting = 1000
        wire.close()
        await clock.settle()
        assert len(connections) == 1
        for _ in range(2):
            connections.sweep()
            await clock.advance(WRITE_SECONDS)
        assert wire.was_aborted

    async def test_one_that_reads_slowly_is_left_alone_and_one_that_trickles_is_not(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        for taken, is_closed in [(WRITE_BYTES, False), (1, True)]:
            protocol, wire = connect()
            protocol.transport.write(b"x" * 10 * WRITE_BYTES)  # type: ignore[attr-defined]
            await clock.settle()
            wire.waiting = 10 * WRITE_BYTES
            for _ in range(9):
                connections.sweep()
                await clock.advance(WRITE_SECONDS - 1)
                wire.waiting -= taken
            assert wire.was_aborted == is_closed

    async def test_one_that_has_taken_all_has_its_whole_time_for_the_next(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        _, wire = connect()
        for _ in range(5):
            wire.waiting = 1000
            connections.sweep()
            await clock.advance(WRITE_SECONDS - 1)
            wire.waiting = 0
            connections.sweep()
        assert not wire.was_aborted


class TestTooManyConnections:
    async def test_a_new_stranger_takes_the_place_of_the_oldest_of_its_address(
        self, connect: Connect, connections: OpenConnections
    ) -> None:
        other = connect("192.0.2.1")[1]
        wires = [connect("192.0.2.7")[1] for _ in range(MAX_STRANGERS_OF_ONE + 1)]
        assert [wire.was_aborted for wire in wires] == [True] + [False] * MAX_STRANGERS_OF_ONE
        assert not other.was_aborted
        assert len(connections) == MAX_STRANGERS_OF_ONE + 1

    async def test_strangers_of_all_addresses_are_limited_in_all(
        self, connect: Connect, connections: OpenConnections
    ) -> None:
        wires = [connect(f"192.0.2.{number % 50}")[1] for number in range(MAX_STRANGERS + 30)]
        assert [wire.was_aborted for wire in wires] == [True] * 30 + [False] * MAX_STRANGERS
        assert len(connections) == MAX_STRANGERS

    async def test_who_has_shown_a_token_is_not_a_stranger(
        self, connect: Connect, clock: ManualClock
    ) -> None:
        protocol, trusted = connect()
        protocol.data_received(REQUEST.replace(b"/", b"/trusted", 1))
        await clock.settle()
        for _ in range(MAX_STRANGERS):
            connect()
        assert not trusted.was_aborted

    async def test_one_that_does_not_read_goes_before_the_others(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        wires = [connect()[1] for _ in range(MAX_STRANGERS_OF_ONE)]
        wires[7].waiting = 1
        connections.sweep()
        connect()
        assert [number for number, wire in enumerate(wires) if wire.was_aborted] == [7]

    async def test_connections_in_use_are_not_closed_for_another_of_their_address(
        self, connect: Connect, clock: ManualClock
    ) -> None:
        wires = []
        for _ in range(250):
            protocol, wire = connect()
            protocol.data_received(
                b"GET /trusted HTTP/1.1\r\nHost: localhost\r\n\r\n"
                b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"
            )
            await clock.settle()
            wires.append(wire)
        refused = connect()[1]
        await clock.settle()
        assert refused.received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert refused.is_closing()
        elsewhere = connect("192.0.2.7")[1]
        assert not elsewhere.is_closing()
        assert not any(wire.is_closing() for wire in wires)

    async def test_one_that_waits_for_a_request_makes_room(
        self, connect: Connect, clock: ManualClock
    ) -> None:
        wires = []
        for number in range(250):
            protocol, wire = connect()
            protocol.data_received(REQUEST.replace(b"/", b"/trusted", 1))
            await clock.settle()
            if number != 9:
                protocol.data_received(REQUEST.replace(b"/", b"/wait", 1))
                await clock.settle()
            wires.append(wire)
        assert not connect()[1].is_closing()
        assert [number for number, wire in enumerate(wires) if wire.was_aborted] == [9]

    async def test_a_connection_that_is_gone_is_counted_no_more(
        self, connect: Connect, clock: ManualClock, connections: OpenConnections
    ) -> None:
        for _ in range(1000):
            _, wire = connect()
            wire.close()
            await clock.settle()
            assert not wire.was_aborted
        assert len(connections) == 0


@pytest.mark.parametrize(
    ("descriptors", "workers", "most"),
    [(256, 8, 64), (1024, 8, 832), (4096, 500, 16), (65_536, 8, 10_000), (64, 8, 16)],
)
def test_descriptors_are_kept_back_for_runs(descriptors: int, workers: int, most: int) -> None:
    assert most_connections(descriptors, workers) == most
