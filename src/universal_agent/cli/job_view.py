"""Views of jobs."""

from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from universal_agent.cli.screen import Screen, length

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from universal_agent.cli.invocation import Document


def jobs_view(screen: Screen, document: "Document") -> "RenderableType":
    """A line for each job, with its next slot in its own zone."""
    if not document["jobs"]:
        return Text("No jobs yet. Add one: ua job add 'every 10s' 'date >> dates.txt'")
    table = screen.table(
        "JOB",
        "STATE",
        "NEXT",
        *screen.terminal_only("IN"),
        "TITLE",
        "SCHEDULE",
        "FAILED",
        wide=("TITLE", "SCHEDULE"),
    )
    for job in document["jobs"]:
        next_run_at = job["next_run_at"]
        table.add_row(
            screen.id(job["job_id"]),
            screen.status(state_of(job)),
            screen.when(next_run_at, job["timezone"]),
            *screen.terminal_only(screen.away(next_run_at)),
            screen.cell(job["title"]),
            screen.cell(job["description"]),
            screen.text(_failures(job), "red"),
        )
    return table


def job_view(screen: Screen, document: "Document") -> "RenderableType":
    """Everything about a job, with the next slots in local time and UTC."""
    job = document["job"]
    metadata = ", ".join(f"{name}={value}" for name, value in job["metadata"].items())
    return Group(
        Text.assemble(screen.status(state_of(job)), " ", screen.text(job["title"], "bold")),
        screen.facts(
            [
                ("id", screen.text(job["job_id"], "cyan")),
                ("breaker", _breaker(screen, document)),
                ("schedule", _schedule(screen, job)),
                ("next", _next_slots(screen, document["echo"])),
                ("command", screen.block(job["command"])),
                ("runner", screen.text(job["runner"])),
                ("model", screen.text(job["model"]) if job["model"] else None),
                ("workspace", screen.text(job["workspace_dir"])),
                ("overlap", Text(job["overlap"])),
                ("late", _lateness(job)),
                ("missed", _when_missed(screen, document)),
                ("limits", _limits(job)),
                ("fails on", _fail_on(screen, job)),
                ("uses", _uses(screen, job)),
                ("metadata", screen.text(metadata) if metadata else None),
                ("last run", _last_run(screen, job)),
            ]
        ),
    )


def added_view(screen: Screen, document: "Document") -> "RenderableType":
    """What was understood of a new or edited job: its schedule in words and its next slots."""
    job = document["job"]
    return Group(
        Text.assemble(
            screen.status(state_of(job)),
            " ",
            screen.text(job["title"], "bold"),
            "  ",
            screen.text(job["job_id"], "cyan"),
        ),
        screen.facts(
            [
                ("schedule", _schedule(screen, job)),
                ("next", _next_slots(screen, document["echo"])),
                ("zone", _zone(screen, document["echo"])),
                ("runner", screen.text(job["runner"])),
                ("missed", _when_missed(screen, document)),
                *(("note", screen.text(note, "yellow")) for note in _notes(document)),
            ]
        ),
    )


def _when_missed(screen: Screen, document: "Document") -> Text | None:
    """What becomes of missed slots, and why; None when the gateway is an older one."""
    text = document["echo"].get("when_missed")
    return screen.text(text) if isinstance(text, str) else None


def _notes(document: "Document") -> list[str]:
    """What the gateway adds to a job that was made or edited; nothing when it is an older one."""
    notes: list[str] = document["echo"].get("notes", [])
    return notes


def next_view(screen: Screen, document: "Document") -> "RenderableType":
    """The coming slot of each job, earliest first."""
    if not document["next"]:
        return Text("Nothing is planned.")
    table = screen.table(
        "NEXT", *screen.terminal_only("IN"), "JOB", "TITLE", "SCHEDULE", wide=("TITLE", "SCHEDULE")
    )
    for slot in document["next"]:
        table.add_row(
            screen.when(slot["local"]),
            *screen.terminal_only(screen.away(slot["at"])),
            screen.id(slot["job_id"]),
            screen.cell(slot["title"]),
            screen.cell(slot["description"]),
        )
    return table


