"""Heartbeats of sessions: which sessions have beats, by which configuration, and their wakes.

A session's beats are a job with the session's id, so that the one scheduler decides them. This
module keeps these jobs in line with the settings and with each session's HEARTBEAT.json. The file
is read when the system reports a write, when a beat starts, when a client attaches, and when the
session is woken. A file that cannot be accepted affects only its own session, where the last good
one stays in force.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.draft import Drafted
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.heartbeat import (
    CHECKLIST_FILE,
    OVERRIDES_CHARS,
    OVERRIDES_FILE,
    HeartbeatConfig,
    overridden,
)
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import JobId, Run
from universal_agent.domain.schedule import make_interval
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import SystemEvent, WakeMode
from universal_agent.engine.beats import Beats, beat_policy, timely
from universal_agent.engine.jobs import new_job
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

#: Sessions that are read in one page.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Read:
    """What a session's files say, or said when they could last be read."""

    config: HeartbeatConfig
    #: The HEARTBEAT.json in force.
    overrides: str | None
    #: Why the file that is there is not in force.
    error: str | None


class Heartbeats:
    """The heartbeats of all sessions."""

    event_types = (EventType.HEARTBEAT_STARTED, EventType.HEARTBEAT_WAKE_REQUESTED)

    def __init__(
        self,
        store: Store,
        clock: Clock,
        beats: Beats,
        *,
        workspaces_root: Path,
        watch: WorkspaceWatch,
        shortest_interval: timedelta,
        enabled: bool,
    ) -> None:
        self._store = store
        self._clock = clock
        self._beats = beats
        self._workspaces_root = workspaces_root
        self._watch = watch
        self._shortest_interval = shortest_interval
        self._enabled = enabled
        #: Sessions whose files are to be read.
        self._to_read: set[str] = set()
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
            return await self.bring_in_line(session_id)
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
            # Another call made them first, or they were deleted with the session.
            return await self._store.read(verbs.jobs.get_job, job_id)
        return made

    async def end_session(self, session_id: str, *, by: str) -> SessionEnd:
        """Delete a session with its beats and stop watching its files. Raises SessionNotFound."""
        ended = await self._beats.end_session(session_id, by=by)
        self._watch.forget(session_id)
        return ended

    async def remove(self, session_id: str) -> None:
        """Delete a session's beats and the messages that wait for them, if it has any."""
        self._watch.forget(session_id)
        try:
            await self._beats.delete(JobId(session_id))
        except JobNotFound:
            return

    # -- what a session's files say

    async def sync(self) -> None:
        """Bring every session's beats in line with the settings and its files.

        Sessions that were made while heartbeats were off get theirs.
        """
        beating = {job.job_id for job in await self._store.read(verbs.beats.list_beats)}
        for session_id in beating:
            await self._sync_one(session_id, self.bring_in_line(session_id))
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
        """Sync one session. A failure stops neither the other sessions nor the start."""
        try:
            await syncing
        except (UniversalAgentError, OSError):
            raise
        except Exception:
            _log.exception("session_not_synced", session_id=session_id)

    def notice(self, event: Event) -> None:
        """A beat starts, or was requested: read the session's files."""
        self.read_soon(event.source_ref)

    async def look(self) -> None:
        """Do nothing: files are compared with what is stored whenever they are read."""

    def read_soon(self, session_id: str) -> None:
        """A session's files may have changed: read them soon."""
        if self._enabled:
            self._to_read.add(session_id)
            self._woken.set()

    async def follow_files(self) -> None:
        """Read the files of every session whose HEARTBEAT.json is written, until cancelled."""
        while True:
            for session_id in await self._watch.changed():
                self.read_soon(session_id)

    async def run(self) -> None:
        """Read the files of sessions whose turn it is, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._to_read:
                try:
                    await self.bring_in_line(self._to_read.pop())
                except JobNotFound:
                    continue  # it was deleted since

    async def bring_in_line(self, session_id: str) -> Job:
        """Bring a session's beats in line with its files; they change only where those did."""
        return await self._beats.change(JobId(session_id), self._in_line)

    def _in_line(self, spec: JobSpec, now: datetime) -> Drafted:
        """The spec that the files ask for. What a person set stays until the files change."""
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
            policy=beat_policy(config, self._beats.on_miss),
        )
        return Drafted(timely(changed), schedule != spec.schedule)

    def _read(self, spec: JobSpec) -> _Read:
        workspace = self._workspaces_root / spec.workspace_dir
        # First, so that a write during the read is reported.
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
        return await self.bring_in_line(session_id)

    # -- waking, and messages for the next beat

    async def wake(
        self, session_id: str, mode: WakeMode, *, reason: str | None, by: str
    ) -> Run | None:
        """Request a session's beat: a run now, or a message with the next one.

        Returns the run if it is requested for now. Raises SessionNotFound.
        """
        return await self._beats.wake(session_id, mode, reason=reason, by=by)

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
        return await self._store.write(verbs.beats.tell_beats, events, wakes, keep=keep, now=now)
