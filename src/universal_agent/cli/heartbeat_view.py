"""Views of heartbeats and their reports."""

from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from universal_agent.cli.safe_text import clean
from universal_agent.cli.screen import Screen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.invocation import Document


def list_view(screen: Screen, document: "Document") -> "RenderableType":
    """A line for each session's heartbeat."""
    if not document["heartbeats"]:
        return Text("No session has a heartbeat yet.")
    table = screen.table("SESSION", "STATUS", "LAST", "NEXT", "SAID", wide=("SAID",))
    for session_id, beat in document["heartbeats"].items():
        zone = beat["schedule"]["timezone"]
        table.add_row(
            screen.text(session_id, "cyan"),
            screen.status(_status(beat)),
            screen.when(beat["last_run"], zone),
            screen.when(beat["next_run"], zone),
            screen.cell(_said(beat["last_summary"])),
        )
    return table


def show_view(screen: Screen, document: "Document") -> "RenderableType":
    """One session's heartbeat, with what it said last."""
    schedule, delivery = document["schedule"], document["delivery"]
    zone, error = schedule["timezone"], document["config_error"]
    summary = document["last_summary"]
    facts = screen.facts(
        [
            ("session", screen.text(document["session_id"])),
            ("status", screen.status(_status(document))),
            ("schedule", screen.text(schedule["description"])),
            ("active hours", schedule["active_hours"] and f"{schedule['active_hours']} {zone}"),
            ("last", screen.when(document["last_run"], zone)),
            ("next", screen.when(document["next_run"], zone)),
            ("delivery", screen.text(delivery["mode"])),
            ("problem", None if error is None else screen.text(f"HEARTBEAT.json: {error}", "red")),
            ("told", None if summary is None else screen.text(_told(summary))),
        ]
    )
    return facts if summary is None else Group(facts, Text(""), Text(clean(summary["text"])))


def suppressed_view(screen: Screen, document: "Document") -> "RenderableType":
    """A line for each report that was not delivered."""
    if not document["suppressed"]:
        return Text("Nothing was held back.")
    table = screen.table("WHEN", "SESSION", "REASON", "SAID", wide=("SAID",))
    for summary in document["suppressed"]:
        table.add_row(
            screen.when(summary["timestamp"]),
            screen.text(summary["session_id"], "cyan"),
            screen.text(summary["suppressed_reason"]),
            screen.cell(summary["text"]),
        )
    return table


def woken_view(screen: Screen, document: "Document") -> "RenderableType":
    """The sessions that were woken, and when their beats come."""
    count = document.get("count", 1)
    who = document.get("session_id") or f"{count} session{'' if count == 1 else 's'}"
    when = "as soon as it is free" if document["mode"] == "now" else "with the next beat"
    return Text.assemble(screen.status("ok"), " ", screen.text(who), f": {when}")


def _status(beat: "Document") -> str:
    if not beat["enabled"] or beat["off_label"]:
        return str(beat["off_label"])
    return "running" if beat["busy"] else "enabled"


def _said(summary: dict[str, Any] | None) -> str:
    return "" if summary is None else str(summary["text"])


def _told(summary: dict[str, Any]) -> str:
    if summary["sent"]:
        return "sent to " + ", ".join(summary["delivery"]["connected_targets"])
    return f"nobody: {summary['suppressed_reason'] or 'not decided yet'}"
