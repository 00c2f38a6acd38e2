"""`ua events`: the event log, in order."""

from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Invocation, Ua

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType
    from rich.text import Text

    from universal_agent.cli.screen import Screen

app = typer.Typer()

#: Seconds between two requests.
_PACE = 0.5


@command(app, "events", rich_help_panel="Every slot accounted for")
def events(
    ua: Ua,
    since: Annotated[
        int | None,
        typer.Option(min=0, metavar="SEQ", help="Only what came after this. [default: the end]"),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="How many.")] = 50,
) -> None:
    """Print the event log."""
    from universal_agent.cli.find import BEYOND, EVENTS

    if since is None:
        newest = ua.reader.get(EVENTS, since_seq=BEYOND, limit=1)["event_bus_seq"]
        since = max(0, newest - limit)
    document = ua.reader.get(EVENTS, since_seq=since, limit=limit)
    if follow:
        _follow(ua, document, since)
    else:
        _warn_of_gap(ua, document)
        ua.show(document, _view(ua.timezone))


def _follow(ua: Invocation, document: Document, since: int) -> None:

    view = _view(ua.timezone)
    while True:
        _warn_of_gap(ua, document)
        if ua.json:
            for event in document["events"]:
                ua.show_line(event)
        elif document["events"]:
            ua.screen.print(view(ua.screen, document))
        since = max([since, *(event["seq"] for event in document["events"])])
        if ua.reader.is_offline:
            raise CommandFailed(
                "No further events come before the gateway is up.", ExitCode.UNREACHABLE
            )
        if not document["has_more"]:
            ua.pause(_PACE)
        document = _next(ua, since)


def _next(ua: Invocation, since: int) -> Document:
    """The events after `since`, once the gateway answers: it may be restarted in between."""
    from universal_agent.cli.find import EVENTS

    told = False
    while True:
        try:
            # Found again each time: it may come back on another port.
            with ua.find_gateway() as gateway:
                return gateway.get(EVENTS, since_seq=since, limit=5000)
        except CommandFailed as failed:
            if failed.code not in (ExitCode.UNREACHABLE, ExitCode.UNAVAILABLE):
                raise
            if not told:
                ua.note(f"{failed.message} Waiting for it, from event {since} on.")
                told = True
            ua.pause(_PACE)


def _warn_of_gap(ua: Invocation, document: Document) -> None:
    if document["gap"]:
        ua.note(f"events before {document['oldest_seq']} are no longer kept")


def _detail(screen: "Screen", data: Document) -> "Text":
    """Details of the event in a few words."""
    from rich.text import Text

    if run := data.get("run"):
        return Text.assemble(screen.id(run["run_id"]), " ", screen.text(run.get("error") or ""))
    if count := data.get("count"):
        slots = "1 slot" if count == 1 else f"{count:,} slots"
        return screen.text(f"{slots}, {data['cause']}")
    return screen.text(data.get("reason") or ", ".join(data.get("changed", [])))


def _view(timezone: str) -> "Callable[[Screen, Document], RenderableType]":
    """A view with a line for each event, in local time of the zone."""
    from rich.console import Group
    from rich.text import Text

    def line(screen: "Screen", event: Document) -> Text:
        return Text("  ").join(
            [
                Text(f"{event['seq']:>6}", style="dim"),
                screen.when(event["timestamp"], timezone),
                Text(f"{event['type']:<24}"),
                screen.status(event["status"], width=13),
                screen.id(event["source_ref"]),
                _detail(screen, event["data"]),
            ]
        )

    def view(screen: "Screen", document: Document) -> "RenderableType":
        lines = [line(screen, event) for event in document["events"]]
        return Group(*lines) if lines else Text("No events.")

    return view
