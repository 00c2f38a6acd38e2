"""Views of sessions."""

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from universal_agent.cli.run_view import runs_view
from universal_agent.cli.screen import Screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.invocation import Document


def sessions_view(screen: Screen, document: "Document") -> "RenderableType":
    """A line for each session."""
    if not document["sessions"]:
        return Text("No sessions yet. Make one with `ua session new`.")
    table = screen.table(
        "SESSION", "STATUS", "OWNER", "CLIENTS", "LAST ACTIVE", "WORKSPACE", wide=("WORKSPACE",)
    )
    for session in document["sessions"]:
        table.add_row(
            screen.id(session["session_id"]),
            screen.status(session["status"]),
            screen.text(session["user_id"]),
            Text(str(session["clients"])),
            screen.when(session["last_active_at"]),
            screen.cell(session["workspace_dir"]),
        )
    return table


def session_view(screen: Screen, document: "Document") -> "RenderableType":
    """One session, with its latest turns and beats where the answer has them."""
    facts = screen.facts(
        [
            ("session", screen.text(document["session_id"], "cyan")),
            ("status", screen.status(document["status"])),
            ("owner", screen.text(document["user_id"])),
            ("workspace", screen.text(document["workspace_dir"])),
            ("made by", screen.text(document["source"])),
            ("made", screen.when(document["created_at"])),
            ("last active", screen.when(document["last_active_at"])),
            ("clients", Text(str(document["clients"]))),
        ]
    )
    if "runs" not in document:
        return facts
    return Group(facts, Text(""), runs_view("UTC", of_one_job=True)(screen, document))
