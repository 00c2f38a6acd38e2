"""What strangers and heavy readers can do to slots: memory, lag and connections at the rim.

Everything here goes over HTTP alone, apart from the jobs that are seeded.
"""

import asyncio
import re
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from bench.client import Answer, Connection, request
from bench.figure import Better, Figure, middle, quantile, spread
from bench.gateway import Gateway, fresh_directory, running
from bench.load import create_jobs, runs_since, sleep_until
from bench.options import Options
from bench.seed import CronSchedule, fill, maker, repeating, whole_second

_DAY = timedelta(days=1)

_TOKEN = "bench-" + "0123456789abcdef" * 3
_AUTHORIZED = f"\r\nX-UA-OPS-TOKEN: {_TOKEN}\r\n\r\n".encode()
_HEALTH = request("GET", "/api/v1/health")

#: Jobs in the calendar whose windows are read, and how many windows.
_FEED_JOBS, _WINDOWS = 400, 20

#: Jobs with 300 days behind them: one million slots of the calendar, and 43 million of the ledger.
_PAST_JOBS, _PAST_EVERY, _PAST_DAYS = 40, 1000, 300
_MINUTELY_JOBS = 100
_HEAVY_READERS = 8

_SILENT_CONNECTIONS = 500
#: The usual limit of a process's open files.
_DESCRIPTORS = 1024
#: What each of them asks for, at least.
_UNREAD_BYTES = 8_000_000
#: How long the gateway may keep connections that never read.
_CLOSED_WITHIN_SECONDS = 60.0

_BODY_CLIENTS, _BODY_BYTES = 4, 1_000_000
_SECONDLY_JOBS = 5

#: Sockets that health checks and runs open now and then.
_SPARE = 10

#: A slot that has not started for so long is told as this late.
_LOST_MS = 60_000.0


async def measure(options: Options) -> list[Figure]:
    rounds: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        found: dict[str, Any] = {}
        for part in (_windows, _heavy_readers, _silent_clients, _large_bodies):
            with fresh_directory(options) as directory:
                found |= await part(directory, options)
        rounds.append(found)

    def figure(name: str, unit: str, key: str, must: float) -> Figure:
        return Figure(
            name=name,
            unit=unit,
            better=Better.LESS,
            value=middle(rounds, key),
            must=must,
            detail={"rounds": [{key: one[key]} for one in rounds]},
        )

    windows = f"{_WINDOWS} windows of a week of {_FEED_JOBS} hourly jobs"
    heavy = f"`every 1s` beside {_HEAVY_READERS} readers of the widest ledger and calendar"
    silent = f"{_SILENT_CONNECTIONS} connections that never read"
    return [
        figure(f"{windows}, RSS gained", "MB", "windows_mb", 60),
        figure("largest of their answers", "MB", "answer_mb", 16),
        figure(f"{heavy}, lag p99", "ms", "heavy_p99", 50),
        figure("of these slots, not run", "slots", "heavy_not_run", 0),
        figure(f"beside {silent}, failed runs", "runs", "silent_failed", 0),
        figure(f"beside {silent}, health p99", "ms", "silent_health_p99", 100),
        figure(f"{silent}, still open after {_CLOSED_WITHIN_SECONDS:g} s", "", "silent_open", 0),
        figure(
            f"{_BODY_CLIENTS} clients with bodies of 1 MB and no token, lag p99",
            "ms",
            "bodies_p99",
            50,
        ),
    ]


@asynccontextmanager
async def _held_up(directory: Path, options: Options, **environment: str) -> AsyncIterator[Gateway]:
    """A gateway that is killed where it is too busy to stop in time."""
    with suppress(subprocess.TimeoutExpired):
        async with running(directory, options, **environment) as gateway:
            yield gateway


# -- memory


