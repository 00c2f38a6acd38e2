"""What does it cost to wait? Wake-ups and bytes written while nothing is due."""

import asyncio
from pathlib import Path

from bench.figure import Better, Figure, middle
from bench.gateway import fresh_directory, running
from bench.options import Options
from bench.peers import apscheduler3
from bench.seed import fill, sleeping

#: Until what the start has begun is over.
_SETTLE_SECONDS = 5


async def measure(options: Options) -> list[Figure]:
    ours, peers = [], []
    for _ in range(options.rounds):
        bare = await _idle(options, 0, UA_ENABLE_CRON="0", UA_ENABLE_HEARTBEAT="0")
        empty = await _idle(options, 0)
        full = await _idle(options, options.idle_jobs)
        ours.append(
            {
                **full,
                "wakeups_per_second_with_no_job": empty["wakeups_per_second"],
                "wakeups_per_second_of_the_server": bare["wakeups_per_second"],
                "own_wakeups_per_second": full["wakeups_per_second"] - bare["wakeups_per_second"],
            }
        )
        if options.peer:
            with fresh_directory(options) as directory:
                peers.append(
                    await apscheduler3(
                        "idle", directory, size=options.idle_jobs, seconds=options.seconds
                    )
                )
    return [
        Figure(
            name=f"wake-ups in a second beside the HTTP server's, {options.idle_jobs} jobs idle",
            unit="1/s",
            better=Better.LESS,
            value=middle(ours, "own_wakeups_per_second"),
            must=1,
            goal=1,
            peer=middle(peers, "wakeups_per_second") if peers else None,
            detail={"ours": ours, "peer": peers},
        ),
        Figure(
            name=f"bytes written in {options.seconds} s, {options.idle_jobs} jobs idle",
            unit="B",
            better=Better.LESS,
            value=middle(ours, "written_bytes"),
            must=0,
            goal=0,
            peer=middle(peers, "written_bytes") if peers else None,
        ),
    ]


async def _idle(options: Options, jobs: int, **environment: str) -> dict[str, float]:
    with fresh_directory(options) as directory:
        return await _wait(directory, options, jobs, **environment)


async def _wait(
    directory: Path, options: Options, jobs: int, **environment: str
) -> dict[str, float]:
    await fill(directory, sleeping(jobs))
    async with running(directory, options, **environment) as gateway:
        await asyncio.sleep(_SETTLE_SECONDS)
        before = gateway.usage()
        await asyncio.sleep(options.seconds)
        used = gateway.usage() - before
        return {
            "wakeups_per_second": used.voluntary_switches / options.seconds,
            "written_bytes": used.written_bytes + used.disk_bytes,
            "cpu_share": used.cpu_seconds / options.seconds,
            "resident_mb": gateway.resident_bytes() / 2**20,
        }
