"""When do sessions' hearts beat, and what wakes them?

A session's beats are a job with the session's id, so that the one scheduler decides them. This
keeps those jobs in line with the settings and with each session's HEARTBEAT.json: it is looked at
when the system tells that it was written, when a beat starts, when somebody attaches, and when the
session is woken. A file that cannot be accepted harms its own session alone, and there the last
good one stays in force.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.draft import Draft
from universal_agent.domain.heartbeat import (
    CHECKLIST_FILE,
    OVERRIDES_CHARS,
    OVERRIDES_FILE,
    HeartbeatConfig,
    overridden,
)
from universal_agent.domain.job import Job, JobSpec, OffLabel
from universal_agent.domain.run import JobId, Run
from universal_agent.domain.schedule import make_interval
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import SystemEvent, WakeMode
from universal_agent.engine.beats import Beats, beat_policy, timely
from universal_agent.engine.jobs import new_job
from universal_agent.engine.scheduler import Scheduler
from universal_agent.errors import (
    Conflict,
    InvalidInput,
    JobNotFound,
    SessionNotFound,
    UniversalAgentError,
)
from universal_agent.runners.heartbeat_files import replace_files
from universal_agent.runners.workspace_files import read_workspace_file
from universal_agent.runners.workspace_watch import WorkspaceWatch
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import SessionEnd, Told
from universal_agent.threads import FILES

_log = structlog.get_logger(__name__)

#: Sessions that are read at once.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Read:
    """What a session's files say, or said when they last could be read."""

    config: HeartbeatConfig
    #: The HEARTBEAT.json in force.
    overrides: str | None
    #: Why the file that is there is not in force.
    error: str | None


