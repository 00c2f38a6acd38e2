"""How do the costs grow with the number of jobs? The same work at every size."""

from pathlib import Path
from typing import NamedTuple

from bench.figure import Better, Figure
from bench.gateway import fresh_directory, running
from bench.load import create_jobs
from bench.options import Options
from bench.parts.create import bodies
from bench.parts.startup import seed, start
from bench.parts.steady import steady


class _Cost(NamedTuple):
    """One quantity, and where it is found in what a size has measured."""

    name: str
    unit: str
    better: Better
    key: str


_COSTS = (
    _Cost("lag p99 of a steady load", "ms", Better.LESS, "p99"),
    _Cost("CPU of a run at that load", "ms", Better.LESS, "cpu_ms_per_run"),
    _Cost("memory at that load", "MiB", Better.LESS, "resident_mb"),
    _Cost("jobs created in a second", "1/s", Better.MORE, "created_per_second"),
    _Cost("start until ready", "s", Better.LESS, "ready"),
    _Cost("start until the first run", "s", Better.LESS, "first_run"),
)


async def measure(options: Options) -> list[Figure]:
    sizes = {jobs: await _size(options, jobs) for jobs in options.growth_jobs}
    return [
        Figure(
            name=f"{cost.name}, {jobs} jobs",
            unit=cost.unit,
            better=cost.better,
            value=measured[cost.key],
            detail=measured,
        )
        for cost in _COSTS
        for jobs, measured in sizes.items()
    ]


async def _size(options: Options, jobs: int) -> dict[str, float]:
    with fresh_directory(options) as directory:
        busy = await steady(directory, options, jobs)
    with fresh_directory(options) as directory:
        await seed(directory, jobs)
        started = await start(directory, options)
        created = await _create(directory, options)
    return {**started, **busy, "created_per_second": created}


async def _create(directory: Path, options: Options) -> float:
    """Jobs made in a second, beside those that there are."""
    async with running(directory, options) as gateway:
        created = await create_jobs(
            gateway, bodies(options.create_jobs), connections=options.create_connections
        )
    return options.create_jobs / created.seconds