async def _windows(directory: Path, options: Options) -> dict[str, Any]:
    async with _held_up(directory, options) as gateway:
        bodies = [
            {"command": "true", "cron_expr": f"{number % 60} * * * *", "timezone": "UTC"}
            for number in range(_FEED_JOBS)
        ]
        await create_jobs(gateway, bodies, connections=options.create_connections)
        connection = await gateway.connect()
        await connection.send(_calendar(datetime.now(UTC), timedelta(hours=1)))
        before = gateway.resident_bytes()
        largest, statuses = 0, []
        for number in range(_WINDOWS):
            start = datetime.now(UTC) + timedelta(minutes=number)
            answer = await connection.send(_calendar(start, 7 * _DAY))
            largest = max(largest, len(answer.body))
            statuses.append(answer.status)
        return {
            "windows_mb": (gateway.resident_bytes() - before) / 2**20,
            "answer_mb": largest / 2**20,
            "statuses": statuses,
        }


def _calendar(start: datetime, length: timedelta) -> bytes:
    words = {"start": start.isoformat(), "end": (start + length).isoformat()}
    return request("GET", f"/api/v1/ops/calendar/events?{urlencode(words)}")


# -- heavy readers


async def _heavy_readers(directory: Path, options: Options) -> dict[str, Any]:
    first_at = whole_second(0) - _PAST_DAYS * _DAY
    make = maker(on_miss="skip")
    minutely = CronSchedule("* * * * *", "America/New_York")
    past = repeating(_PAST_JOBS, every=_PAST_EVERY, first_at=first_at, on_miss="skip")
    await fill(directory, [*past, *(make(minutely, first_at) for _ in range(_MINUTELY_JOBS))])
    async with _held_up(directory, options) as gateway:
        now = datetime.now(UTC)
        ledger = urlencode({"start": (now - _PAST_DAYS * _DAY).isoformat(), "end": now.isoformat()})
        wide = [
            request("GET", f"/api/v1/ops/scheduling/ledger?{ledger}"),
            _calendar(now - 30 * _DAY, 62 * _DAY),
        ]
        secondly = await _Secondly.create(gateway, jobs=1)
        readers = [
            asyncio.create_task(_again_and_again(gateway, wide[number % len(wide)]))
            for number in range(_HEAVY_READERS)
        ]
        await secondly.watch(options.seconds)
        await _end(readers)
        found = await secondly.lags()
        return {
            "heavy_p99": quantile(found, 0.99),
            "heavy_not_run": sum(lag >= _LOST_MS for lag in found),
        }


async def _again_and_again(gateway: Gateway, message: bytes) -> None:
    """Send it on one connection, each time when the answer to the last has come."""
    while True:
        connection = await gateway.connect()
        try:
            while True:
                await connection.send(message)
        except OSError:
            await asyncio.sleep(0.01)


# -- clients that do not read


async def _silent_clients(directory: Path, options: Options) -> dict[str, Any]:
    real = {"UA_OPS_TOKEN": _TOKEN, "UA_CRON_MOCK_RESPONSE": "0"}
    async with _held_up(directory, options, **real) as gateway:
        gateway.limit_descriptors(_DESCRIPTORS)
        before = gateway.open_sockets()
        page = await _pages(gateway)
        secondly = await _Secondly.create(_Authorized(gateway), jobs=_SECONDLY_JOBS)
        silent = [_never_reads(gateway.port, page) for _ in range(_SILENT_CONNECTIONS)]
        opened_at = time.monotonic()
        health: list[float] = []
        asking = asyncio.create_task(_ask_health(gateway, health))
        await secondly.watch(options.seconds)
        left = await _still_open(gateway, before + _SPARE, opened_at + _CLOSED_WITHIN_SECONDS)
        await _end([asking])
        for connection in silent:
            connection.close()
        found = await secondly.lags()
        return {
            "silent_failed": sum(lag >= _LOST_MS for lag in found),
            "silent_health_p99": quantile(health, 0.99),
            "silent_open": left,
            "silent_health": spread(health),
        }


async def _still_open(gateway: Gateway, usual: int, until: float) -> int:
    """How many sockets above the usual ones are open by `until`, a monotonic time; 0 when none."""
    for _ in range(10_000):
        left = gateway.open_sockets() - usual
        if left <= 0 or time.monotonic() >= until:
            break
        await asyncio.sleep(0.5)
    return max(0, left)


