"""`ua job`: the commands for jobs."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_agent.cli.command import Provided, command
from universal_agent.cli.confirm import Yes, confirm
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Invocation, Ua
from universal_agent.cli.job_fields import command_line, job_fields

if TYPE_CHECKING:
    from universal_agent.cli.client import Gateway
    from universal_agent.domain.job_draft import JobDraft

JOBS = "/api/v1/cron/jobs"

app = group("job", "Add, list, edit, run and delete jobs.", heading="Jobs and runs")

Name = Annotated[
    str, typer.Argument(metavar="JOB", help="Its id, the beginning or end of it, or its title.")
]
Fields = Annotated[dict[str, Any], Provided(job_fields)]
Limit = Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="How many at most.")]

#: What a run that was waited for may have ended in without the answer being no.
_FINE = frozenset({"success"})

#: The statuses of a run that has not ended.
_OPEN = frozenset({"queued", "running"})

#: Seconds for which one request waits: proxies give up after 50 to 60.
_STEP_SECONDS = 40.0

#: Seconds between two requests after that.
_PACE_SECONDS = 1.0


@command(app, "add")
def add(
    ua: Ua,
    schedule: Annotated[
        str,
        typer.Argument(
            metavar="SCHEDULE",
            help="When: 'every 10s', '0 9 * * 1-5', 'tomorrow 9:15am', 'every weekday at 9am'.",
        ),
    ],
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...",
            help="What: a shell line, a prompt or a URL. Put -- before one that has options.",
        ),
    ],
    fields: Fields,
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Do not schedule it before it is resumed.")
    ] = False,
) -> None:
    """Add a job.

    The answer says how the schedule was understood, with the next three slots.

    Without --timezone, times are read in UA_TIMEZONE if that is set here, else in the gateway's
    zone. Without --runner, the agent runs the job if one is set up, else the shell.
    """
    from universal_agent.cli.job_view import added_view
    from universal_agent.domain.job_draft import JobDraft

    if disabled:
        fields["enabled"] = False
    fields["schedule"] = schedule
    if ua.settings.timezone:
        fields.setdefault("timezone", ua.settings.timezone)
    fields["command"] = command_line(words, fields.get("runner"))
    if "runner" not in fields and (runner := runner_for(ua, fields["command"])) is not None:
        fields["runner"] = runner
    ua.show(ua.gateway.post(JOBS, JobDraft.of(fields).fields()), added_view)


@command(app, "list")
def list_jobs(
    ua: Ua,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Only this owner's.")] = None,
    limit: Limit = 1000,
) -> None:
    """List jobs, oldest first."""
    from universal_agent.cli.job_view import jobs_view

    document = ua.reader.get(JOBS, limit=limit, user_id=user)
    ua.show(document, jobs_view)
    if document["next_cursor"] is not None:
        ua.note(f"these are {limit} of {document['total']} jobs; --limit shows more")


@command(app, "show")
def show(ua: Ua, job: Name) -> None:
    """Show everything about a job, with its next slots."""
    from universal_agent.cli.job_view import job_view

    ua.show(ua.reader.get(_path(ua.reader, job)), job_view)


@command(app, "edit")
def edit(
    ua: Ua,
    job: Name,
    fields: Fields,
    schedule: Annotated[
        str | None, typer.Option(metavar="SCHEDULE", help="When, in the words of `ua job add`.")
    ] = None,
    line: Annotated[
        str | None, typer.Option("--command", metavar="COMMAND", help="What to run.")
    ] = None,
) -> None:
    """Change a job; an option that is not given changes nothing.

    --metadata is merged into the present metadata; a null removes its key.
    """
    from universal_agent.cli.find import find_job
    from universal_agent.cli.job_view import added_view
    from universal_agent.domain.job_draft import JobDraft

    found = find_job(ua.gateway, job)
    if schedule is not None:
        fields["schedule"] = schedule
    if line is not None:
        fields["command"] = line
    if "metadata" in fields:
        merged = {**found["metadata"], **fields["metadata"]}
        fields["metadata"] = {key: value for key, value in merged.items() if value is not None}
    if not fields:
        raise CommandFailed("expected at least one option that changes it", ExitCode.USAGE)
    edit = {**JobDraft.of(fields).fields(), "version": found["version"]}
    ua.show(ua.gateway.put(f"{JOBS}/{found['job_id']}", edit), added_view)


@command(app, "pause")
def pause(ua: Ua, job: Name) -> None:
    """Stop scheduling a job; slots in the meantime are not expected."""
    from universal_agent.domain.job_draft import PAUSED

    _switch(ua, job, PAUSED)


@command(app, "resume")
def resume(ua: Ua, job: Name) -> None:
    """Schedule a job again, from now on; its past is not replayed."""
    from universal_agent.domain.job_draft import RESUMED

    _switch(ua, job, RESUMED)


@command(app, "run")
def run(
    ua: Ua,
    job: Name,
    wait: Annotated[
        float, typer.Option(min=0, max=300, metavar="SECONDS", help="How long to wait for it.")
    ] = 30.0,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Only start it.")] = False,
) -> None:
    """Run a job now, in addition to its schedule.

    Fails with 1 when the run does, or has not ended in time; it goes on then.
    """
    from universal_agent.cli.find import find_job
    from universal_agent.cli.run_view import run_view

    found = find_job(ua.gateway, job)
    seconds = 0.0 if no_wait else wait
    with ua.waiting(f"running {found['title']}"):
        step = min(seconds, _STEP_SECONDS)
        ends_at = ua.clock.monotonic() + seconds
        document = ua.gateway.post(
            f"{JOBS}/{found['job_id']}/run", {"wait_seconds": step}, patience=step
        )
        while document["run"]["status"] in _OPEN and ua.clock.monotonic() < ends_at:
            ua.pause(_PACE_SECONDS)
            document = ua.gateway.get(f"/api/v1/cron/runs/{document['run']['run_id']}")
    ua.show(document, run_view(found["timezone"]))
    if seconds and document["run"]["status"] not in _FINE:
        raise typer.Exit(ExitCode.NO)


@command(app, "rm")
def remove(
    ua: Ua,
    job: Name,
    yes: Yes = False,
) -> None:
    """Delete a job; its history stays."""
    from universal_agent.cli.find import find_job

    found = find_job(ua.gateway, job)
    confirm(f"Delete the job {found['title']!r}?", yes=yes)
    document = ua.gateway.delete(f"{JOBS}/{found['job_id']}")
    ua.show(document, lambda screen, _: screen.text(f"deleted {found['job_id']}"))


@command(app, "runs")
def runs(
    ua: Ua,
    job: Annotated[
        str | None,
        typer.Argument(metavar="[JOB]", help="Its id or title; every job's when left out."),
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only those, such as error or running.")
    ] = None,
    limit: Limit = 20,
) -> None:
    """List runs, newest first."""
    from universal_agent.cli.find import find_job_history
    from universal_agent.cli.run_view import runs_view

    if job is None:
        path, timezone = "/api/v1/cron/runs", ua.timezone
    else:
        found = find_job_history(ua.reader, job)
        path, timezone = f"{JOBS}/{found['job_id']}/runs", found["timezone"]
    document = ua.reader.get(path, limit=limit, status=status)
    ua.show(document, runs_view(timezone, of_one_job=job is not None))


@command(app, "logs")
def logs(
    ua: Ua,
    job: Name,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on, with every run that comes.")
    ] = False,
    lines: Annotated[int, typer.Option(min=1, max=5000, metavar="N", help="How many.")] = 500,
) -> None:
    """Print what a job's latest run has printed."""
    from universal_agent.cli.find import find_job_history
    from universal_agent.cli.run_log import follow_job, print_log

    found = find_job_history(ua.reader, job)
    if follow:
        follow_job(ua, found, lines=lines)
        return
    latest = ua.reader.get(f"{JOBS}/{found['job_id']}/runs", limit=1)["runs"]
    if not latest:
        raise CommandFailed(f"{found['title']!r} has not run yet.", ExitCode.CONFLICT)
    print_log(ua, latest[0], lines=lines)


