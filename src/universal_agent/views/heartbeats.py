"""How are the heartbeats of sessions: the last, the next, and what was not delivered?"""

from typing import Any

from universal_agent.domain.beat import KeptReport
from universal_agent.domain.heartbeat import HeartbeatConfig, in_force
from universal_agent.domain.job import Job
from universal_agent.domain.run import JobId
from universal_agent.domain.schedule import IntervalSchedule, Schedule
from universal_agent.domain.slot import Source
from universal_agent.errors import SessionNotFound
from universal_agent.store.base import Store


class HeartbeatView:
    """Answers about heartbeats; changes nothing."""

    def __init__(self, store: Store, config: HeartbeatConfig) -> None:
        self._store = store
        self._config = config

    async def last(self, session_id: str) -> dict[str, Any]:
        """How a session's heartbeat is. Raises SessionNotFound when it has none."""
        job = await self._store.get_job(JobId(session_id))
        if job is None or job.source is not Source.HEARTBEAT:
            raise SessionNotFound(f"There is no session {session_id!r} with heartbeats.")
        reports = await self._store.last_reports(session_id)
        return self._document(job, reports.get(session_id))

    async def last_of_all(self) -> dict[str, dict[str, Any]]:
        """How the heartbeats of all sessions are, by session."""
        reports = await self._store.last_reports()
        jobs = await self._store.list_beats()
        return {job.job_id: self._document(job, reports.get(job.job_id)) for job in jobs}

    async def suppressed(
        self, *, session_id: str | None, limit: int, before: str | None
    ) -> list[dict[str, Any]]:
        """What was not delivered, newest first, each with its reason."""
        found = await self._store.suppressed_reports(
            session_id=session_id, limit=limit, before=before
        )
        return [kept.summary() for kept in found]

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
            "probe_at": None if job.probe_at is None else job.probe_at.timestamp(),
            "config_error": spec.metadata.get("config_error"),
        }


def _cadence(schedule: Schedule) -> dict[str, float]:
    """How often, unless a person has put a pattern in the interval's place."""
    if isinstance(schedule, IntervalSchedule):
        return {"every_seconds": schedule.every.total_seconds()}
    return {}
