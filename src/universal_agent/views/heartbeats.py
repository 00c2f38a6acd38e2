"""The heartbeats of sessions: last and next beat, undelivered reports, and files."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from universal_agent.domain.beat import KeptReport
from universal_agent.domain.checklist import read_checklist
from universal_agent.domain.heartbeat import HeartbeatConfig, in_force
from universal_agent.domain.job import Job
from universal_agent.domain.run import JobId
from universal_agent.domain.schedule import IntervalSchedule, Schedule
from universal_agent.domain.slot import Source
from universal_agent.errors import SessionNotFound
from universal_agent.runners.heartbeat_files import read_files
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import FILES
from universal_agent.views.filled import fill, has_more

#: Characters of a report, and artifacts of it, where the heartbeats of all sessions are listed.
_LISTED_CHARS = 1000
_LISTED_ARTIFACTS = 20


class HeartbeatView:
    """Queries about heartbeats."""

    def __init__(self, store: Store, config: HeartbeatConfig, *, workspaces_root: Path) -> None:
        self._store = store
        self._config = config
        self._workspaces_root = workspaces_root

    async def last(self, session_id: str) -> dict[str, Any]:
        """The state of a session's heartbeat. Raises SessionNotFound if it has none."""
        job = await self._beats_of(session_id)
        reports = await self._store.read(verbs.beat_reports.last_reports, session_id)
        return self._document(job, reports.get(session_id))

    async def files(self, session_id: str) -> dict[str, Any]:
        """The files that configure a session's beats, and how a beat interprets them.

        Raises SessionNotFound if the session has no beats.
        """
        job = await self._beats_of(session_id)
        workspace = job.spec.workspace_dir
        found = await FILES.run(read_files, self._workspaces_root, workspace)
        checklist = read_checklist(found.checklist or "")
        return {
            "session_id": session_id,
            "workspace_dir": workspace,
            "checklist": found.checklist,
            "config": found.config,
            "version": found.version,
            "checks": [asdict(check) for check in checklist.checks],
            "agent_lines": list(checklist.agent_lines),
            "findings": [asdict(finding) for finding in checklist.findings],
            "problems": found.problems,
            "config_error": job.spec.metadata.get("config_error"),
        }

    async def _beats_of(self, session_id: str) -> Job:
        job = await self._store.read(verbs.jobs.get_job, JobId(session_id))
        if job is None or job.source is not Source.HEARTBEAT:
            raise SessionNotFound(f"There is no session {session_id!r} with heartbeats.")
        return job

    async def last_of_all(self) -> dict[str, dict[str, Any]]:
        """The state of the heartbeats of all sessions, by session; long reports are cut."""
        reports = await self._store.read(verbs.beat_reports.last_reports)
        jobs = await self._store.read(verbs.beats.list_beats)
        return {job.job_id: _cut(self._document(job, reports.get(job.job_id))) for job in jobs}

    async def suppressed(
        self, *, session_id: str | None, limit: int, before: str | None
    ) -> dict[str, Any]:
        """A page of undelivered reports, newest first, each with its reason."""

        async def read(after: str | None, wanted: int) -> Sequence[KeptReport]:
            return await self._store.read(
                verbs.beat_reports.suppressed_reports,
                session_id=session_id,
                limit=wanted,
                before=after,
            )

        def place(kept: KeptReport) -> str | None:
            return kept.run_id

        found = await fill(read, KeptReport.summary, place, after=before, limit=limit)
        more = await has_more(found, read, place, limit=limit)
        return {"suppressed": found.documents, "has_more": more}

    def _document(self, job: Job, report: KeptReport | None) -> dict[str, Any]:
        spec = job.spec
        config = in_force(self._config, spec.metadata)
        return {
            "session_id": job.job_id,
            "workspace_dir": spec.workspace_dir,
            "last_run": None if job.last_run_at is None else job.last_run_at.timestamp(),
            "last_summary": None if report is None else report.summary(),
            "busy": job.running,
            "next_run": None if job.next_run_at is None else job.next_run_at.timestamp(),
            "schedule": {
                **_cadence(spec.schedule),
                "description": spec.schedule.describe(),
                "active_hours": None if config.active_hours is None else str(config.active_hours),
                "timezone": config.timezone,
            },
            "delivery": {
                "mode": config.delivery_mode,
                "explicit_session_ids": list(config.explicit_session_ids),
                "show_ok": config.show_ok,
                "show_alerts": config.show_alerts,
                "dedupe_window_seconds": config.dedupe_window.total_seconds(),
                "use_indicator": config.use_indicator,
            },
            "enabled": spec.enabled,
            "off_label": spec.off_label,
            "consecutive_failures": job.consecutive_failures,
            "probe_at": None if job.probe_at is None else job.probe_at.timestamp(),
            "config_error": spec.metadata.get("config_error"),
        }


def _cut(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a report of bounded size; `cut` says whether something is left out."""
    summary = document["last_summary"]
    if summary is not None:
        text, artifacts = summary["text"], summary["artifacts"]
        listed = {
            name: [entry[:_LISTED_CHARS] for entry in entries[:_LISTED_ARTIFACTS]]
            for name, entries in artifacts.items()
        }
        shown = text if len(text) <= _LISTED_CHARS else f"{text[: _LISTED_CHARS - 1]}…"
        document["last_summary"] = {
            **summary,
            "text": shown,
            "artifacts": listed,
            "cut": (shown, listed) != (text, artifacts),
        }
    return document


def _cadence(schedule: Schedule) -> dict[str, float]:
    """The interval; empty if a person replaced it with a cron expression."""
    if isinstance(schedule, IntervalSchedule):
        return {"every_seconds": schedule.every.total_seconds()}
    return {}