def runner_for(ua: Invocation, line: str) -> str | None:
    """Who runs a line that looks like a shell line, where it would be a prompt; None: as usual.

    Asks on a terminal. Raises CommandFailed elsewhere.
    """
    from universal_agent.cli.failure import RequestRefused
    from universal_agent.domain.shell_line import looks_like_shell

    if not looks_like_shell(line):
        return None
    try:
        profile = ua.gateway.get("/api/v1/health").get("deployment_profile", {})
    except RequestRefused:
        return None  # what is wrong is said by what is asked next
    if profile.get("agent") in (None, "none"):
        return None
    shown = line.strip().splitlines()[0][:60]
    what = f"{shown!r} looks like a shell line, and jobs here are prompts for the agent by default"
    if not sys.stdin.isatty():
        raise CommandFailed(f"{what}: say --runner shell or --runner agent", ExitCode.USAGE)
    ua.note(f"{what}.")
    return "shell" if typer.confirm("Run it with the shell?", default=True, err=True) else "agent"


def _path(gateway: "Gateway", name: str) -> str:
    from universal_agent.cli.find import find_job

    return f"{JOBS}/{find_job(gateway, name)['job_id']}"


def _switch(ua: Invocation, name: str, edit: "JobDraft") -> None:
    from universal_agent.cli.job_view import added_view

    ua.show(ua.gateway.put(_path(ua.gateway, name), edit.fields()), added_view)
