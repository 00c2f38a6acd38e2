"""`ua projection`: the calendar's projection, compared with the event log."""

from typing import TYPE_CHECKING

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import ExitCode
from universal_agent.cli.help_page import CONTEXT, GroupPage
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

_PANEL = "Every slot accounted for"

_PROJECTION = "/api/v1/ops/scheduling/projection"

#: A log of many millions of events takes minutes to fold.
_PATIENCE_SECONDS = 3600.0

app = typer.Typer()
group = typer.Typer(
    name="projection",
    cls=GroupPage,
    context_settings=CONTEXT,
    help="What the calendar is read from, folded from the event log: verify it, rebuild it.",
)
app.add_typer(group, rich_help_panel=_PANEL)


@command(group, "verify")
def verify(ua: Ua) -> None:
    """Fold the event log again, and compare the result with the projection.

    Fails with 1 when they differ.
    """
    with ua.waiting("folding the event log"):
        document = ua.reader.get(f"{_PROJECTION}/verify", patience=_PATIENCE_SECONDS)
    ua.show(document, _view)
    if not document["ok"]:
        raise typer.Exit(ExitCode.NO)


@command(group, "rebuild")
def rebuild(ua: Ua) -> None:
    """Build the projection again from the event log, and use the new one.

    It takes the place of the old one only where the two differ. The calendar is answered all the
    while.
    """
    with ua.waiting("folding the event log"):
        document = ua.gateway.post(f"{_PROJECTION}/rebuild", {}, patience=_PATIENCE_SECONDS)
    ua.show(document, _view)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    from rich.text import Text

    at = f"event {document['position']:,}"
    if document["ok"]:
        return Text.assemble(
            screen.status("ok"), f" what was held at {at} is what the log makes of it"
        )
    return Text.assemble(
        screen.status("fail"),
        f" what was held at {at} is not what the log makes of it: ",
        f"{document['hash']} instead of {document['expected_hash']}",
    )
