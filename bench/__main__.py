"""`./ua bench`: measure, compare with the peer, say whether what was promised is reached."""

import asyncio
import os
import sys
import time
from enum import StrEnum
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated

import orjson
import typer
import uvloop
from rich.console import Console

from bench.against import SEED_VARIABLE, check_out, measure_in_turns, this_build
from bench.figure import Figure, Verdict
from bench.options import Options
from bench.report import document, explain, show


class Part(StrEnum):
    """What can be measured."""

    BURST = "burst"
    STEADY = "steady"
    SUSTAINED = "sustained"
    CREATE = "create"
    IDLE = "idle"
    STARTUP = "startup"
    FEED = "feed"
    STREAM = "stream"
    WAKE = "wake"
    LANES = "lanes"
    OUTAGE = "outage"
    RESTART = "restart"
    RIM = "rim"
    GROWTH = "growth"


#: All but the long one.
_USUAL: list[Part] = [part for part in Part if part is not Part.GROWTH]

_console = Console(stderr=True)


def main(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="What to measure; all but growth by default.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything measured here.")] = None,
    gate: Annotated[bool, typer.Option(help="Exit with 1 when a must is missed.")] = False,
    against: Annotated[
        str | None, typer.Option(help="A revision to measure in turns with this build.")
    ] = None,
    within: Annotated[
        float, typer.Option(help="With --against and --gate: how many times worse is accepted.")
    ] = 1.05,
    peer: Annotated[bool, typer.Option(help="Measure APScheduler 3 too.")] = True,
    rounds: Annotated[int, typer.Option(min=1, help="The median of so many is the figure.")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="How long to measure a steady state.")] = 15,
    concurrency: Annotated[int, typer.Option(help="UA_CRON_MAX_CONCURRENCY.")] = 1024,
    log_level: Annotated[str, typer.Option(help="UA_LOG_LEVEL.")] = "info",
    directory: Annotated[Path, typer.Option(help="For databases; on a real disk.")] = Path(
        "bench/out"
    ),
    burst_jobs: Annotated[int, typer.Option(help="One-shots due in one second.")] = 1000,
    shell_jobs: Annotated[int, typer.Option(help="The same with a shell.")] = 50,
    steady_per_second: Annotated[int, typer.Option(help="Jobs due in each second.")] = 100,
    steady_registered: Annotated[int, typer.Option(help="Jobs they are taken from.")] = 10_000,
    sustained_per_second: Annotated[int, typer.Option(help="Slots offered a second.")] = 5000,
    create_jobs: Annotated[int, typer.Option(help="Jobs to create.")] = 4000,
    create_connections: Annotated[int, typer.Option(help="HTTP connections.")] = 8,
    idle_jobs: Annotated[int, typer.Option(help="Jobs while nothing is due.")] = 10_000,
    startup_jobs: Annotated[int, typer.Option(help="Jobs at the start.")] = 100_000,
    feed_jobs: Annotated[int, typer.Option(help="Daily jobs in the calendar.")] = 500,
    feed_runs: Annotated[str, typer.Option(help="Stored runs, for each size measured.")] = (
        "5000,100000"
    ),
    stream_clients: Annotated[str, typer.Option(help="Readers of the stream, in turn.")] = (
        "1,100,1000"
    ),
    stuck_readers: Annotated[int, typer.Option(help="Streams that nobody reads.")] = 1000,
    growth_jobs: Annotated[str, typer.Option(help="Sizes that growth goes through.")] = (
        "1000,10000,100000"
    ),
) -> None:
    """Measure a real gateway over HTTP, and APScheduler 3 beside it."""
    options = Options(
        rounds=rounds,
        concurrency=concurrency,
        log_level=log_level,
        directory=directory,
        peer=peer,
        seconds=seconds,
        burst_jobs=burst_jobs,
        shell_jobs=shell_jobs,
        steady_per_second=steady_per_second,
        steady_registered=steady_registered,
        sustained_per_second=sustained_per_second,
        create_jobs=create_jobs,
        create_connections=create_connections,
        idle_jobs=idle_jobs,
        startup_jobs=startup_jobs,
        feed_jobs=feed_jobs,
        feed_runs=tuple(int(size) for size in feed_runs.split(",")),
        stream_clients=tuple(int(size) for size in stream_clients.split(",")),
        stuck_readers=stuck_readers,
        growth_jobs=tuple(int(size) for size in growth_jobs.split(",")),
    )
    began_at = time.time()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if against is None:
            figures = runner.run(_measure(parts or _USUAL, options))
        else:
            figures = runner.run(_compare(parts or _USUAL, against, options))
    explain(_console, options)
    result = orjson.dumps(document(figures, options, began_at), option=orjson.OPT_INDENT_2)
    if json is None:
        print(result.decode())
    else:
        json.write_bytes(result)
    if gate and any(
        figure.verdict is Verdict.MISSED or not figure.within(within) for figure in figures
    ):
        raise typer.Exit(1)


async def _measure(parts: list[Part], options: Options) -> list[Figure]:
    figures: list[Figure] = []
    for part in parts:
        with _console.status(f"measuring {part}..."):
            measured = await import_module(f"bench.parts.{part}").measure(options)
        show(_console, measured)  # at once: the next part may take minutes
        figures += measured
    return figures


async def _compare(parts: list[Part], revision: str, options: Options) -> list[Figure]:
    with _console.status(f"setting up {revision}..."):
        builds = (this_build(), check_out(revision, options.directory))
    figures: list[Figure] = []
    for part in parts:
        with _console.status(f"measuring {part}, in turns with {revision}..."):
            measured = await measure_in_turns(
                part, options.arguments(), builds, rounds=options.rounds
            )
        show(_console, measured)
        figures += measured
    return figures


def _take_seed_of(path: str) -> None:
    """Seed databases with the code of the build that is measured, not with this checkout's."""
    spec = spec_from_file_location("bench.seed", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["bench.seed"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    if seed := os.environ.pop(SEED_VARIABLE, None):
        _take_seed_of(seed)
    typer.run(main)
