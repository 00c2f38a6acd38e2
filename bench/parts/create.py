"""How many jobs can be made in a second, over HTTP?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figure import Better, Figure, middle, spread
from bench.gateway import fresh_directory, running
from bench.load import create_jobs
from bench.options import Options
from bench.peers import apscheduler3


async def measure(options: Options) -> list[Figure]:
    ours, peers = [], []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            ours.append(await _create(directory, options))
        if options.peer:
            with fresh_directory(options) as directory:
                peers.append(await apscheduler3("create", directory, size=options.create_jobs))
    return [
        Figure(
            name=f"jobs created in a second, {options.create_connections} connections",
            unit="1/s",
            better=Better.MORE,
            value=middle(ours, "per_second"),
            must=800,
            goal=2000,
            peer=middle(peers, "per_second") if peers else None,
            detail={"ours": ours, "peer": peers},
        )
    ]


async def _create(directory: Path, options: Options) -> dict[str, float]:
    async with running(directory, options) as gateway:
        before = gateway.usage()
        created = await create_jobs(
            gateway, bodies(options.create_jobs), connections=options.create_connections
        )
        used = gateway.usage() - before
        return {
            **spread(created.latencies),
            "per_second": options.create_jobs / created.seconds,
            "cpu_ms_per_job": 1000 * used.cpu_seconds / options.create_jobs,
            "generator_cpu_share": created.generator_cpu_seconds / created.seconds,
        }


def bodies(count: int) -> Iterator[dict[str, Any]]:
    """Jobs of all kinds, far from being due."""
    for number in range(count):
        when: dict[str, Any] = [
            {"cron_expr": f"{number % 60} {number // 60 % 24} 1 * *"},
            {"every": f"{30 + number % 60}d"},
            {"cron_expr": f"{number % 60} 9 * * 1-5", "timezone": "Europe/Berlin"},
            {"run_at": f"in {40 + number % 100} days"},
        ][number % 4]
        yield {"command": "true", "title": f"Job {number}", **when}