def state_of(job: "Document") -> str:
    """One word for how the job is: running, failing, enabled, finished, or why it is off."""
    if not job["enabled"] or job["off_label"] is not None:
        return str(job["off_label"] or "disabled")
    if job["running"]:
        return "running"
    if job["next_run_at"] is None:
        return "finished"
    return "failing" if job["consecutive_failures"] else "enabled"


def _failures(job: "Document") -> str:
    """How many of its latest slots failed, without a success since; empty for none."""
    failures = job["consecutive_failures"]
    return f"{failures:,} in a row" if failures else ""


def _schedule(screen: Screen, job: "Document") -> Text:
    once = ", then deleted" if job["delete_after_run"] else ""
    return screen.text(job["description"] + once)


#: Where a job's zone came from, by the gateway's word for it.
_ZONE_SOURCES = {
    "schedule": "named in the schedule",
    "timezone": "as given",
    "UA_TIMEZONE": "the gateway's UA_TIMEZONE",
    "host": "the gateway's host",
    "job": "as before",
}


def _zone(screen: Screen, echo: "Document") -> Text:
    """The zone that times are read in, and where it came from."""
    source = _ZONE_SOURCES.get(echo.get("timezone_source", ""))
    return screen.text(echo["timezone"] + (f" ({source})" if source else ""))


def _next_slots(screen: Screen, echo: "Document") -> "Table | Text":
    if not echo["next"]:
        return Text("no further slot", style="dim")
    zones = dict.fromkeys((echo["timezone"], "UTC"))
    table = screen.table(*zones, *screen.terminal_only(""))
    for slot in echo["next"]:
        table.add_row(
            *(screen.when(slot["at"], zone) for zone in zones),
            *screen.terminal_only(screen.away(slot["at"])),
        )
    return table


def _breaker(screen: Screen, document: "Document") -> Text | None:
    """Since when the breaker is open, when a probe comes, and what it has cost; None: closed."""
    breaker = document.get("breaker")
    if breaker is None:
        return None
    zone, slots = document["job"]["timezone"], breaker["slots"]
    return Text.assemble(
        "open since ",
        screen.when(breaker["since"], zone),
        ", next probe from ",
        screen.when(breaker["probe_at"], zone),
        f", {'1 slot' if slots == 1 else f'{slots:,} slots'} skipped",
        style="red",
    )


def _lateness(job: "Document") -> Text:
    return Text(f"runs up to {_length(job['misfire_grace_seconds'])} late")


def _limits(job: "Document") -> Text:
    pause, idle = job["auto_pause_after"], job.get("idle_timeout_seconds")
    parts = [
        f"timeout {_length(job['timeout_seconds'])}",
        *([] if idle is None else [f"longest silence {_length(idle)}"]),
        f"retries {job['retries']}",
        f"jitter {_length(job['jitter_seconds'])}",
        f"paused after {pause} failed slots in a row" if pause else "never paused after failures",
    ]
    return Text(", ".join(parts))


def _uses(screen: Screen, job: "Document") -> Text | None:
    """The services that its runs use."""
    names = job.get("resources")
    return screen.text(", ".join(map(str, names))) if names else None


def _fail_on(screen: Screen, job: "Document") -> Text | None:
    rules = job.get("fail_on")
    if not rules:
        return None
    return screen.text("; ".join(f"{name} {_listed(value)}" for name, value in rules.items()))


def _listed(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{path} = {_listed(wanted)}" for path, wanted in value.items())
    return " | ".join(map(str, value)) if isinstance(value, list) else str(value)


def _last_run(screen: Screen, job: "Document") -> Text | None:
    if job["last_run_at"] is None:
        return None
    failures = job["consecutive_failures"]
    note = f"  {failures} failed in a row" if failures else ""
    return Text.assemble(screen.when(job["last_run_at"], job["timezone"]), (note, "red"))


def _length(seconds: int) -> str:
    return length(timedelta(seconds=seconds))
