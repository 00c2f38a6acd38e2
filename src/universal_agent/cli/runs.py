"""`ua run`: show, follow and cancel a run."""

from typing import Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Ua

app = group("run", "Show, follow or cancel a run.", heading="Jobs and runs")

Name = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning or end of it.")]


@command(app, "show")
def show(ua: Ua, run: Name) -> None:
    """Show a run and the beginning of its output."""
    from universal_agent.cli.find import find_run, zone_of
    from universal_agent.cli.run_view import run_view

    found = find_run(ua.reader, run)
    ua.show({"run": found}, run_view(zone_of(ua.reader, found)))


@command(app, "logs")
def logs(
    ua: Ua,
    run: Name,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
    lines: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="How many.")] = 500,
) -> None:
    """Print what a run has printed."""
    from universal_agent.cli.find import find_run
    from universal_agent.cli.run_log import follow_run, print_log

    found = find_run(ua.reader, run)
    if follow:
        follow_run(ua, found, lines=lines)
    else:
        print_log(ua, found, lines=lines)


@command(app, "cancel")
def cancel(ua: Ua, run: Name) -> None:
    """Cancel a run that waits or is in execution."""
    from universal_agent.cli.find import find_run, zone_of
    from universal_agent.cli.run_view import run_view

    found = find_run(ua.gateway, run)
    document = ua.gateway.post(f"/api/v1/cron/runs/{found['run_id']}/cancel", {})
    ua.show(document, run_view(zone_of(ua.gateway, found)))
