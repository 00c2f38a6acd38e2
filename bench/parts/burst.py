"""Many one-shots due in one second: how late does the last of them start?"""

import time
from pathlib import Path
from typing import Any

from bench.figure import Better, Figure, middle, spread
from bench.gateway import fresh_directory, running
from bench.load import create_jobs, ended_runs, lags, sleep_until
from bench.options import Options
from bench.peers import apscheduler3
from bench.seed import whole_second

#: After the burst, before anything is asked: asking would disturb it.
_SETTLE_SECONDS = 2.0


async def measure(options: Options) -> list[Figure]:
    ours, peers, told = [], [], []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            ours.append(await _burst(directory, options))
        if options.peer:
            with fresh_directory(options) as directory:
                peers.append(await apscheduler3("burst", directory, size=options.burst_jobs))
        with fresh_directory(options) as directory:
            told.append(await _shell(directory, options))
    return [
        Figure(
            name=f"{options.burst_jobs} one-shots of one second, lag p99",
            unit="ms",
            better=Better.LESS,
            value=middle(ours, "p99"),
            must=250,
            goal=100,
            peer=middle(peers, "p99") if peers else None,
            detail={"ours": ours, "peer": peers},
        ),
        Figure(
            name=f"{options.shell_jobs} of them with a shell, lag p99 by `date` itself",
            unit="ms",
            better=Better.LESS,
            value=middle(told, "p99"),
            detail={"rounds": told},
        ),
    ]


async def _burst(directory: Path, options: Options) -> dict[str, float]:
    async with running(directory, options) as gateway:
        due_at = whole_second(2 + options.burst_jobs / 400).timestamp()
        bodies = [{"command": "true", "run_at": due_at}] * options.burst_jobs
        await create_jobs(gateway, bodies, connections=options.create_connections)
        _require_ahead(due_at)
        before = gateway.usage()
        await sleep_until(due_at + _SETTLE_SECONDS)
        used = gateway.usage() - before
        runs = await ended_runs(gateway, due_at, options.burst_jobs)
        last = max(run["finished_at"] for run in runs)
        return {
            **spread(lags(runs)),
            "last_end": 1000 * (last - due_at),
            "cpu_ms_per_run": 1000 * used.cpu_seconds / options.burst_jobs,
        }


async def _shell(directory: Path, options: Options) -> dict[str, Any]:
    """The lag as a run's own process sees it, and as the gateway tells it of the same runs."""
    async with running(directory, options, UA_CRON_MOCK_RESPONSE="0") as gateway:
        due_at = whole_second(2 + options.shell_jobs / 400).timestamp()
        told = Path.cwd() / directory / "told"
        command = f"date +%s.%N >> {told}"
        bodies = [{"command": command, "run_at": due_at}] * options.shell_jobs
        await create_jobs(gateway, bodies, connections=options.create_connections)
        _require_ahead(due_at)
        await sleep_until(due_at + _SETTLE_SECONDS)
        runs = await ended_runs(gateway, due_at, options.shell_jobs)
        began = [float(line) for line in told.read_text().split()]
        return {
            **spread([1000 * (at - due_at) for at in began]),
            "first": 1000 * (min(began) - due_at),
            "by_started_at": spread(lags(runs)),
        }


def _require_ahead(due_at: float) -> None:
    if time.time() > due_at - 0.5:
        raise RuntimeError("the jobs were created too slowly to be there when they are due")
