"""`ua drain`: stop the gateway after its open runs have ended."""

from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()

#: Seconds between two looks at what is open.
_PACE = 0.5


@command(app, "drain", rich_help_panel="Gateway")
def drain(
    ua: Ua,
    length: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="DURATION",
            help="How long to wait for open runs, such as 10m. [default: until they have ended]",
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option(help="Return when the gateway has stopped, or immediately.")
    ] = True,
) -> None:
    """Start nothing more, let the open runs end, then stop the gateway.

    Slots that come due until then are decided at the next start.
    """
    from universal_agent.cli.job_fields import seconds

    limit = None if length is None else seconds(length, "--for")
    process_id = ua.gateway.get("/api/v1/ops/drain")["process_id"]
    request = {"process_id": process_id, "for_seconds": limit}
    state = ua.gateway.post("/api/v1/ops/drain", request)
    ua.show(state, _view)
    shown = state["open_runs"]
    while wait:
        ua.pause(_PACE)
        try:
            state = ua.gateway.get("/api/v1/ops/drain")
        except CommandFailed as failed:
            if failed.code is not ExitCode.UNREACHABLE:
                raise
            ua.note("the gateway has stopped")
            return
        if state["process_id"] != process_id:
            ua.note("the gateway has stopped, and another one has started")
            return
        if state["open_runs"] != shown:
            shown = state["open_runs"]
            ua.note(_count(shown))


def _count(count: int) -> str:
    return f"{count} {'run is' if count == 1 else 'runs are'} open"


def _view(screen: "Screen", state: Document) -> "RenderableType":
    from rich.console import Group

    listed = [screen.text(f"  {run['run_id']}  of {run['job_id']}") for run in state["runs"]]
    limit = f", until {state['until']} at the latest" if state["until"] else ""
    return Group(screen.text(f"draining: {_count(state['open_runs'])}{limit}"), *listed)