class Heartbeats:
    """The heartbeats of all sessions."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        scheduler: Scheduler,
        beats: Beats,
        *,
        workspaces_root: Path,
        watch: WorkspaceWatch,
        shortest_interval: timedelta,
        enabled: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self._beats = beats
        self._workspaces_root = workspaces_root
        self._watch = watch
        self._shortest_interval = shortest_interval
        self._enabled = enabled
        #: Sessions whose files are to be looked at.
        self._noticed: set[str] = set()
        self._woken = asyncio.Event()

    # -- which sessions have beats

    async def ensure(self, session_id: str, *, workspace_dir: str, owner_id: str) -> Job | None:
        """Give a session its beats, or bring those it has in line with what is configured.

        `workspace_dir` is relative to the workspaces folder. None while heartbeats are off, and
        for a session that is being deleted.
        """
        if not self._enabled:
            return None
        job_id = JobId(session_id)
        job = await self._store.read(verbs.jobs.get_job, job_id)
        if job is not None and job.source is Source.HEARTBEAT:
            return await self.look(session_id)
        now = self._clock.now()
        new = JobSpec(
            command=CHECKLIST_FILE,
            runner="heartbeat",
            schedule=make_interval(self._beats.config.every, now),
            source=Source.HEARTBEAT,
            # The folder that a person chose says more than an id.
            title=f"Heartbeat of {workspace_dir}",
            user_id=owner_id,
            workspace_dir=workspace_dir,
            metadata={"session_id": session_id},
        )
        spec = self._in_line(new, now).spec
        try:
            made = await self._store.write(
                verbs.jobs.create_job, new_job(job_id, spec, now=now), now=now
            )
        except Conflict:
            # Somebody else was first, or they were ended, and the session's own end is to come.
            return await self._store.read(verbs.jobs.get_job, job_id)
        self._scheduler.bring_forward(made.due_at)
        return made

    async def end_session(self, session_id: str, *, by: str) -> SessionEnd:
        """Delete a session with its beats, and follow its files no more. Raises SessionNotFound."""
        ended = await self._beats.end_session(session_id, by=by)
        self._watch.forget(session_id)
        return ended

    async def remove(self, session_id: str) -> None:
        """End a session's beats, and what waits to be told to it; harmless when it has none."""
        self._watch.forget(session_id)
        try:
            await self._beats.delete(JobId(session_id))
        except JobNotFound:
            return

    async def pause(self, session_id: str) -> Job:
        """Expect no beats, and tell nobody. Raises JobNotFound."""
        return await self._beats.switch_off(JobId(session_id), OffLabel.PAUSED)

    async def resume(self, session_id: str) -> Job:
        """Expect beats again from now on, and tell of them as configured. Raises JobNotFound."""
        return await self._beats.resume(JobId(session_id))

    # -- what a session's files say

    async def sync(self) -> None:
        """Bring every session's beats in line with the settings and its files.

        Sessions that were made while heartbeats were off get theirs.
        """
        beating = {job.job_id for job in await self._store.read(verbs.beats.list_beats)}
        for session_id in beating:
            await self._sync_one(session_id, self.look(session_id))
        cursor = ""
        while sessions := await self._store.read(
            verbs.sessions.list_sessions, limit=_PAGE, cursor=cursor
        ):
            for session in sessions:
                if session.session_id not in beating:
                    ensured = self.ensure(
                        session.session_id,
                        workspace_dir=session.workspace_dir,
                        owner_id=session.user_id,
                    )
                    await self._sync_one(session.session_id, ensured)
            cursor = sessions[-1].session_id

    async def _sync_one(self, session_id: str, syncing: Awaitable[object]) -> None:
        """A session that cannot be read keeps neither others nor the gateway from starting."""
        try:
            await syncing
        except (UniversalAgentError, OSError):
            raise
        except Exception:
            _log.exception("session_not_synced", action="session_not_synced", session_id=session_id)

    def notice(self, session_id: str) -> None:
        """A session's files may have changed: look at them soon."""
        self._noticed.add(session_id)
        self._woken.set()

    async def follow_files(self) -> None:
        """Notice every session whose HEARTBEAT.json is written, for ever."""
        while True:
            for session_id in await self._watch.changed():
                self.notice(session_id)

    async def run(self) -> None:
        """Look at the files of sessions that were noticed, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._noticed:
                try:
                    await self.look(self._noticed.pop())
                except JobNotFound:
                    continue  # it was deleted meanwhile

    async def look(self, session_id: str) -> Job:
        """Bring a session's beats in line with its files; they change only where those did."""
        return await self._beats.change(JobId(session_id), self._in_line)

    def _in_line(self, spec: JobSpec, now: datetime) -> Draft:
        """The spec as it is to be. What a person set stays until the files say something new."""
        read = self._read(spec)
        config = read.config
        metadata: dict[str, Any] = {
            name: value
            for name, value in spec.metadata.items()
            if name not in ("overrides", "config_error")
        }
        if read.overrides is not None:
            metadata["overrides"] = read.overrides
        if read.error is not None:
            metadata["config_error"] = read.error
        seconds = int(config.every.total_seconds())
        schedule = spec.schedule
        if metadata.get("every_seconds") != seconds:
            schedule = make_interval(config.every, now)
            metadata["every_seconds"] = seconds
        changed = replace(
            spec,
            schedule=schedule,
            timezone=config.timezone,
            metadata=metadata,
            policy=beat_policy(config),
        )
        return Draft(timely(changed), schedule != spec.schedule)

    def _read(self, spec: JobSpec) -> _Read:
        workspace = self._workspaces_root / spec.workspace_dir
        # First: what is written while it is read is told.
        self._watch.follow(spec.metadata["session_id"], workspace)
        try:
            text = read_workspace_file(
                self._workspaces_root, spec.workspace_dir, OVERRIDES_FILE, limit=OVERRIDES_CHARS
            )
            config = self._accepted(text)
        except InvalidInput as error:
            last = self._beats.configured(spec)
            return _Read(last, spec.metadata.get("overrides"), error.message)
        return _Read(config, text, None)

    def _accepted(self, text: str | None) -> HeartbeatConfig:
        """The config with a HEARTBEAT.json in force. Raises InvalidInput when it cannot be."""
        base = self._beats.config
        config = base if text is None else overridden(base, text)
        if config.every < self._shortest_interval:
            raise InvalidInput(
                f"every: expected at least {self._shortest_interval.total_seconds():g} s "
                f"(UA_MIN_INTERVAL_SECONDS), got {config.every.total_seconds():g} s"
            )
        return config

    async def write_files(
        self, session_id: str, texts: Mapping[str, str | None], *, version: str | None
    ) -> Job:
        """Replace a session's heartbeat files by name, and apply them; None removes a file.

        Raises SessionNotFound, InvalidInput for a text that no beat could use, and Conflict when
        the files are no longer those of `version`.
        """
        job = await self._store.read(verbs.jobs.get_job, JobId(session_id))
        if job is None or job.source is not Source.HEARTBEAT:
            raise SessionNotFound(f"There is no session {session_id!r} with heartbeats.")
        overrides = texts.get(OVERRIDES_FILE)
        try:
            self._accepted(overrides)
        except InvalidInput as error:
            raise InvalidInput(f"{OVERRIDES_FILE}: {error.message}", field="config") from None
        await FILES.run(
            replace_files, self._workspaces_root, job.spec.workspace_dir, texts, version=version
        )
        return await self.look(session_id)

    # -- waking, and what is to be told

    async def wake(
        self, session_id: str, mode: WakeMode, *, reason: str | None, by: str
    ) -> Run | None:
        """Ask for a session's beat: at once, or word of it with the next one.

        The run that will be it, when it is asked for at once. Raises SessionNotFound.
        """
        run = await self._beats.wake(session_id, mode, reason=reason, by=by)
        self.notice(session_id)
        return run

    async def wake_all(self, mode: WakeMode, *, reason: str | None, by: str) -> Told:
        """Wake every session that has beats."""
        jobs = await self._store.read(verbs.beats.list_beats)
        return await self._tell([], [job.job_id for job in jobs], mode, reason=reason, by=by)

    async def tell(
        self,
        session_id: str | None,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        by: str,
        wake: WakeMode | None,
    ) -> Told:
        """Queue a system event for a session's next beat, or for every session's.

        Raises SessionNotFound.
        """
        jobs = await self._store.read(verbs.beats.list_beats)
        if session_id is not None:
            jobs = [job for job in jobs if job.job_id == session_id]
            if not jobs:
                raise SessionNotFound(f"There is no session {session_id!r} with heartbeats.")
        events = [
            SystemEvent(
                session_id=job.job_id,
                event_type=event_type,
                payload=payload,
                created_at=self._clock.now(),
                created_by=by,
            )
            for job in jobs
        ]
        woken = [] if wake is None else [job.job_id for job in jobs]
        return await self._tell(events, woken, wake or WakeMode.NEXT, reason=event_type, by=by)

    async def _tell(
        self,
        events: Sequence[SystemEvent],
        woken: Sequence[str],
        mode: WakeMode,
        *,
        reason: str | None,
        by: str,
    ) -> Told:
        """Tell and wake sessions in one transaction."""
        now = self._clock.now()
        wakes = [self._beats.wish(session_id, mode, reason=reason, by=by) for session_id in woken]
        keep = self._beats.system_events_max
        told = await self._store.write(verbs.beats.tell_beats, events, wakes, keep=keep, now=now)
        if told.runs:
            self._beats.look_for_work()
        for session_id in woken:
            self.notice(session_id)
        return told
