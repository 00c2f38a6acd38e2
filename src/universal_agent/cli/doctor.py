"""`ua doctor`: checks of an installation, with advice."""

from typing import TYPE_CHECKING

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Ua
from universal_agent.errors import SettingsError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()


@command(app, "doctor", rich_help_panel="Gateway")
def doctor(ua: Ua) -> None:
    """Check this installation, and say how to correct what is wrong.

    Fails with 1 when a check fails; a warning is no failure.
    """
    from universal_agent.cli.checks import Check, examine
    from universal_agent.cli.client import require_directory

    with ua.waiting("checking"):
        try:
            settings = ua.settings
            require_directory(settings)
        except CommandFailed as error:
            advice = "`ua serve` makes the directory of a new gateway."
            checks = [Check("data", "fail", error.message, advice)]
        except SettingsError as error:
            advice = "Correct the variable, or unset it for its default."
            checks = [Check("settings", "fail", error.message, advice)]
        else:
            checks = examine(settings, ua.gateway, now=ua.clock.now())
    failed = any(check.status == "fail" for check in checks)
    ua.show({"ok": not failed, "checks": [check.document() for check in checks]}, _view)
    if failed:
        raise typer.Exit(ExitCode.NO)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for check in document["checks"]:
        table.add_row(screen.status(check["status"]), check["name"], screen.text(check["detail"]))
        if check["advice"]:
            table.add_row("", "", Text.assemble("→ ", screen.text(check["advice"])))
    counts = {
        status: sum(check["status"] == status for check in document["checks"])
        for status in ("fail", "warn")
    }
    verdict = ", ".join(
        f"{count} {word}"
        for word, count in (("to correct", counts["fail"]), ("to look at", counts["warn"]))
        if count
    )
    return Group(table, Text(), Text(verdict or "All is well.", style="bold"))
