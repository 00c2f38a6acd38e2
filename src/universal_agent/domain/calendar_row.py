"""Calendar rows: the entry of one slot.

A `Row` holds everything that a slot's entry depends on except the zone it is shown in, so that its
serialized form can be reused until something about it changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from universal_agent.domain.job import PRIORITY_ORDER, JobSpec, OffLabel
from universal_agent.domain.judge import UNDECIDED
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import from_epoch
from universal_agent.domain.slot_overrides import MOVED

LEGEND = {
    "heartbeat": "red",
    "cron": "blue",
    "missed": "amber",
    "success": "emerald",
    "failed": "rose",
    "disabled": "slate",
}

_STATUS: Mapping[str, str] = {
    MOVED: "scheduled",
    RunStatus.QUEUED: "scheduled",
    RunStatus.RUNNING: "running",
    RunStatus.SUCCESS: "success",
    RunStatus.ERROR: "failed",
    RunStatus.TIMEOUT: "failed",
    RunStatus.STALLED: "failed",
    RunStatus.CANCELLED: "failed",
    RunStatus.INTERRUPTED: "missed",
    RunStatus.SKIPPED: "disabled",
}

_MISSED_ACTIONS = ("approve_backfill_run", "reschedule", "delete_missed")


def status_of(outcome: str) -> str:
    """The calendar's status of a recorded outcome."""
    return _STATUS.get(outcome, "missed")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFact:
    """A job as the calendar knows it."""

    job_id: str
    version: int
    spec: JobSpec
    #: The next slot not yet decided; None when none is expected.
    next_run_at: datetime | None
    #: It is present only because of its records.
    deleted: bool = False

    @property
    def status(self) -> str:
        """Whether it is on, paused or switched off."""
        if self.spec.enabled and not self.spec.is_held:
            return "scheduled"
        paused = self.spec.off_label in (OffLabel.PAUSED, OffLabel.AUTO_PAUSED)
        return "paused" if paused else "disabled"


class Row(NamedTuple):
    """A slot as the calendar lists it. Rows sort by time, then by source and job."""

    at: int
    source: str
    source_ref: str
    #: The version of the job that the row is shown with, not the one that expected the slot.
    version: int
    deleted: bool
    status: str
    run_id: str | None = None
    run_status: str | None = None
    reason: str | None = None
    duration_seconds: float | None = None
    resolution: str | None = None
    moved_to: float | None = None

    @property
    def event_id(self) -> str:
        return f"{self.source}|{self.source_ref}|{self.at}"


class FrequentRow(NamedTuple):
    """A job whose slots are counted by the hour."""

    job: JobFact
    next_run_at: datetime | None
    #: (hour, slots by status), hours as epochs of their beginning. Equal counts are one object.
    hours: Sequence[tuple[int, Mapping[str, int]]]

    @property
    def source_ref(self) -> str:
        return self.job.job_id

    def document(self, zone: ZoneInfo) -> dict[str, Any]:
        """Its wire form (docs/contract.md, Calendar)."""
        job, next_run_at = self.job, self.next_run_at
        return {
            "source": job.spec.source,
            "source_ref": job.job_id,
            **job_part(job.spec),
            "timezone_display": zone.key,
            "color_key": job.spec.source,
            "status": job.status,
            "always_running": True,
            "actions": actions(job.spec, "scheduled", has_run=False, deleted=job.deleted),
            "next_run_at_utc": None if next_run_at is None else next_run_at.isoformat(),
            "hourly": [
                {"start_utc": from_epoch(hour).isoformat(), "counts": counts}
                for hour, counts in self.hours
            ],
        }


def row_document(
    row: Row, spec: JobSpec, zone: ZoneInfo | None, part: Mapping[str, Any]
) -> dict[str, Any]:
    """The row's wire form, with the `job_part` of its job.

    Without a zone, the fields that are local are left out.
    """
    utc = from_epoch(row.at)
    document = {
        "event_id": row.event_id,
        "source": row.source,
        "source_ref": row.source_ref,
        **part,
        "color_key": row.status if row.status in LEGEND else row.source,
        "status": row.status,
        "scheduled_at_epoch": row.at,
        "scheduled_at_utc": utc.isoformat(),
        "always_running": False,
        "running": row.status == "running",
        "actions": actions(
            spec,
            row.status,
            has_run=row.run_id is not None,
            deleted=row.deleted,
            decided=row.resolution is not None and row.resolution not in UNDECIDED,
        ),
        "run_id": row.run_id,
        "run_status": row.run_status,
        "reason": row.reason,
        "duration_seconds": row.duration_seconds,
    }
    if zone is not None:
        document["scheduled_at_local"] = utc.astimezone(zone).isoformat()
        document["timezone_display"] = zone.key
    if row.resolution is not None:
        document["resolution"] = row.resolution
    if row.moved_to is not None:
        document["moved_to_utc"] = from_epoch(row.moved_to).isoformat()
    return document


def job_part(spec: JobSpec) -> dict[str, Any]:
    """The fields that all rows of a job share."""
    return {
        "owner_id": spec.user_id,
        "session_id": spec.session_id,
        "channel": spec.metadata.get("channel"),
        "title": spec.display_title,
        "description": spec.schedule.describe(),
        "category": spec.priority,
    }


def actions(
    spec: JobSpec, status: str, *, has_run: bool, deleted: bool, decided: bool = False
) -> list[str]:
    """The actions that a slot allows; a deleted job's slots allow none.

    `decided`: it was missed, and nothing can be decided about it any more.
    """
    offered: list[str] = []
    if deleted:
        pass
    elif status == "missed":
        offered += () if decided else _MISSED_ACTIONS
    else:
        runs = spec.enabled and not spec.is_held
        offered += ["run_now", "pause" if runs else "resume", "disable"]
    if has_run or status == "missed":
        offered.append("open_logs")
    if spec.session_id is not None:
        offered.append("open_session")
    return offered


def stasis_order(
    jobs: Mapping[str, JobFact], item: tuple[Row, dict[str, Any]]
) -> tuple[bool, str, int, str, str]:
    """What can be saved for the shortest time first, then by priority and age.

    It is that of `recommendation.order`, but for what is lost by now: a feed knows no clock.
    """
    row, entry = item
    until = entry["useful_until_utc"]
    priority = PRIORITY_ORDER[jobs[row.source_ref].spec.priority]
    return until is None, until or "", priority, entry["created_at"], entry["event_id"]
