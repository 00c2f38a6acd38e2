"""`ua resource`: the services that jobs wait for."""

from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = group("resource", "Show the services that jobs wait for.", heading="Operation")

_PATH = "/api/v1/ops/resources"

Name = Annotated[
    str,
    typer.Argument(metavar="RESOURCE", help="Its name, such as https://api.example.com or claude"),
]


@command(app, "list")
def list_resources(ua: Ua) -> None:
    """List the services that jobs wait for."""
    ua.show(ua.gateway.get(_PATH), _list_view(ua.timezone))


@command(app, "show")
def show(ua: Ua, name: Name) -> None:
    """Show one of them, with the error that it gave last."""
    found = [one for one in ua.gateway.get(_PATH)["resources"] if one["resource"] == name]
    if not found:
        raise CommandFailed(f"{name!r} is in no cooldown.", ExitCode.NO)
    ua.show({"resource": found[0]}, _view(ua.timezone))


@command(app, "clear")
def clear(ua: Ua, name: Name) -> None:
    """End its cooldown: the runs that wait for it start now.

    If it is still away, the first of them that fails opens a new one.
    """
    ua.show(ua.gateway.post(f"{_PATH}/clear", {"resource": name}), _cleared)


def _list_view(timezone: str) -> "Callable[[Screen, Document], RenderableType]":
    def view(screen: "Screen", document: Document) -> "RenderableType":
        if not document["resources"]:
            return screen.text("Jobs wait for no service.")
        table = screen.table(
            "RESOURCE", "CAUSE", "SINCE", "UNTIL", "STATE", "SLOTS", "ERROR", wide=("ERROR",)
        )
        for one in document["resources"]:
            table.add_row(
                screen.text(one["resource"], "cyan"),
                screen.text(one["cause"].replace("_", " "), "yellow"),
                screen.when(one["since_utc"], timezone),
                screen.when(one["until_utc"], timezone),
                screen.text(one["state"]),
                screen.text(str(one["slots"])),
                screen.cell(one["error"] or "-"),
            )
        return table

    return view


def _view(timezone: str) -> "Callable[[Screen, Document], RenderableType]":
    def view(screen: "Screen", document: Document) -> "RenderableType":
        one = document["resource"]
        named = "the service named it" if one["until_named"] else "by backoff"
        return screen.facts(
            [
                ("resource", screen.text(one["resource"], "cyan")),
                ("cause", screen.text(one["description"], "yellow")),
                ("since", screen.when(one["since_utc"], timezone)),
                ("until", screen.when(one["until_utc"], timezone)),
                ("why then", screen.text(named)),
                ("state", screen.text(one["state"])),
                ("failed probes", screen.text(str(one["failed_probes"]))),
                ("slots lost", screen.text(str(one["slots"]))),
                ("last run", screen.text(one["run_id"], "cyan")),
                ("error", screen.text(one["error"], "red") if one["error"] else None),
            ]
        )

    return view


def _cleared(screen: "Screen", document: Document) -> "RenderableType":
    return screen.text(f"Jobs use {document['resource']['resource']} again.")
