"""Views of runs."""

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from universal_agent.cli.screen import Screen, length

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from universal_agent.cli.invocation import Document


def runs_view(timezone: str, *, of_one_job: bool) -> "Callable[[Screen, Document], RenderableType]":
    """A view with a line for each run, in local time of the zone."""

    def view(screen: Screen, document: "Document") -> "RenderableType":
        if not document["runs"]:
            return Text("No runs yet.")
        job = [] if of_one_job else ["JOB"]
        table = screen.table(
            "RUN",
            "STATUS",
            *job,
            "SCHEDULED",
            "LATE",
            "TOOK",
            "TRIGGER",
            "OUTPUT",
            wide=("OUTPUT",),
        )
        for run in document["runs"]:
            table.add_row(
                screen.id(run["run_id"]),
                screen.status(run["status"]),
                *(screen.id(run["job_id"]) for _ in job),
                screen.when(run["scheduled_at"], timezone),
                Text(_lag(run)),
                Text(_took(run)),
                Text(_trigger(run)),
                screen.cell(run["error"] or run["reason"] or run["output_preview"].strip()),
            )
        return table

    return view


def run_view(timezone: str) -> "Callable[[Screen, Document], RenderableType]":
    """A view of one run with the beginning of its output."""

    def view(screen: Screen, document: "Document") -> "RenderableType":
        run = document["run"]
        output = run["output_preview"].rstrip()
        facts = screen.facts(
            [
                ("run", screen.text(run["run_id"], "cyan")),
                ("job", screen.text(run["job_id"], "cyan")),
                ("scheduled", screen.when(run["scheduled_at"], timezone)),
                ("late", Text(_lag(run))),
                ("took", Text(_took(run))),
                ("last sign", _last_sign(screen, run, timezone)),
                ("trigger", Text(_trigger(run))),
                ("exit code", None if run["exit_code"] is None else Text(str(run["exit_code"]))),
                ("class", _end_class(screen, run, timezone)),
                ("error", screen.text(run["error"], "red") if run["error"] else None),
                ("reason", screen.text(run["reason"]) if run["reason"] else None),
                ("host", screen.text(run["host"]) if run["host"] else None),
            ]
        )
        lines = [screen.text(line) for line in output.splitlines()]
        return Group(screen.status(run["status"]), facts, *([Text()] if lines else []), *lines)

    return view


def _end_class(screen: "Screen", run: "Document", timezone: str) -> Text | None:
    """Why it failed, where a service is at fault, and until when the service asked to wait."""
    if run.get("end_class") in (None, "failed"):
        return None
    words = screen.text(run["end_class"].replace("_", " "), "yellow")
    if run["end_until"] is not None:
        words.append(" until ").append_text(screen.when(run["end_until"], timezone))
    return words


def _last_sign(screen: "Screen", run: "Document", timezone: str) -> Text | None:
    """The latest sign of life of a run in execution."""
    if run.get("last_sign_of_life_at") is None:
        return None
    words = screen.text(f"{run['last_sign_of_life']} at ")
    return words.append_text(screen.when(run["last_sign_of_life_at"], timezone))


def _trigger(run: "Document") -> str:
    return run["trigger"] if run["attempt"] == 1 else f"{run['trigger']} #{run['attempt']}"


def _lag(run: "Document") -> str:
    if run["started_at"] is None:
        return "-"
    return _span(run["started_at"] - run["scheduled_at"])


def _took(run: "Document") -> str:
    taken = run["duration_seconds"]
    return "-" if taken is None else _span(taken)


def _span(seconds: float) -> str:
    """Milliseconds where they matter: "12ms", "3.2s", "2m 5s"."""
    if seconds < 1:
        return f"{max(0.0, seconds) * 1000:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 60 else length(timedelta(seconds=seconds))
