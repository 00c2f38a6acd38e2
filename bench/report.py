"""What is shown at the end: a table for people, a document for machines."""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.figure import Figure, Verdict
from bench.options import Options

_STYLES = {Verdict.GOAL: "green", Verdict.MUST: "yellow", Verdict.MISSED: "bold red"}

_NOTES = """\
Lag: started_at - scheduled_at of GET /api/v1/cron/runs. A run's started_at is the wall clock at the
moment its runner is called, after its admission is on the disk.
Peer: APScheduler 3.11 on SQLite, write-ahead log, synchronous=NORMAL, in one process without HTTP;
ours has synchronous=FULL. Ratio: how many times better ours is."""


def machine(*, peer: bool) -> dict[str, Any]:
    """What it was measured on, and the peer's version where that was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "apscheduler": version("apscheduler") if peer else None,
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def document(figures: Sequence[Figure], options: Options, began_at: float) -> dict[str, Any]:
    """Everything as JSON."""
    return {
        "began_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began_at)),
        "seconds": round(time.time() - began_at, 1),
        "command": sys.argv[1:],
        "machine": machine(peer=options.peer),
        "options": asdict(options) | {"directory": str(options.directory)},
        "notes": _NOTES.splitlines(),
        "figures": [figure.document() for figure in figures],
    }


def show(console: Console, figures: Sequence[Figure]) -> None:
    """One part's figures, as a table."""
    table = Table(box=None, pad_edge=False)
    table.add_column("figure", min_width=26)
    compared = any(figure.before is not None for figure in figures)
    beside = ("before", "ours/before") if compared else ("peer", "ratio")
    for title in ("ours", "must", "goal", *beside):
        table.add_column(title, justify="right", min_width=5)
    table.add_column("")
    for figure in figures:
        ratio = figure.before_ratio if compared else figure.ratio
        table.add_row(
            f"{figure.name}, {figure.unit}",
            _number(figure.value),
            _number(figure.must),
            _number(figure.goal),
            _number(figure.before if compared else figure.peer),
            "" if ratio is None else f"{ratio:.2f} x",
            figure.verdict,
            style=_STYLES.get(figure.verdict),
        )
    console.print(table)


def explain(console: Console, options: Options) -> None:
    """How to read the tables."""
    console.print(
        f"\nMedian of {options.rounds} rounds. {options.concurrency} runs at once, log level "
        f"{options.log_level}. Load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
    )
    console.print(_NOTES)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
