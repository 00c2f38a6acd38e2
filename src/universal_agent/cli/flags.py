"""`ua flag` and `ua audit`: the flags of the gateway, and who changed what."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from universal_agent.cli.command import command
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()
flags = group("flag", "Show the gateway's flags, and turn them.", heading="Operation")
app.add_typer(flags, rich_help_panel="Operation")

_FLAGS = "/api/v1/ops/flags"

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A flag's name, such as UA_SCHED_PUSH_ENABLED")
]


@command(flags, "list")
def list_flags(ua: Ua) -> None:
    """List the flags in force, and where each value comes from."""
    ua.show(ua.gateway.get(_FLAGS), _view)


@command(flags, "set")
def set_flag(
    ua: Ua,
    name: Name,
    value: Annotated[
        Literal["0", "1", "on", "off"], typer.Argument(metavar="STATE", help="0, 1, on or off")
    ],
) -> None:
    """Override a flag while the gateway runs.

    The override is durable and audited.
    """
    ua.show(ua.gateway.patch(_FLAGS, {name: {"on": "1", "off": "0"}.get(value, value)}), _view)


@command(flags, "reset")
def reset_flag(ua: Ua, name: Name) -> None:
    """Take the override of a flag back.

    The value of the environment, or the default, is in force again.
    """
    ua.show(ua.gateway.patch(_FLAGS, {name: None}), _view)


@command(app, "audit", rich_help_panel="Operation")
def audit(
    ua: Ua,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many.")] = 50,
    before: Annotated[
        int | None, typer.Option(min=1, metavar="SEQ", help="Only what came before this.")
    ] = None,
) -> None:
    """List what people decided and changed, newest first."""
    document = ua.gateway.get("/api/v1/ops/audit", limit=limit, before_seq=before)
    ua.show(document, _audit_view(ua.timezone))


def _view(screen: "Screen", document: Document) -> "RenderableType":
    table = screen.table("FLAG", "VALUE", "FROM", "CHANGED", "BY", wide=("BY",))
    for name, state in document["flags"].items():
        table.add_row(
            screen.text(name),
            screen.text("1" if state["value"] else "0", "green" if state["value"] else "yellow"),
            screen.text(state["source"]),
            screen.when(state["changed_at"]),
            screen.cell(state["changed_by"] or "-"),
        )
    return table


def _audit_view(timezone: str) -> "Callable[[Screen, Document], RenderableType]":
    """A view with a line for each entry, in local time of the zone."""

    def view(screen: "Screen", document: Document) -> "RenderableType":
        if not document["entries"]:
            return screen.text("Nothing was decided or changed yet.")
        table = screen.table("SEQ", "WHEN", "WHAT", "ABOUT", "DETAIL", "BY", wide=("DETAIL", "BY"))
        for event in document["entries"]:
            table.add_row(
                screen.text(event["seq"], "dim"),
                screen.when(event["timestamp"], timezone),
                screen.text(event["type"]),
                screen.id(event["source_ref"]) if event["source_ref"] else screen.text("-"),
                screen.cell(_detail(event)),
                screen.cell(event["data"].get("by") or "-"),
            )
        return table

    return view


def _detail(event: Document) -> str:
    """What the entry says beyond its type, in a few words."""
    data = event["data"]
    if "name" in data and "value" in data:
        return f"{data['name']} = {int(bool(data['value']))}"
    words = [data.get(key) for key in ("action", "change", "event_id", "mode", "note", "reason")]
    words.append(", ".join(data.get("changed") or []))
    return " ".join(str(word) for word in words if word) or str(event["status"])
