"""Jobs and runs in their wire form."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from universal_agent.domain.caveats import caveats
from universal_agent.domain.job import Job, JobSpec, policy_to_record
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.miss_defaults import explain_policy
from universal_agent.domain.resources import resources_of
from universal_agent.domain.run import JobId, Run, RunId, RunStatus
from universal_agent.domain.said_schedule import said_in
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
)
from universal_agent.domain.shell_line import looks_like_shell
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.errors import JobNotFound, RunNotFound, SlotNotFound
from universal_agent.runners.signs_of_life import LastSign
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.filled import fill, has_more

if TYPE_CHECKING:
    from universal_agent.store.values import Page

#: How many future slots the answer to a create, an edit or a preview contains.
ECHO_SLOTS = 3


class CronView:
    """Reads jobs and runs."""

    def __init__(
        self,
        store: Store,
        *,
        workspaces_root: Path,
        default_source: str,
        agent: Sequence[str] = (),
        last_sign: Callable[[RunId], LastSign | None] = lambda _: None,
        look_for_sign: Callable[[RunId], Awaitable[None]] | None = None,
    ) -> None:
        """`agent` is what the configured agent uses. `last_sign` knows runs in execution, and
        `look_for_sign` brings one of them up to date.
        """
        self._last_sign = last_sign
        self._look_for_sign = look_for_sign
        self._store = store
        self._agent = agent
        #: Where the zone of jobs that name none comes from.
        self._default_source = default_source
        self._workspaces_root = workspaces_root

    def job_document(self, job: Job) -> dict[str, Any]:
        """A job's wire form (docs/contract.md, Cron)."""
        spec = job.spec
        policy = spec.policy
        return {
            "job_id": job.job_id,
            "user_id": spec.user_id,
            "workspace_dir": f"{self._workspaces_root}/{spec.workspace_dir}",
            "command": spec.command,
            **_schedule_fields(spec.schedule),
            "timezone": spec.timezone,
            "delete_after_run": spec.delete_after_run,
            "model": spec.model,
            "enabled": spec.enabled,
            "created_at": job.created_at.timestamp(),
            "last_run_at": _epoch(job.last_run_at),
            "next_run_at": _epoch(job.next_run_at),
            "metadata": spec.metadata,
            "running": job.running,
            "title": spec.display_title,
            "runner": spec.runner,
            **policy_to_record(policy),
            "fail_on": spec.fail_on and spec.fail_on.record(),
            "side_effects": spec.side_effects,
            "follows_cadence": list(spec.follows_cadence),
            "resources": resources_of(spec, self._agent),
            "resources_named": spec.resources is not None,
            "pool": spec.pool,
            "light": spec.light,
            "version": job.version,
            "description": spec.schedule.describe(),
            "off_label": spec.off_label,
            "probe_at": _epoch(job.probe_at),
            "consecutive_failures": job.consecutive_failures,
        }

    def echo_document(
        self, job: Job, *, now: datetime, said: JobDraft | None = None
    ) -> dict[str, Any]:
        """A job with what was understood of a request: the schedule in words, the next slots."""
        found = echo(job.spec, now=now, said=said, default_source=self._default_source)
        return {"job": self.job_document(job), "echo": found}

    def preview(self, spec: JobSpec, *, now: datetime, said: JobDraft) -> dict[str, Any]:
        """What a request would be understood as."""
        return echo(spec, now=now, said=said, default_source=self._default_source)

    async def jobs(
        self, *, limit: int, cursor: str | None, owner_id: str | None = None
    ) -> dict[str, Any]:
        """A page of jobs, oldest first."""
        pages: list[Page] = []

        async def read(after: str | None, wanted: int) -> Sequence[Job]:
            page = await self._store.read(
                verbs.jobs.list_jobs, limit=wanted, cursor=after, owner_id=owner_id
            )
            pages.append(page)
            return page.jobs

        found = await fill(
            read, self.job_document, lambda job: job.job_id, after=cursor, limit=limit
        )
        page = pages[-1]
        last = found.entries[-1].job_id if found.is_full else page.next_cursor
        return {"jobs": found.documents, "total": page.total, "next_cursor": last}

    async def job(self, job_id: str) -> Job:
        """A job. Raises JobNotFound."""
        job = await self._store.read(verbs.jobs.get_job, JobId(job_id))
        if job is None or job.source is not Source.CRON:
            raise JobNotFound(f"There is no job {job_id!r}.")
        return job

    async def shown(self, job_id: str, *, now: datetime) -> dict[str, Any]:
        """A job with its schedule in words, and its breaker if that is open. Raises JobNotFound."""
        job = await self.job(job_id)
        breaker = await self._store.read(verbs.jobs.breaker_of, job)
        found = None
        if breaker is not None:
            found = {
                "since": breaker.since.timestamp(),
                "probe_at": _epoch(job.probe_at),
                "slots": breaker.slots,
            }
        return {**self.echo_document(job, now=now), "breaker": found}

    async def runs(
        self,
        *,
        limit: int,
        before: str | None = None,
        job_id: str | None = None,
        statuses: Collection[RunStatus] | None = None,
    ) -> dict[str, Any]:
        """Runs, newest first. Raises JobNotFound for a job that never existed."""

        async def read(after: str | None, wanted: int) -> Sequence[Run]:
            return await self._store.read(
                verbs.runs.list_runs,
                job_id=None if job_id is None else JobId(job_id),
                statuses=statuses,
                limit=wanted,
                before=after,
            )

        def place(run: Run) -> str | None:
            return run.run_id

        found = await fill(read, self._document, place, after=before, limit=limit)
        if job_id is not None and not found.entries:
            await self.job(job_id)
        more = await has_more(found, read, place, limit=limit)
        return {"runs": found.documents, "has_more": more}

    async def run(self, run_id: str) -> Run:
        """A run. Raises RunNotFound."""
        run = await self._store.read(verbs.runs.get_run, RunId(run_id))
        if run is None:
            raise RunNotFound(f"There is no run {run_id!r}.")
        return run

    async def shown_run(self, run_id: str) -> dict[str, Any]:
        """A run's wire form, after a look for a sign of life. Raises RunNotFound."""
        run = await self.run(run_id)
        if self._look_for_sign is not None:
            await self._look_for_sign(run.run_id)
        return self._document(run)

    def _document(self, run: Run) -> dict[str, Any]:
        return run_document(run, self._last_sign(run.run_id))

    async def log_of(self, slot: SlotKey) -> str:
        """The address of the log of a slot's last run. Raises SlotNotFound if there is no run."""
        run_id = await self._store.read(verbs.runs.run_of_slot, slot)
        if run_id is None:
            raise SlotNotFound(f"No run has been made for the slot {slot.event_id!r}.")
        return f"/api/v1/ops/logs/tail?run_id={run_id}"

    async def coming(self, *, now: datetime, limit: int) -> Sequence[dict[str, Any]]:
        """The next slot of each job, earliest first."""
        jobs = await self._store.read(verbs.jobs.next_jobs, limit=limit)
        return [
            {
                "job_id": job.job_id,
                "source": job.source,
                "title": job.spec.display_title,
                "description": job.spec.schedule.describe(),
                **_slot(job.next_run_at, job.spec),
                "in_seconds": (job.next_run_at - now).total_seconds(),
            }
            for job in jobs
            if job.next_run_at is not None
        ]


