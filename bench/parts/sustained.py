"""More slots in each second than can be run: how many runs does it come to?"""

import time
from pathlib import Path

from bench.figure import Better, Figure, middle, quantile
from bench.gateway import fresh_directory, running
from bench.load import lags, runs_since, sleep_until
from bench.options import Options
from bench.peers import apscheduler3
from bench.seed import fill, repeating, whole_second

_START_SECONDS = 4

#: From the first slot until runs are counted.
_WARM_UP_SECONDS = 2


async def measure(options: Options) -> list[Figure]:
    ours, peers = [], []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            ours.append(await _sustained(directory, options))
        if options.peer:
            with fresh_directory(options) as directory:
                peers.append(
                    await apscheduler3(
                        "sustained",
                        directory,
                        size=options.sustained_per_second,
                        seconds=options.seconds,
                    )
                )
    return [
        Figure(
            name=f"no-op runs in a second, of {options.sustained_per_second} offered",
            unit="1/s",
            better=Better.MORE,
            value=middle(ours, "per_second"),
            must=1500,
            goal=3000,
            peer=middle(peers, "per_second") if peers else None,
            detail={"ours": ours, "peer": peers},
        )
    ]


async def _sustained(directory: Path, options: Options) -> dict[str, float]:
    offered = options.sustained_per_second
    first_at = whole_second(_START_SECONDS + offered / 2000)
    await fill(directory, repeating(offered, every=1, first_at=first_at, overlap="allow"))
    async with running(directory, options) as gateway:
        await sleep_until(first_at.timestamp() + _WARM_UP_SECONDS)
        began_at, before = time.time(), gateway.usage()
        await sleep_until(began_at + options.seconds)
        ended_at, used = time.time(), gateway.usage() - before
        runs = [
            run
            for run in await runs_since(gateway, first_at.timestamp())
            if run["finished_at"] is not None and began_at <= run["finished_at"] < ended_at
        ]
        if any(run["status"] != "success" for run in runs):
            raise RuntimeError("expected every run to end well")
        return {
            "per_second": len(runs) / (ended_at - began_at),
            "lag_p99": quantile(lags(runs), 0.99),
            "cpu_share": used.cpu_seconds / (ended_at - began_at),
            "cpu_ms_per_run": 1000 * used.cpu_seconds / len(runs),
        }
