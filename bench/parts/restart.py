"""What a restart under load costs: the gap in which nothing is admitted, and the runs that it cuts.

Twenty runs go on over the restart of the gateway; a job of every second shows the gap.
"""

import asyncio
import time
from pathlib import Path

from bench.client import Connection, request
from bench.figure import Better, Figure, middle
from bench.gateway import fresh_directory, running
from bench.options import Options

_RUNS, _RUN_SECONDS = 20, 12


async def measure(options: Options) -> list[Figure]:
    found = []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            found.append(await _restarted(directory, options))

    def figure(name: str, unit: str, key: str, must: float) -> Figure:
        return Figure(
            name=name,
            unit=unit,
            better=Better.LESS,
            value=middle(found, key),
            must=must,
            detail={"rounds": [{key: one[key]} for one in found]},
        )

    return [
        figure(f"restart with {_RUNS} runs: gap in admission", "s", "gap", 1.5),
        figure("restart: runs that were cut", "runs", "cut", 0),
    ]


async def _restarted(directory: Path, options: Options) -> dict[str, float]:
    environment = {"UA_CRON_MOCK_RESPONSE": "0", "UA_CRON_MAX_CONCURRENCY": "64"}
    async with running(directory, options, **environment) as gateway:
        connection = await gateway.connect()
        ticking = await _create(connection, command="true", every="1s", on_miss="skip")
        long = [
            await _create(connection, command=f"sleep {_RUN_SECONDS}", run_at=time.time() + 1)
            for _ in range(_RUNS)
        ]
        await asyncio.sleep(4)
        last = max(await _starts(connection, ticking))
    async with running(directory, options, **environment) as gateway:
        await asyncio.sleep(_RUN_SECONDS)
        connection = await gateway.connect()
        first = min(start for start in await _starts(connection, ticking) if start > last)
        cut = 0
        for job_id in long:
            (run, *_) = (await connection.get(f"/api/v1/cron/jobs/{job_id}/runs"))["runs"]
            cut += run["status"] != "success"
    # Slots are a second apart: of the gap between two starts, that much is no gap.
    return {"gap": max(0.0, first - last - 1), "cut": float(cut)}


async def _create(connection: Connection, **fields: object) -> str:
    body = {"runner": "shell", **fields}
    answer = await connection.send(request("POST", "/api/v1/cron/jobs", body))
    return str(answer.json()["job"]["job_id"])


async def _starts(connection: Connection, job_id: str) -> list[float]:
    runs = (await connection.get(f"/api/v1/cron/jobs/{job_id}/runs?limit=100"))["runs"]
    return [run["started_at"] for run in runs if run["started_at"] is not None]