def run_document(run: Run, last_sign: LastSign | None = None) -> dict[str, Any]:
    """A run's wire form."""
    duration = run.duration
    return {
        "run_id": run.run_id,
        "job_id": run.source_ref,
        "status": run.status,
        "scheduled_at": run.scheduled_at.timestamp(),
        "started_at": _epoch(run.started_at),
        "finished_at": _epoch(run.finished_at),
        "error": run.error,
        "output_preview": run.output_preview,
        "trigger": run.trigger,
        "attempt": run.attempt,
        "exit_code": run.exit_code,
        "duration_seconds": None if duration is None else duration.total_seconds(),
        "host": run.host,
        "reason": run.reason,
        "end_class": run.end_class,
        "end_until": _epoch(run.end_until),
        "event_id": run.event_id if run.has_slot else None,
        "last_sign_of_life_at": None if last_sign is None else last_sign.at.timestamp(),
        "last_sign_of_life": None if last_sign is None else last_sign.kind,
    }


def echo(
    spec: JobSpec, *, now: datetime, said: JobDraft | None, default_source: str
) -> dict[str, Any]:
    """What was understood: the schedule in words, its zone and where that came from, next slots.

    `said` is the draft of the request that is answered; None when the job was only read.
    """
    slots = list(islice(_coming(spec.schedule, now), ECHO_SLOTS)) if spec.enabled else []
    schedule = None if said is None else said_in(said, now=now, timezone=spec.timezone)
    notes = list(caveats(spec.schedule) if schedule is None else schedule.notes)
    if schedule is not None and schedule.names_zone:
        source = "schedule"
    elif said is not None and said.timezone:
        source = "timezone"
    else:
        source = "job" if said is None else default_source
    if said is not None and source == "schedule" and said.timezone not in (None, spec.timezone):
        notes.append(
            f"the zone in the words, {spec.timezone}, goes before the timezone {said.timezone}"
        )
    return {
        "description": spec.schedule.describe(),
        "timezone": spec.timezone,
        "timezone_source": source,
        "runner": spec.runner,
        "when_missed": explain_policy(spec),
        "notes": [*map(_sentence, notes), *_command_notes(spec, said)],
        "next": [_slot(slot, spec) for slot in slots],
    }


def _command_notes(spec: JobSpec, said: JobDraft | None) -> Iterator[str]:
    if said is not None and "\r" in (said.command or ""):
        yield "The carriage returns in the command became line feeds."
    if spec.runner == "agent" and looks_like_shell(spec.command):
        yield (
            "The command looks like a shell line, and the runner is agent: it is a prompt. To have "
            "it run by a shell, set the runner to shell."
        )
    if spec.runner == "shell" and "\\%" in spec.command:
        yield (
            "The command has \\%, which a crontab turns into %; here the shell gets it as it is "
            "written. Write % alone."
        )


def _sentence(note: str) -> str:
    return f"{note[:1].upper()}{note[1:].rstrip('.')}."


def _coming(schedule: Schedule, now: datetime) -> Iterator[datetime]:
    slot = schedule.next_after(now)
    while slot is not None:
        yield slot
        slot = schedule.next_after(slot)


def _slot(slot: datetime, spec: JobSpec) -> dict[str, Any]:
    utc = slot.isoformat()
    return {
        "at": slot.timestamp(),
        "utc": utc,
        "local": utc if spec.timezone == "UTC" else spec.local(slot).isoformat(),
    }


def _schedule_fields(schedule: Schedule) -> dict[str, Any]:
    fields: dict[str, Any] = {"every_seconds": None, "cron_expr": None, "run_at": None}
    match schedule:
        case CronSchedule(expr):
            fields["cron_expr"] = expr
        case IntervalSchedule(every):
            fields["every_seconds"] = int(every.total_seconds())
        case OneShotSchedule(run_at):
            fields["run_at"] = run_at.timestamp()
    return fields


def _epoch(instant: datetime | None) -> float | None:
    return None if instant is None else instant.timestamp()
