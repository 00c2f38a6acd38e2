"""How long short work waits while long work runs, and fresh slots while missed ones are caught up.

Over HTTP, with real shell commands. A build without workers in reserve knows no light jobs: there
the job is an ordinary one.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from bench.client import Connection, request
from bench.figure import Better, Figure, middle
from bench.gateway import fresh_directory, running
from bench.options import Options

#: What a slot that never started in the time of the measurement is told as.
_NEVER_MS = 60_000.0

_LONG_SECONDS = 20
_MISSED_JOBS = 50
_AWAY_SECONDS = 10


async def measure(options: Options) -> list[Figure]:
    found = []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            beside = await _beside_a_long_run(directory, options)
        with fresh_directory(options) as directory:
            found.append({"light": beside, "fresh": await _beside_catch_ups(directory, options)})

    def figure(name: str, key: str, must: float) -> Figure:
        return Figure(
            name=name,
            unit="ms",
            better=Better.LESS,
            value=middle(found, key),
            must=must,
            detail={"rounds": [{key: one[key]} for one in found]},
        )

    return [
        figure("a light job beside one long run, concurrency 1, lag", "light", 100),
        figure(f"a fresh slot beside {_MISSED_JOBS} catch-ups at a start, lag", "fresh", 200),
    ]


async def _beside_a_long_run(directory: Path, options: Options) -> float:
    environment = {"UA_CRON_MAX_CONCURRENCY": "1", "UA_CRON_MOCK_RESPONSE": "0"}
    async with running(directory, options, **environment) as gateway:
        connection = await gateway.connect()
        await _create(connection, f"sleep {_LONG_SECONDS}", time.time() + 1)
        job = await _create(connection, "true", time.time() + 3, light=True)
        return await _lag(connection, job, patience=5)


async def _beside_catch_ups(directory: Path, options: Options) -> float:
    environment = {"UA_CRON_MAX_CONCURRENCY": "8", "UA_CRON_MOCK_RESPONSE": "0"}
    async with running(directory, options, **environment) as gateway:
        connection = await gateway.connect()
        missed = {"on_miss": "run_latest", "misfire_grace_seconds": 0}
        for _ in range(_MISSED_JOBS):
            await _create(connection, "sleep 1", time.time() + _AWAY_SECONDS, **missed)
    await asyncio.sleep(2 * _AWAY_SECONDS)
    async with running(directory, options, **environment) as gateway:
        connection = await gateway.connect()
        job = await _create(connection, "true", time.time() + 1)
        return await _lag(connection, job, patience=20)


async def _create(
    connection: Connection, command: str, at: float, **fields: object
) -> dict[str, Any]:
    body = {
        "command": command,
        "runner": "shell",
        "run_at": at,
        "timeout_seconds": 120,
        **fields,
    }
    answer = await connection.send(request("POST", "/api/v1/cron/jobs", body))
    if "light" in fields and answer.status != 200:
        del body["light"]
        answer = await connection.send(request("POST", "/api/v1/cron/jobs", body))
    job: dict[str, Any] = answer.json()["job"]
    return job


async def _lag(connection: Connection, job: dict[str, Any], *, patience: float) -> float:
    """Milliseconds from the job's slot to the start of its run."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        runs = (await connection.get(f"/api/v1/cron/jobs/{job['job_id']}/runs"))["runs"]
        if runs and runs[0]["started_at"] is not None:
            return 1000.0 * (runs[0]["started_at"] - runs[0]["scheduled_at"])
        await asyncio.sleep(0.1)
    return _NEVER_MS
