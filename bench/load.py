"""What does the benchmark ask of a gateway, and how does it read what became of it?"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.client import request
from bench.gateway import Gateway

#: Runs on one page: the most that the contract allows.
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Created:
    """How the creation of jobs went."""

    seconds: float
    #: Milliseconds of each request.
    latencies: list[float]
    #: CPU seconds that the generator of load itself has used.
    generator_cpu_seconds: float


async def create_jobs(
    gateway: Gateway, bodies: Iterable[Mapping[str, Any]], *, connections: int
) -> Created:
    """Create jobs over HTTP, on so many connections. Raises RuntimeError when one is refused."""
    waiting = iter([request("POST", "/api/v1/cron/jobs", body) for body in bodies])
    latencies: list[float] = []
    opened = [await gateway.connect() for _ in range(connections)]
    began, cpu_before = time.perf_counter(), time.process_time()

    async def drain(number: int) -> None:
        for message in waiting:
            sent = time.perf_counter()
            answer = await opened[number].send(message)
            latencies.append(1000 * (time.perf_counter() - sent))
            if answer.status != 200:
                answer.json()

    await asyncio.gather(*(drain(number) for number in range(connections)))
    created = Created(time.perf_counter() - began, latencies, time.process_time() - cpu_before)
    for connection in opened:
        connection.close()
    return created


async def runs_since(gateway: Gateway, began_at: float) -> list[dict[str, Any]]:
    """Every run of a slot at or after `began_at`, newest first."""
    connection = await gateway.connect()
    found: list[dict[str, Any]] = []
    path = f"/api/v1/cron/runs?limit={_PAGE}"
    page: list[dict[str, Any]] = (await connection.get(path))["runs"]
    while page:
        found += page
        # Runs are listed in the order in which they were made, never before their slots.
        if len(page) < _PAGE or (page[-1]["started_at"] or began_at) < began_at:
            break
        page = (await connection.get(f"{path}&before={page[-1]['run_id']}"))["runs"]
    connection.close()
    return [run for run in found if run["scheduled_at"] >= began_at]


async def ended_runs(gateway: Gateway, began_at: float, count: int) -> list[dict[str, Any]]:
    """The same, once `count` of them have ended, each well. Raises RuntimeError otherwise."""
    patience = time.monotonic() + 120
    while True:
        runs = await runs_since(gateway, began_at)
        ended = [run for run in runs if run["finished_at"] is not None]
        if len(ended) >= count:
            break
        if time.monotonic() > patience:
            raise RuntimeError(f"expected {count} runs to end, got {len(ended)} of {len(runs)}")
        await asyncio.sleep(0.5)
    bad = [run for run in ended if run["status"] != "success"]
    if bad:
        raise RuntimeError(f"{len(bad)} of {len(ended)} runs did not end well: {bad[0]}")
    return ended


def lags(runs: Sequence[Mapping[str, Any]]) -> list[float]:
    """Milliseconds from a slot's time to its start, of each run."""
    return [1000 * (run["started_at"] - run["scheduled_at"]) for run in runs]


async def sleep_until(instant: float) -> None:
    """Return when the wall clock has reached `instant`."""
    await asyncio.sleep(max(0.0, instant - time.time()))
