"""Of many jobs, the same number is due in each second: how late do they start?"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from bench.figure import Better, Figure, middle, spread
from bench.gateway import Gateway, fresh_directory, running
from bench.load import lags, runs_since, sleep_until
from bench.options import Options
from bench.peers import apscheduler3
from bench.seed import fill, repeating, whole_second

#: Seconds until the gateway is up.
_START_SECONDS = 4


async def measure(options: Options) -> list[Figure]:
    ours, peers = [], []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            ours.append(await steady(directory, options, options.steady_registered))
        if options.peer:
            with fresh_directory(options) as directory:
                peers.append(
                    await apscheduler3(
                        "steady",
                        directory,
                        size=options.steady_per_second,
                        registered=options.steady_registered,
                        seconds=options.seconds,
                    )
                )
    return [
        Figure(
            name=f"{options.steady_per_second} jobs in each second of "
            f"{options.steady_registered} registered, lag p99",
            unit="ms",
            better=Better.LESS,
            value=middle(ours, "p99"),
            must=30,
            goal=15,
            peer=middle(peers, "p99") if peers else None,
            detail={"ours": ours, "peer": peers},
        )
    ]


Beside = Callable[[Gateway], AbstractAsyncContextManager[object]]


async def steady(
    directory: Path,
    options: Options,
    registered: int,
    beside: Beside = lambda _: nullcontext(),
    beside_seconds: float = 0,
) -> dict[str, float]:
    """One round, all jobs repeating so that each is one of those that are due at some second.

    `beside` makes what goes on with the gateway meanwhile, and has so many seconds for it before
    the first slot.
    """
    rate, seconds = options.steady_per_second, options.seconds
    first_at = whole_second(_START_SECONDS + registered / 2000 + beside_seconds)
    await fill(directory, repeating(registered, every=registered // rate, first_at=first_at))
    async with running(directory, options) as gateway, beside(gateway):
        began_at = first_at.timestamp() + 2
        await sleep_until(began_at - 0.5)
        before = gateway.usage()
        await sleep_until(began_at - 0.5 + seconds)
        used = gateway.usage() - before
        await sleep_until(began_at + seconds)
        runs = [
            run
            for run in await runs_since(gateway, began_at)
            if run["scheduled_at"] < began_at + seconds
        ]
        if len(runs) != rate * seconds:
            raise RuntimeError(f"expected {rate * seconds} runs, got {len(runs)}")
        return {
            **spread(lags(runs)),
            "cpu_share": used.cpu_seconds / seconds,
            "cpu_ms_per_run": 1000 * used.cpu_seconds / len(runs),
            "resident_mb": gateway.resident_bytes() / 2**20,
        }
