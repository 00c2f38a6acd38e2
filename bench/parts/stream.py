"""The stream of events: how soon does each client have an event, and whom do stuck ones hold up?

The clients share the machine with the gateway, and one process: what a thousand of them need to
read is in the figures.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

from bench.client import Connection, request
from bench.figure import Better, Figure, middle, spread
from bench.gateway import Gateway, fresh_directory, running
from bench.options import Options
from bench.parts.steady import steady

_STREAM = request("GET", "/api/v1/ops/scheduling/stream")

#: Seconds between two events.
_PAUSE = 0.1

#: Streams that any machine opens in a second.
_OPENED_A_SECOND = 200

#: What a stuck reader's system takes in for it.
_STUCK_BYTES = 4096

#: Commit to client, p99: what must be reached, and the goal, by the number of clients.
_PROMISED: dict[int, tuple[float, float | None]] = {1: (5, None), 100: (25, None), 1000: (150, 60)}


async def measure(options: Options) -> list[Figure]:
    pushed: dict[int, list[dict[str, Any]]] = {count: [] for count in options.stream_clients}
    alone, beside_stuck = [], []
    for _ in range(options.rounds):
        for count, found in pushed.items():
            with fresh_directory(options) as directory:
                found.append(await _pushed(directory, options, count))
        with fresh_directory(options) as directory:
            alone.append(await steady(directory, options, options.steady_registered))
        with fresh_directory(options) as directory:
            count = options.stuck_readers
            beside_stuck.append(
                await steady(
                    directory,
                    options,
                    options.steady_registered,
                    partial(_stuck, count=count),
                    beside_seconds=count / _OPENED_A_SECOND,
                )
            )
    figures = []
    for count, found in pushed.items():
        must, goal = _PROMISED.get(count, (None, None))
        # Nobody outside knows of a commit before the answer to whoever made the change.
        committed = [each["later_than_the_answer"] for each in found]
        figures.append(
            Figure(
                name=f"event to {count} stream clients, from the answer that it is kept, p99",
                unit="ms",
                better=Better.LESS,
                value=middle(committed, "p99"),
                must=must,
                goal=goal,
                detail={"ours": committed},
            )
        )
        figures.append(
            Figure(
                name=f"event to {count} stream clients, from its timestamp, p99",
                unit="ms",
                better=Better.LESS,
                value=middle(found, "p99"),
                detail={"ours": found},
            )
        )
    p99 = middle(alone, "p99")
    figures.append(
        Figure(
            name=f"dispatch lag p99 with {options.stuck_readers} stuck readers, minus without",
            unit="ms",
            better=Better.LESS,
            value=middle(beside_stuck, "p99") - p99,
            must=max(20.0, 0.1 * p99),
            detail={"alone": alone, "beside": beside_stuck},
        )
    )
    return figures


class Reader(asyncio.Protocol):
    """A client of the stream, which notes when each event came."""

    def __init__(self) -> None:
        self.came_at: dict[int, float] = {}
        self.is_reading = asyncio.get_running_loop().create_future()
        self._came = asyncio.Event()
        self._rest = b""

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect, and have the first keep-alive: from then on nothing is missed."""
        _, reader = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        await reader.is_reading
        return reader

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_STREAM)

    def data_received(self, data: bytes) -> None:
        now = time.time()
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            place, _, payload = frame.rpartition(b"id: ")[2].partition(b"\n")
            if payload.startswith(b'data: {"kind":"event"'):
                self.came_at[int(place)] = now
                self._came.set()
            elif payload and not self.is_reading.done():
                self.is_reading.set_result(None)

    async def has_read(self, seq: int) -> None:
        """Return once that event has come."""
        while seq not in self.came_at:
            await self._came.wait()
            self._came.clear()

    def close(self) -> None:
        self._transport.close()


async def _pushed(directory: Path, options: Options, clients: int) -> dict[str, Any]:
    async with running(directory, options) as gateway:
        readers = [await Reader.open(gateway.port) for _ in range(clients)]
        connection = await gateway.connect()
        before = gateway.usage()
        events = int(options.seconds / _PAUSE)
        body = {"command": "true", "every": "24h", "runner": "shell"}
        create = request("POST", "/api/v1/cron/jobs", body)
        answered_at: dict[int, float] = {}
        for seq in range(1, events + 1):
            (await connection.send(create)).json()
            answered_at[seq] = time.time()
            await asyncio.sleep(_PAUSE)
        used = gateway.usage() - before
        happened_at = await _timestamps(connection)
        await asyncio.gather(*(reader.has_read(max(happened_at)) for reader in readers))
        latencies, after_answer = [], []
        for reader in readers:
            for seq, came_at in reader.came_at.items():
                latencies.append(1000 * (came_at - happened_at[seq]))
                after_answer.append(1000 * (came_at - answered_at[seq]))
        for reader in readers:
            reader.close()
        connection.close()
        return {
            **spread(latencies),
            # Than whoever made the change, who waited for the same commit. An event's timestamp is
            # older: it is taken before its commit.
            "later_than_the_answer": spread(after_answer),
            "cpu_share": used.cpu_seconds / (events * _PAUSE),
        }


async def _timestamps(connection: Connection) -> dict[int, float]:
    page = await connection.get("/api/v1/ops/scheduling/events?limit=5000")
    return {
        event["seq"]: datetime.fromisoformat(event["timestamp"]).timestamp()
        for event in page["events"]
    }


@asynccontextmanager
async def _stuck(gateway: Gateway, *, count: int) -> AsyncIterator[None]:
    """Streams that are open while nobody takes what they send."""
    sockets = []
    for _ in range(count):
        stuck = socket.socket()
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _STUCK_BYTES)
        stuck.connect(("127.0.0.1", gateway.port))
        stuck.sendall(_STREAM)
        sockets.append(stuck)
    try:
        yield
    finally:
        for stuck in sockets:
            stuck.close()
