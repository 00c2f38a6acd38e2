"""Commands on jobs: create, edit, pause, delete, run now, cancel.

Each is all or nothing, and none of them touches a slot that has come due: slots that are due are
decided first, under the version that expected them. A command ends with its commit: the scheduler
and the run queue read in the log what there is to do.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from universal_agent.clock import Clock
from universal_agent.domain.draft import Drafted, draft_job
from universal_agent.domain.job import Job, JobSpec, OnMiss, spec_to_record
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import JobId, Run, RunId
from universal_agent.domain.schedule import OneShotSchedule
from universal_agent.domain.slot import Source
from universal_agent.engine.ids import new_id
from universal_agent.engine.run_ends import RunEnds
from universal_agent.engine.scheduler import Scheduler
from universal_agent.errors import (
    Conflict,
    InvalidInput,
    JobNotFound,
    LimitReached,
    RunNotFound,
    StaleVersion,
)
from universal_agent.runners.base import Runner, unknown_runner
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once

#: How often a command is tried again when the job changes under it.
TRIES = 20

#: How long a cancel waits for the run to end.
_CANCEL_SECONDS = 30.0


class Jobs:
    """What people may do to jobs of one source."""

    #: Whose jobs these are; others do not exist for it.
    source = Source.CRON

    def __init__(
        self,
        store: Store,
        clock: Clock,
        scheduler: Scheduler,
        ends: RunEnds,
        runners: Mapping[str, Runner],
        *,
        default_runner: str,
        default_timezone: str,
        default_on_miss: OnMiss | None,
        max_jobs: int,
        shortest_interval: timedelta,
        workspaces_root: Path,
    ) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._ends = ends
        self._runners = runners
        self._default_runner = default_runner
        self._default_timezone = default_timezone
        self._default_on_miss = default_on_miss
        self._max_jobs = max_jobs
        self._shortest_interval = shortest_interval
        self._workspaces_root = workspaces_root
        #: At least the number of jobs; counted again before a job is refused for it.
        self._job_count = max_jobs

    async def get(self, job_id: JobId) -> Job:
        """The job. Raises JobNotFound."""
        job = await self._store.read(verbs.jobs.get_job, job_id)
        if job is None or job.source is not self.source:
            raise JobNotFound(f"There is no job {job_id!r}.")
        return job

    # -- create and edit

    def drafted(self, draft: JobDraft, *, base: JobSpec | None, now: datetime) -> Drafted:
        """The spec that a draft makes; nothing is stored. Raises InvalidInput."""
        drafted = draft_job(
            draft,
            base=base,
            now=now,
            default_runner=self._default_runner,
            default_timezone=self._default_timezone,
            default_on_miss=self._default_on_miss,
            shortest_interval=self._shortest_interval,
        ).by_present_rules(base)
        spec = drafted.spec
        runner = self._runners.get(spec.runner)
        if runner is None:
            raise unknown_runner(spec.runner, self._runners)
        runner.check(spec.command)
        if spec.workspace_dir:
            inside = workspace_inside(self._workspaces_root, spec.workspace_dir)
            drafted = replace(drafted, spec=replace(spec, workspace_dir=inside))
        return drafted

    async def create(self, draft: JobDraft, *, once: Once | None = None) -> Job:
        """Make a job. Raises InvalidInput, or LimitReached at UA_MAX_JOBS.

        A job that names no owner belongs to the owner of the session it is bound to. A repeated
        request is answered before it is judged: the time that it named may have passed since, and
        it was granted.
        """
        if (
            once is not None
            and (made := await self._store.read(verbs.jobs.job_made, once)) is not None
        ):
            return made
        now = self._clock.now()
        spec = self.drafted(draft, base=None, now=now).spec
        if draft.user_id is None:
            spec = await self._owned(spec)
        await self._find_room()
        job_id = JobId(new_id("job", now))
        if not spec.workspace_dir:
            spec = replace(spec, workspace_dir=f"cron_{job_id}")
        job = new_job(job_id, spec, now=now)
        made = await self._store.write(verbs.jobs.create_job, job, now=now, once=once)
        self._job_count += made.job_id == job_id
        return made

    async def _owned(self, spec: JobSpec) -> JobSpec:
        """The spec with the owner of the session it is bound to, or else wakes, if there is one."""
        bound_to = spec.session_id or spec.metadata.get("wake_session_id")
        if not isinstance(bound_to, str):
            return spec
        session = await self._store.read(verbs.sessions.get_session, bound_to)
        return spec if session is None else replace(spec, user_id=session.user_id)

    async def _find_room(self) -> None:
        if self._job_count >= self._max_jobs:
            self._job_count = await self._store.read(verbs.jobs.count_jobs)
        if self._job_count >= self._max_jobs:
            raise LimitReached(
                f"There are {self._job_count} jobs, and UA_MAX_JOBS is {self._max_jobs}. "
                "Delete some, or raise the limit."
            )

    async def edit(self, job_id: JobId, draft: JobDraft, *, version: int | None = None) -> Job:
        """Change any subset of a job's fields, all or nothing.

        Raises JobNotFound, InvalidInput, or StaleVersion when `version` is not the present one.
        """

        def change(spec: JobSpec, now: datetime) -> Drafted:
            return self.drafted(draft, base=spec, now=now)

        return await self.change(job_id, change, version=version)

    async def change(
        self,
        job_id: JobId,
        draft: Callable[[JobSpec, datetime], Drafted],
        *,
        version: int | None = None,
    ) -> Job:
        """Replace a job's spec with what `draft` makes of it, unless that is the same."""

        async def put(job: Job, now: datetime) -> Job | None:
            if version is not None and version != job.version:
                raise StaleVersion(
                    f"expected version {version}, but the job is at version {job.version}; read "
                    "it again"
                )
            drafted = draft(job.spec, now)
            changed = _differences(job.spec, drafted.spec)
            if not changed:
                return job
            undecided = await self._undecided(job, now)
            edited = undecided.replaced_by(
                drafted.spec,
                now=now,
                next_run_at=job.next_run_at,
                continues=not drafted.schedule_changed,
            )
            if drafted.schedule_changed or (job.spec.is_held and not drafted.spec.is_held):
                edited = replace(edited, consecutive_failures=0, probe_at=None)
            if drafted.schedule_changed:
                edited = begun(edited)
            # A one-shot of "now" may begin before this second is over; no slot is expected twice.
            ends_at = undecided.end(now) if drafted.schedule_changed else undecided.boundary(now)
            closed_at = min(ends_at, edited.effective_from)
            return await self._store.write(
                verbs.jobs.update_job,
                edited,
                replaces=job,
                closed_at=closed_at,
                changed=changed,
                now=now,
            )

        return await self._apply(job_id, put)

    async def delete(self, job_id: JobId) -> None:
        """Delete a job. Its history stays, and a run in execution continues to its end."""

        async def drop(job: Job, now: datetime) -> Job | None:
            closed_at = (await self._undecided(job, now)).end(now)
            deleted = await self._store.write(
                verbs.jobs.delete_job, job, closed_at=closed_at, now=now
            )
            return job if deleted else None

        await self._apply(job_id, drop)

    async def _undecided(self, job: Job, now: datetime) -> Job:
        return job.before(
            await self._store.read(verbs.jobs.first_decided_ahead, job.job_id, after=now)
        )

    async def _apply(
        self, job_id: JobId, change: Callable[[Job, datetime], Awaitable[Job | None]]
    ) -> Job:
        """Apply `change` to the job as it is now; again if another change came in between."""
        for _ in range(TRIES):
            job = await self.get(job_id)
            now = self._clock.now()
            if job.due_at is not None and job.due_at <= now:
                await self._scheduler.decide([job], now=now)
                continue
            changed = await change(job, now)
            if changed is not None:
                return changed
        raise Conflict(f"The job {job_id} changes faster than it can be edited; try again.")

    # -- runs

    async def run_now(self, job_id: JobId, *, once: Once | None = None) -> Run:
        """Queue an extra run, outside the schedule. Raises JobNotFound."""
        job = await self.get(job_id)
        now = self._clock.now()
        return await self._store.write(
            verbs.admission.add_run, job, RunId(new_id("run", now)), now=now, once=once
        )

    async def cancel_run(
        self, run_id: RunId, *, by: str = "an operator", once: Once | None = None
    ) -> Run:
        """Cancel a run that waits or is in execution, and return it as it then is.

        Raises RunNotFound, or Conflict if it has ended, unless `once` has cancelled it before.
        """
        asked = None if once is None else once.part("asked")
        run = await self._store.write(
            verbs.cancels.cancel_run,
            run_id,
            reason=f"cancelled by {by}",
            by=by,
            now=self._clock.now(),
            once=asked,
        )
        return await self.wait_for(run, _CANCEL_SECONDS)

    async def _run(self, run_id: RunId) -> Run:
        run = await self._store.read(verbs.runs.get_run, run_id)
        if run is None:
            raise RunNotFound(f"There is no run {run_id!r}.")
        return run

    async def wait_for(self, run: Run, seconds: float) -> Run:
        """The run once it has ended, or as it is after `seconds`."""
        if not run.status.is_final and seconds > 0:
            await self._ends.wait(run.run_id, seconds)
        return await self._run(run.run_id)