async def _pages(gateway: Gateway) -> bytes:
    """Requests for what a stranger may have, the page and its scripts, _UNREAD_BYTES in all."""
    connection = await gateway.connect()
    page = await connection.send(request("GET", "/"))
    scripts = re.findall(r'(?:src|href)="(/[^"]+)"', page.body.decode(errors="replace"))
    requests = [request("GET", path) for path in ["/", *scripts]]
    answers = [await connection.send(each) for each in requests]
    connection.close()
    return b"".join(requests) * (1 + _UNREAD_BYTES // sum(len(each.body) for each in answers))


def _never_reads(port: int, message: bytes) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(1)
    # The gateway may refuse it, and takes in as much as it wants to.
    with suppress(OSError):
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        client.send(message)
    return client


async def _ask_health(gateway: Gateway, latencies: list[float]) -> None:
    """Each time on a connection of its own, as a check does."""
    while True:
        began = time.perf_counter()
        try:
            connection = await asyncio.wait_for(gateway.connect(), 10)
            answer = await asyncio.wait_for(connection.send(_HEALTH), 10)
            connection.close()
            taken = 1000 * (time.perf_counter() - began) if answer.status == 200 else _LOST_MS
        except (OSError, TimeoutError):
            taken = _LOST_MS
        latencies.append(taken)
        await asyncio.sleep(0.05)


# -- large bodies


async def _large_bodies(directory: Path, options: Options) -> dict[str, Any]:
    async with _held_up(directory, options, UA_OPS_TOKEN=_TOKEN) as gateway:
        body = {"token": "x" * _BODY_BYTES}
        message = request("POST", "/api/v1/auth/login", body)
        secondly = await _Secondly.create(_Authorized(gateway), jobs=_SECONDLY_JOBS)
        senders = [
            asyncio.create_task(_again_and_again(gateway, message)) for _ in range(_BODY_CLIENTS)
        ]
        await secondly.watch(options.seconds)
        await _end(senders)
        found = await secondly.lags()
        return {"bodies_p99": quantile(found, 0.99)}


# -- slots of each second


class _Secondly:
    """Jobs of `every 1s` while something else goes on; a slot that did not run is _LOST_MS late."""

    def __init__(self, gateway: "Gateway | _Authorized", jobs: int) -> None:
        self._gateway = gateway
        self._jobs = jobs

    @classmethod
    async def create(cls, gateway: "Gateway | _Authorized", *, jobs: int) -> Self:
        bodies = [{"command": "true", "every": "1s", "runner": "shell"}] * jobs
        await create_jobs(gateway, bodies, connections=1)  # type: ignore[arg-type]
        return cls(gateway, jobs)

    async def watch(self, seconds: int) -> None:
        """Return after so many slots of each job, and a moment for those that are late."""
        self._began_at = whole_second(1).timestamp()
        self._seconds = seconds
        await sleep_until(self._began_at + seconds + 2)

    async def lags(self) -> list[float]:
        """Milliseconds from each of these slots to its start."""
        runs = await runs_since(self._gateway, self._began_at)  # type: ignore[arg-type]
        found = [
            1000 * (run["started_at"] - run["scheduled_at"])
            if run["status"] in {"success", "running"} and run["started_at"]
            else _LOST_MS
            for run in runs
            if run["scheduled_at"] < self._began_at + self._seconds
        ]
        return found + [_LOST_MS] * (self._jobs * self._seconds - len(found))


class _Authorized:
    """The gateway for somebody who has the token."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def connect(self) -> "_AuthorizedConnection":
        return _AuthorizedConnection(await self._gateway.connect())


class _AuthorizedConnection:
    """Adds the token to each request."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def send(self, message: bytes) -> Answer:
        return await self._connection.send(message.replace(b"\r\n\r\n", _AUTHORIZED, 1))

    async def get(self, path: str) -> Any:
        return (await self.send(request("GET", path))).json()

    def close(self) -> None:
        self._connection.close()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
