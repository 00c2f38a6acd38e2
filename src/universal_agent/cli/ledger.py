"""`ua ledger`: every expected slot with its one recorded outcome."""

from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import ExitCode
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()

#: How many unaccounted slots are listed; --json has the first thousand.
_LISTED = 20


@command(app, "ledger", rich_help_panel="Every slot accounted for")
def ledger(
    ua: Ua,
    start: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="From when on. [default: a day before the end]"),
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Until when. [default: now]")
    ] = None,
    job: Annotated[str | None, typer.Option(metavar="JOB", help="Only this job's slots.")] = None,
) -> None:
    """Count every expected slot and its outcome.

    Fails with 1 when a slot is unaccounted for.
    """
    from universal_agent.cli.find import find_job_history

    job_id = None if job is None else find_job_history(ua.reader, job)["job_id"]
    with ua.waiting("counting"):
        document = ua.reader.get(
            "/api/v1/ops/scheduling/ledger", start=start, end=end, job_id=job_id
        )
    ua.show(document, _view)
    if document["unaccounted"]:
        raise typer.Exit(ExitCode.NO)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    outcomes = document["outcomes"]
    lost, count = document["unaccounted"], document["unaccounted_count"]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row(Text("expected", style="bold"), f"{document['expected']:,}", "")
    for name in ("ran", "skipped", "missed"):
        parts = {key: count for key, count in outcomes[name].items() if count}
        detail = ", ".join(f"{key} {count:,}" for key, count in parts.items())
        table.add_row(name, f"{sum(parts.values()):,}", screen.text(detail))
    table.add_row("interrupted", f"{outcomes['interrupted']:,}", "")
    table.add_row("in flight", f"{outcomes['in_flight']:,}", "")
    table.add_row("unaccounted", f"{count:,}", "")
    verdict = (
        Text.assemble(screen.status("fail"), f" {count:,} expected slots have no outcome")
        if lost
        else Text.assemble(screen.status("ok"), " every expected slot is accounted for")
    )
    listed = [screen.text(f"  {event_id}") for event_id in lost[:_LISTED]]
    if count > _LISTED:
        listed.append(Text(f"  and {count - _LISTED:,} more", style="dim"))
    window = Text.assemble(
        screen.when(document["start_utc"]), " to ", screen.when(document["end_utc"])
    )
    return Group(window, table, verdict, *listed)
