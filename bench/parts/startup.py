"""With many jobs: how long from the start of the process until it is ready, and runs the first?"""

import itertools
import time
from pathlib import Path
from typing import Any

from bench.figure import Better, Figure, middle
from bench.gateway import Gateway, fresh_directory
from bench.load import runs_since
from bench.options import Options
from bench.peers import apscheduler3
from bench.seed import fill, repeating, sleeping, whole_second


async def measure(options: Options) -> list[Figure]:
    with fresh_directory(options) as directory, fresh_directory(options) as peer_directory:
        await seed(directory, options.startup_jobs)
        if options.peer:
            await apscheduler3("seed", peer_directory, size=options.startup_jobs)
        ours, peers = [], []
        for _ in range(options.rounds):
            ours.append(await start(directory, options))
            if options.peer:
                peers.append(await _peer(peer_directory))
    shared = {"ours": ours, "peer": peers}
    return [
        Figure(
            name=f"ready with {options.startup_jobs} jobs",
            unit="s",
            better=Better.LESS,
            value=middle(ours, "ready"),
            must=2,
            detail=shared,
        ),
        Figure(
            name=f"first run with {options.startup_jobs} jobs",
            unit="s",
            better=Better.LESS,
            value=middle(ours, "first_run"),
            must=2,
            goal=0.5,
            peer=middle(peers, "first_run") if peers else None,
        ),
    ]


async def seed(directory: Path, jobs: int) -> None:
    """Jobs that sleep, and one that is due in every second, so in that of any start."""
    eager = repeating(1, every=1, first_at=whole_second(0), on_miss="skip", misfire_grace_seconds=5)
    await fill(directory, itertools.chain(sleeping(jobs - 1), eager))


async def start(directory: Path, options: Options) -> dict[str, float]:
    """One start, by a gateway that is stopped again."""
    gateway = Gateway(directory, options)
    try:
        ready = await gateway.ready()
        runs: list[dict[str, Any]] = []
        while not runs:
            runs = [
                run
                for run in await runs_since(gateway, gateway.began_at - 10)
                if (run["started_at"] or 0) >= gateway.began_at
            ]
        resident = gateway.resident_bytes()
    finally:
        gateway.stop()
    first_run = min(run["started_at"] for run in runs) - gateway.began_at
    return {"ready": ready, "first_run": first_run, "resident_mb": resident / 2**20}


async def _peer(directory: Path) -> dict[str, float]:
    began_at = time.time()
    told = await apscheduler3("startup", directory)
    return {"first_run": told["first_start_at"] - began_at}
