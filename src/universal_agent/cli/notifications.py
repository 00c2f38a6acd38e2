"""`ua notification`: the inbox of notifications."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Invocation, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = group("notification", "List notifications, and mark them.", heading="Operation")

_PATH = "/api/v1/dashboard/notifications"

#: As many as one request lists and one request marks.
_PAGE = 500

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or their beginnings or ends.")
]
All = Annotated[bool, typer.Option("--all", help="All that are not marked so yet.")]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Kept with it.")]


@command(app, "list")
def list_notifications(
    ua: Ua,
    status: Annotated[
        str | None,
        typer.Option(
            metavar="STATUS",
            help="Only those: new, read, acknowledged, snoozed or dismissed.",
        ),
    ] = None,
    session: Annotated[
        str | None, typer.Option(metavar="SESSION", help="Only of this session.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=_PAGE, metavar="N", help="How many.")] = 50,
) -> None:
    """List notifications, newest first."""
    from universal_agent.cli.find import find_session

    session_id = None if session is None else find_session(ua.gateway, session)
    ua.show(ua.gateway.get(_PATH, limit=limit, status=status, session_id=session_id), _view)


@command(app, "read")
def read(ua: Ua, names: Names = None, *, everything: All = False, note: Note = None) -> None:
    """Mark notifications as read."""
    _mark(ua, names, {"status": "read", "note": note}, everything=everything)


@command(app, "ack")
def acknowledge(ua: Ua, names: Names = None, *, everything: All = False, note: Note = None) -> None:
    """Mark notifications as acknowledged."""
    _mark(ua, names, {"status": "acknowledged", "note": note}, everything=everything)


@command(app, "dismiss")
def dismiss(ua: Ua, names: Names = None, *, everything: All = False, note: Note = None) -> None:
    """Dismiss notifications; they stay in the list."""
    _mark(ua, names, {"status": "dismissed", "note": note}, everything=everything)


@command(app, "snooze")
def snooze(
    ua: Ua,
    names: Names = None,
    *,
    length: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="How long. [default: the gateway's]"),
    ] = None,
    everything: All = False,
    note: Note = None,
) -> None:
    """Hide notifications for a while; they are new again afterwards."""
    from universal_agent.cli.job_fields import seconds

    change: Document = {"status": "snoozed", "note": note}
    if length is not None:
        change["snooze_minutes"] = (seconds(length, "--for") or 0) / 60
    _mark(ua, names, change, everything=everything)


def _mark(ua: Invocation, names: list[str] | None, change: Document, *, everything: bool) -> None:
    if bool(names) == everything:
        raise CommandFailed("expected ids of notifications, or --all", ExitCode.USAGE)
    known = ua.gateway.get(_PATH, limit=_PAGE)["notifications"]
    if everything:
        ids = [one["id"] for one in known if one["status"] != change["status"]]
    else:
        ids = [_find(known, name) for name in names or []]
    given = {name: value for name, value in change.items() if value is not None}
    results: list[Any] = []
    if ids:
        results = ua.gateway.post(f"{_PATH}/bulk", {"ids": ids, **given})["results"]
    ua.show({"results": results}, _marked)
    if any(result["status"] != "ok" for result in results):
        raise typer.Exit(ExitCode.NO)


def _find(known: list[Document], name: str) -> str:
    """The id of the notification that `name` means."""
    ids = [str(one["id"]) for one in known]
    found = [one for one in ids if one == name] or [
        one for one in ids if name and (one.startswith(name) or one.endswith(name))
    ]
    if len(found) != 1:
        listed = ", ".join(found[:5]) or "none"
        raise CommandFailed(
            f"expected the id of one notification, got {name!r}, which means {listed}",
            ExitCode.CONFLICT,
        )
    return found[0]


def _marked(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group

    results = document["results"]
    failed = [one for one in results if one["status"] != "ok"]
    lines = [screen.text(f"  {one['id']}: {one.get('detail', one['status'])}") for one in failed]
    return Group(screen.text(f"marked {len(results) - len(failed):,}"), *lines)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    if not document["notifications"]:
        return screen.text("No notifications.")
    table = screen.table("ID", "WHEN", "STATUS", "KIND", "TITLE", "MESSAGE", wide=("MESSAGE",))
    for one in document["notifications"]:
        table.add_row(
            screen.id(one["id"]),
            screen.when(one["updated_at"]),
            screen.text(one["status"] + (", open" if one["is_open"] else "")),
            screen.text(one["kind"]),
            screen.text(one["title"], "bold" if one["status"] == "new" else ""),
            screen.cell(one["message"]),
        )
    return table
