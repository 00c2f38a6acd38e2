"""Clients that do not read, and too many connections."""

import pytest

from tests.integration.api.wire import REQUEST, Connect
from universal_agent.api.open_connections import (
    MAX_STRANGERS,
    MAX_STRANGERS_OF_ONE,
    WRITE_BYTES,
    WRITE_SECONDS,
    OpenConnections,
    most_connections,
)
from universal_agent.testing import ManualClock


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
