"""`python -m chaos`, which `./ua chaos` calls."""

import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from chaos.checker import check
from chaos.evidence import Evidence, Record
from chaos.faults.table import ROWS, Row
from chaos.faults.trial import Assignment
from chaos.rig import Options, Rig

_console = Console(highlight=False)
_progress = Console(stderr=True, highlight=False)

#: Stands for every row of the faults.
_ALL = "all"

app = typer.Typer(
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

Folder = Annotated[
    Path | None, typer.Option(help="Where to work.", show_default="a new one in /tmp")
]
Json = Annotated[
    Path | None, typer.Option(help="Where the report goes.", show_default="FOLDER/report.json")
]
Seed = Annotated[int, typer.Option(help="Of everything that is chosen.")]


@app.callback(
    invoke_without_command=True,
    epilog="Exit code 0: nothing was. The evidence stays in FOLDER; --check reads it again.",
)
def kill(
    context: typer.Context,
    kills: Annotated[int, typer.Option(min=0, help="Kills at random instants.")] = 200,
    failpoint_kills: Annotated[int, typer.Option(min=0, help="Kills at each exact instant.")] = 20,
    seed: Seed = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Jobs under load.")] = 200,
    writes: Annotated[float, typer.Option(help="API writes a second.")] = 50,
    folder: Folder = None,
    out_json: Json = None,
    *,
    look_again: Annotated[
        bool, typer.Option("--check", help="Only check the evidence in FOLDER.")
    ] = False,
) -> None:
    """Kill a gateway again and again under load, and count what was lost.

    Other faults are brought about by [bold]faults[/bold]: a disk that fails, a clock that is set...
    """
    if context.invoked_subcommand is not None:
        return
    place = _place(folder)
    if look_again:
        faults = check(Evidence(place / "evidence")).faults
        for fault in faults:
            _console.print(f"{fault.sort}: {fault.sentence}", markup=False)
        raise typer.Exit(1 if faults else 0)
    options = Options(
        folder=place,
        seed=seed,
        kills=kills,
        failpoint_kills=failpoint_kills,
        jobs=jobs,
        writes_per_second=writes,
    )
    report = asyncio.run(Rig(options).run())
    for fault in report.verdict.faults[:20]:
        _console.print(f"{fault.sort}: {fault.sentence}", markup=False)
    _console.print(report.summary)
    if report.durability is None:
        _console.print("no strace here: whether writes reach the disk was not looked at")
    _write(out_json or place / "report.json", report.record())
    raise typer.Exit(0 if report.ok else 1)


@app.command()
def faults(
    rows: Annotated[
        list[str] | None,
        typer.Argument(metavar="[F3 F4 ... | all]", help="Which; without any they are listed."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="How often.", show_default="each one's own")
    ] = None,
    seed: Seed = 1,
    folder: Folder = None,
    out_json: Json = None,
    *,
    brief: Annotated[
        bool, typer.Option("--brief", help="One short round each, as in the test suite.")
    ] = False,
) -> None:
    """Bring about one fault after the other, and count what was lost.

    Such as: ua chaos faults F3 F19 --rounds 20 --seed 7
    """
    if not rows:
        _list()
        return
    if rows == [_ALL]:
        rows = list(ROWS)
    unknown = sorted(set(rows) - set(ROWS))
    if unknown:
        raise typer.BadParameter(f"expected {', '.join((*ROWS, _ALL))}, got {', '.join(unknown)}")
    place = _place(folder)
    records: list[Record] = []
    for name in rows:
        row = ROWS[name]
        count = rounds or (1 if brief else row.rounds)
        records.append(_bring_about(row, place, count, seed, brief=brief))
    _write(out_json or place / "report.json", {"rows": records})
    raise typer.Exit(0 if all(record["ok"] for record in records) else 1)


def _bring_about(row: Row, place: Path, rounds: int, seed: int, *, brief: bool) -> Record:
    """Do what a row says; its record."""
    base: Record = {"row": row.name, "what": row.what, "rounds": rounds, "seed": seed}
    if row.lacks:
        _console.print(f"{row.name}: this machine lacks {row.lacks}")
        return base | {"ok": False, "lacks": row.lacks}
    began = time.monotonic()
    with _progress.status(f"{row.name}: {row.what}...") as status:
        outcome = row.work(
            Assignment(
                place / row.name,
                rounds,
                seed,
                brief=brief,
                say=lambda line: status.update(f"{row.name}: {line}"),
            )
        )
    for fault in outcome.faults[:20]:
        _console.print(f"{fault.sort}: {fault.sentence}", markup=False)
    _console.print(f"{row.name}: {rounds} rounds, seed {seed}: {outcome.verdict}")
    seconds = {"seconds": round(time.monotonic() - began, 1)}
    return base | seconds | outcome.record()


def _list() -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "what is done", "rounds", ""):
        table.add_column(heading, header_style="dim", justify="left")
    for row in ROWS.values():
        lacks = f"needs {row.lacks}" if row.lacks else ""
        table.add_row(row.name, row.what, str(row.rounds), lacks)
    _console.print(table)


def _place(folder: Path | None) -> Path:
    place = folder or Path(tempfile.mkdtemp(prefix="ua-chaos-"))
    place.mkdir(parents=True, exist_ok=True)
    return place


def _write(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    _console.print(f"report: {path}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leave no gateway behind
    sys.exit(app(prog_name="ua chaos"))
