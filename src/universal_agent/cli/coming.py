"""`ua next`: the next slots."""

from typing import Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.invocation import Ua

app = typer.Typer()


@command(app, "next", rich_help_panel="Jobs and runs")
def coming(
    ua: Ua,
    limit: Annotated[int, typer.Option(min=1, max=500, metavar="N", help="How many jobs.")] = 10,
) -> None:
    """List which jobs run next, and when."""
    from universal_agent.cli.job_view import next_view

    ua.show(ua.reader.get("/api/v1/cron/next", limit=limit), next_view)
