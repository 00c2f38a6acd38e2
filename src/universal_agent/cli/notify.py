"""`ua notify`: the channels of notifications beyond the dashboard."""

from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = group("notify", "List the channels of notifications, and test them.", heading="Operation")

_PATH = "/api/v1/notify/channels"

#: How long the gateway waits for a channel's answer.
_ATTEMPT_SECONDS = 60.0


@command(app, "list")
def list_channels(ua: Ua) -> None:
    """List the channels, their rules and their states."""
    ua.show(ua.gateway.get(_PATH), _view)


@command(app, "test")
def send_test(
    ua: Ua,
    channel: Annotated[
        str | None, typer.Argument(metavar="[CHANNEL]", help="Only this one. [default: all]")
    ] = None,
) -> None:
    """Send a test message through each channel, and print each answer.

    Fails with 1 when a channel does not take it.
    """
    with ua.waiting("sending"):
        body = {} if channel is None else {"channel": channel}
        document = ua.gateway.post(f"{_PATH}/test", body, patience=_ATTEMPT_SECONDS)
    if not document["results"]:
        raise CommandFailed(
            "no channel is set: set UA_NOTIFY_URLS or UA_NOTIFY_CHANNELS, and restart the gateway",
            ExitCode.CONFLICT,
        )
    ua.show(document, _tried)
    if not all(one["ok"] for one in document["results"]):
        raise typer.Exit(ExitCode.NO)


def _tried(screen: "Screen", document: Document) -> "RenderableType":
    table = screen.table("CHANNEL", "RESULT", "ANSWER", wide=("ANSWER",))
    for one in document["results"]:
        table.add_row(
            screen.text(one["channel"], "bold"),
            screen.status("ok" if one["ok"] else "fail"),
            screen.cell(one["answer"]),
        )
    return table


def _view(screen: "Screen", document: Document) -> "RenderableType":
    if not document["channels"]:
        return screen.text("No channels: set UA_NOTIFY_URLS or UA_NOTIFY_CHANNELS.")
    table = screen.table(
        "CHANNEL", "SERVICE", "STATE", "SINCE", "FROM", "RULES", "WAITING", "ERROR", wide=("ERROR",)
    )
    for one in document["channels"]:
        table.add_row(
            screen.text(one["name"], "bold"),
            screen.text(one["service"]),
            screen.text(one["status"], "" if one["status"] == "ok" else "bold red"),
            screen.when(one["since"]),
            screen.text(one["severity"]),
            screen.text(_rules(one)),
            screen.text(f"{one['pending']:,}"),
            screen.cell(one["error"] or ""),
        )
    return table


def _rules(one: Document) -> str:
    found = []
    if one["quiet_hours"]:
        found.append(f"quiet {one['quiet_hours']}")
    if one["digest"]:
        found.append(f"digest {one['digest']}")
    if found and not one["urgent"]:
        found.append("errors too")
    if not one["reminders"]:
        found.append("no reminders")
    return ", ".join(found)