def new_job(job_id: JobId, spec: JobSpec, *, now: datetime) -> Job:
    """Version 1 of a job that is made at this moment."""
    return begun(
        Job(
            job_id=job_id,
            version=1,
            spec=spec,
            created_at=now,
            effective_from=now,
            next_run_at=None,
        )
    )


def begun(job: Job) -> Job:
    """Point a new version at its first slot, if it expects any."""
    if not job.spec.enabled:
        return replace(job, next_run_at=None)
    schedule = job.spec.schedule
    if isinstance(schedule, OneShotSchedule):
        if schedule.run_at < job.effective_from:
            return replace(job, next_run_at=None)  # the past is never replayed
        # "Now" rounds up to a second that may be this very one: it is expected all the same.
        before = min(job.effective_from, schedule.run_at - timedelta(seconds=1))
        return replace(job, effective_from=before, next_run_at=schedule.run_at)
    return replace(job, next_run_at=schedule.next_after(job.effective_from))


def _differences(old: JobSpec, new: JobSpec) -> list[str]:
    """The names of the fields in which two specs differ."""
    before, after = spec_to_record(old), spec_to_record(new)
    before |= before.pop("policy")
    after |= after.pop("policy")
    return sorted(name for name in after if after[name] != before[name])


#: What a file system can hold: a name, and the path of a folder with files of any name in it.
_NAME_BYTES = 255
_PATH_BYTES = 4095 - 1 - _NAME_BYTES


def workspace_inside(root: Path, given: str) -> str:
    """A workspace path relative to `root`; raises InvalidInput when it is not under it.

    Symbolic links on the way are followed, so that none leads out. A path that no file system can
    hold is refused as well.
    """
    problem = InvalidInput(
        f"expected a folder under the workspaces folder, got {given[:200]!r}",
        field="workspace_dir",
    )
    given = os.path.expanduser(given)  # noqa: PTH111 - a text that may be no path
    if "\x00" in given or len(given) > 500 or ".." in PurePosixPath(given).parts:
        raise problem
    top = root.resolve()
    try:
        relative = (top / given).resolve().relative_to(top)
    except (ValueError, OSError, RuntimeError):
        raise problem from None
    if not relative.parts:
        raise problem
    if (
        max(len(os.fsencode(name)) for name in relative.parts) > _NAME_BYTES
        or len(os.fsencode(top / relative)) > _PATH_BYTES
    ):
        raise InvalidInput(
            f"expected folder names of at most {_NAME_BYTES} bytes and a whole path of at most "
            f"{_PATH_BYTES}, got {given[:200]!r}",
            field="workspace_dir",
        )
    return str(relative)
