"""`ua slot`: decisions about single slots that are to come."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Invocation, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = group(
    "slot", "Skip, move or run early a single slot, and take that back.", heading="Jobs and runs"
)

Job = Annotated[str, typer.Argument(metavar="JOB", help="A job, or a slot's event id")]
When = Annotated[
    str | None,
    typer.Argument(metavar="[WHEN]", help="The slot's time, in the job's zone; else the next slot"),
]


@command(app, "skip")
def skip(ua: Ua, job: Job, when: When = None) -> None:
    """Do not run one slot; the schedule stays."""
    _decide(ua, slot_of(ua, job, when), {"skip": True})


@command(app, "move")
def move(
    ua: Ua,
    job: Job,
    when: When = None,
    *,
    to: Annotated[str, typer.Option("--to", metavar="WHEN", help="When it runs instead.")],
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="How --to is read. [default: the job's]")
    ] = None,
) -> None:
    """Run one slot at another time; the schedule stays."""
    body: Document = {"move_to": to, "timezone": timezone}
    if timezone is None:
        del body["timezone"]
    _decide(ua, slot_of(ua, job, when), body)


@command(app, "early")
def early(ua: Ua, job: Job, when: When = None) -> None:
    """Run one slot now instead of at its time."""
    _decide(ua, slot_of(ua, job, when), {"run_early": True})


@command(app, "undo")
def undo(
    ua: Ua,
    job: Job,
    when: Annotated[
        str | None, typer.Argument(metavar="[WHEN]", help="The slot's time, in the job's zone")
    ] = None,
) -> None:
    """Take a skip or a move back."""
    if when is None and "|" not in job:
        raise CommandFailed("expected the slot's time, or its event id", ExitCode.USAGE)
    ua.show(ua.gateway.delete(_path(slot_of(ua, job, when))), _view)


def _decide(ua: Invocation, event_id: str, body: Document) -> None:
    ua.show(ua.gateway.post(_path(event_id), body), _view)


def _path(event_id: str) -> str:
    return f"/api/v1/ops/calendar/events/{quote(event_id, safe='')}/exception"


def slot_of(ua: Invocation, name: str, when: str | None) -> str:
    """The event id of a job's slot at a time, or of its next slot."""
    from universal_agent.cli.find import find_job
    from universal_agent.domain.phrases import parse_instant

    if name.count("|") == 2:
        return name
    job = find_job(ua.gateway, name)
    if when is not None:
        now, zone = ua.clock.now(), job["timezone"]
        at = parse_instant(when, now=now, timezone=zone, field="WHEN")
        epoch = int(at.timestamp())
    elif job["next_run_at"] is None:
        raise CommandFailed(f"{job['title']!r} has no further slot.", ExitCode.CONFLICT)
    else:
        epoch = int(job["next_run_at"])
    return f"cron|{job['job_id']}|{epoch}"


def _view(screen: "Screen", done: Document) -> "RenderableType":
    facts = [("slot", screen.text(done["event_id"])), ("decision", screen.text(done["action"]))]
    if run := done.get("run"):
        facts.append(("run", screen.id(run["run_id"])))
    return screen.facts(facts)
