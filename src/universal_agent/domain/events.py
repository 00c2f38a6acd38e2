"""The envelope of the event log, and the events that state changes append.

Every state change commits together with its event; `event_types.py` lists all types and their data.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from universal_agent.domain.beat import BeatReport
from universal_agent.domain.cooldown import Closed, Cooldown
from universal_agent.domain.event_types import CANCEL_REQUESTED, RETRY_DROPPED, EventType
from universal_agent.domain.job import Job, JobSpec, spec_to_record
from universal_agent.domain.notifications import Notification
from universal_agent.domain.pools import Pool
from universal_agent.domain.run import Run, RunStatus
from universal_agent.domain.session import Session
from universal_agent.domain.slot import SlotKey, Source, epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.domain.system_event import WakeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event before the log has given it its place."""

    source: str
    type: EventType
    timestamp: datetime
    source_ref: str
    owner_id: str
    session_id: str | None
    status: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(NewEvent):
    """An event in the log. `seq` is dense, strictly increasing and never used again."""

    seq: int

    def envelope(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Events)."""
        return {
            "seq": self.seq,
            "source": self.source,
            "type": self.type,
            "timestamp": self.timestamp.isoformat(),
            "source_ref": self.source_ref,
            "owner_id": self.owner_id,
            "session_id": self.session_id,
            "status": self.status,
            "data": self.data,
        }


def _about(
    kind: EventType,
    ref: str,
    about: JobSpec | Session | None,
    now: datetime,
    status: str,
    data: dict[str, Any],
) -> NewEvent:
    """An event about a job or a session, or about the gateway where `about` is None."""
    source = kind.partition("_")[0]
    return NewEvent(
        # The gateway's own events have no source of their own on the wire.
        source="calendar" if about is None else source,
        type=kind,
        timestamp=now,
        source_ref=ref,
        owner_id="" if about is None else about.user_id,
        session_id=None if about is None else about.session_id,
        status=status,
        data=data,
    )


def job_record(job: Job) -> dict[str, Any]:
    """A job as events carry it."""
    return {
        "job_id": job.job_id,
        "version": job.version,
        "created_at": job.created_at.timestamp(),
        "effective_from": job.effective_from.timestamp(),
        "next_run_at": None if job.next_run_at is None else epoch(job.next_run_at),
        "spec": spec_to_record(job.spec),
    }


def _job_status(job: Job) -> str:
    if job.spec.enabled and not job.spec.is_held:
        return "enabled"
    return str(job.spec.off_label or "disabled")


def job_created(job: Job, *, now: datetime) -> NewEvent:
    """A job was made."""
    data = {"job": job_record(job)}
    beats = job.source is Source.HEARTBEAT
    kind = EventType.HEARTBEAT_SCHEDULED if beats else EventType.CRON_JOB_CREATED
    return _about(kind, job.job_id, job.spec, now, _job_status(job), data)


def job_updated(
    job: Job,
    *,
    now: datetime,
    changed: list[str],
    effective_until: datetime,
    void: Sequence[int],
    reason: str | None = None,
) -> NewEvent:
    """A job was edited; `changed` names the fields, `effective_until` the last version's end.

    `void` has the slots whose skip or move no longer holds; `reason` says why the job changed,
    where it was not a person who changed it.
    """
    data = {
        "job": job_record(job),
        "changed": changed,
        "effective_until": effective_until.timestamp(),
        "void": list(void),
    }
    if reason is not None:
        data["reason"] = reason
    beats = job.source is Source.HEARTBEAT
    kind = EventType.HEARTBEAT_SCHEDULED if beats else EventType.CRON_JOB_UPDATED
    return _about(kind, job.job_id, job.spec, now, _job_status(job), data)


def job_deleted(job: Job, *, now: datetime, effective_until: datetime) -> NewEvent:
    """A job was deleted; it expects no slot after `effective_until`."""
    data = {
        "job_id": job.job_id,
        "version": job.version,
        "effective_until": effective_until.timestamp(),
    }
    beats = job.source is Source.HEARTBEAT
    kind = EventType.HEARTBEAT_REMOVED if beats else EventType.CRON_JOB_DELETED
    return _about(kind, job.job_id, job.spec, now, "deleted", data)


def run_record(run: Run) -> dict[str, Any]:
    """A run as events carry it; times are epoch seconds."""
    return {
        "run_id": run.run_id,
        "job_id": run.source_ref,
        "job_version": run.job_version,
        "event_id": run.event_id if run.has_slot else None,
        "status": run.status,
        "trigger": run.trigger,
        "attempt": run.attempt,
        "scheduled_at": run.scheduled_at.timestamp(),
        "started_at": None if run.started_at is None else run.started_at.timestamp(),
        "finished_at": None if run.finished_at is None else run.finished_at.timestamp(),
        "error": run.error,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "end_class": run.end_class,
        "end_until": None if run.end_until is None else run.end_until.timestamp(),
    }


_RUN_EVENTS: Mapping[str, Mapping[RunStatus, EventType]] = {
    "cron": {
        RunStatus.QUEUED: EventType.CRON_RUN_QUEUED,
        RunStatus.RUNNING: EventType.CRON_RUN_STARTED,
        RunStatus.SUCCESS: EventType.CRON_RUN_COMPLETED,
        RunStatus.SKIPPED: EventType.CRON_RUN_SKIPPED,
    },
    "heartbeat": {
        RunStatus.QUEUED: EventType.HEARTBEAT_QUEUED,
        RunStatus.RUNNING: EventType.HEARTBEAT_STARTED,
        RunStatus.SUCCESS: EventType.HEARTBEAT_COMPLETED,
        RunStatus.SKIPPED: EventType.HEARTBEAT_SKIPPED,
    },
    "session": {
        RunStatus.QUEUED: EventType.SESSION_TURN_QUEUED,
        RunStatus.RUNNING: EventType.SESSION_TURN_STARTED,
        RunStatus.SUCCESS: EventType.SESSION_TURN_COMPLETED,
    },
}

#: The event types of all other end states of a run.
FAILED_RUN = {
    "cron": EventType.CRON_RUN_FAILED,
    "heartbeat": EventType.HEARTBEAT_FAILED,
    "session": EventType.SESSION_TURN_FAILED,
}


def run_changed(
    run: Run,
    spec: JobSpec,
    *,
    now: datetime,
    retry_at: datetime | None = None,
    mark: dict[str, Any] | None = None,
    consecutive_failures: int | None = None,
    report: BeatReport | None = None,
) -> NewEvent:
    """A run came to its present status."""
    data: dict[str, Any] = {"run": run_record(run), **(mark or {})}
    if retry_at is not None:
        data["retry_at"] = epoch(retry_at)
    if consecutive_failures is not None:
        data["consecutive_failures"] = consecutive_failures
    if report is not None:
        data["beat"] = report.headline()
    kind = _RUN_EVENTS[run.source].get(run.status, FAILED_RUN[run.source])
    return _about(kind, run.source_ref, spec, now, run.status, data)


def cancel_requested(run: Run, spec: JobSpec, *, reason: str, by: str, now: datetime) -> NewEvent:
    """A run in execution was asked to end; its end is an event of its own."""
    event_id = run.event_id if run.has_slot else None
    data = {"run_id": run.run_id, "event_id": event_id, "reason": reason, "by": by}
    kind = CANCEL_REQUESTED[run.source]
    return _about(kind, run.source_ref, spec, now, "cancelling", data)


def retry_dropped(run: Run, spec: JobSpec, why: str, *, now: datetime) -> NewEvent:
    """The next attempt at the slot of `run` will not be made; the slot's outcome is final."""
    reason = f"{RETRY_DROPPED}:{why}"
    data = {"run": run_record(replace(run, reason=reason)), "reason": reason}
    beats = run.source == Source.HEARTBEAT
    kind = EventType.HEARTBEAT_RETRY_DROPPED if beats else EventType.CRON_RETRY_DROPPED
    return _about(kind, run.source_ref, spec, now, run.status, data)


def high_water(next_run_at: datetime | None) -> dict[str, Any]:
    """The part of an event's data that says where the job's high-water mark went."""
    return {"next_run_at": None if next_run_at is None else epoch(next_run_at)}


def slot_skipped(
    slot: SlotKey,
    spec: JobSpec,
    reason: str,
    *,
    job_version: int,
    now: datetime,
    mark: dict[str, Any],
) -> NewEvent:
    """A slot was decided not to run; `job_version` is the one that expected it."""
    data = {
        "event_id": slot.event_id,
        "job_version": job_version,
        "scheduled_at": epoch(slot.scheduled_at),
        "reason": reason,
        **mark,
    }
    kind = _RUN_EVENTS[slot.source][RunStatus.SKIPPED]
    return _about(kind, slot.source_ref, spec, now, "skipped", data)


def missed_record(missed: MissedRecord) -> dict[str, Any]:
    """A missed span as events carry it."""
    useful_until = missed.useful_until
    return {
        "missed_id": missed.missed_id,
        "outage_id": missed.outage_id,
        "event_id": missed.event_id,
        "job_version": missed.job_version,
        "first_at": epoch(missed.span.first_at),
        "last_at": epoch(missed.span.last_at),
        "count": missed.span.count,
        "cause": missed.cause,
        "status": missed.span.status,
        "created_at": missed.created_at.timestamp(),
        "updated_at": missed.updated_at.timestamp(),
        "useful_until": None if useful_until is None else useful_until.timestamp(),
        "note": missed.note,
        "decided_by": missed.decided_by,
        "run_id": missed.run_id,
        "held_by": missed.held_by,
    }


def slots_missed(
    missed: MissedRecord, spec: JobSpec, *, now: datetime, mark: dict[str, Any] | None = None
) -> NewEvent:
    """Neighbouring slots of a job were missed."""
    data = {**missed_record(missed), **(mark or {})}
    beats = missed.source is Source.HEARTBEAT
    kind = EventType.HEARTBEAT_MISSED if beats else EventType.CRON_RUN_MISSED
    return _about(kind, missed.source_ref, spec, now, missed.span.status, data)


def missed_resolved(
    job_id: str,
    spec: JobSpec,
    *,
    now: datetime,
    action: str,
    by: str,
    note: str | None,
    spans: Sequence[MissedRecord],
    event_id: str,
    run_id: str | None = None,
    new_job_id: str | None = None,
) -> NewEvent:
    """Missed slots were decided: run after all, moved, closed, expired, or closed no longer."""
    data = {
        "action": action,
        "by": by,
        "note": note,
        "event_id": event_id,
        "spans": [missed_record(span) for span in spans],
        "run_id": run_id,
        "job_id": new_job_id,
    }
    return _about(EventType.CALENDAR_MISSED_RESOLVED, job_id, spec, now, action, data)


def slot_overridden(
    job: Job,
    slot: SlotKey,
    change: str,
    *,
    now: datetime,
    by: str,
    move_to: datetime | None,
    next_run_at: datetime | None,
) -> NewEvent:
    """A single future slot was skipped, moved or run early; or that was taken back."""
    data = {
        "event_id": slot.event_id,
        "scheduled_at": epoch(slot.scheduled_at),
        "job_version": job.version,
        "change": change,
        "by": by,
        "move_to": None if move_to is None else move_to.timestamp(),
        **high_water(next_run_at),
    }
    return _about(EventType.CALENDAR_CHANGE_APPLIED, job.job_id, job.spec, now, change, data)


def job_replanned(
    job: Job,
    *,
    now: datetime,
    spans: Sequence[MissedRecord],
    slots: Sequence[int],
    outage_ids: Sequence[str],
) -> NewEvent:
    """What was judged about a job's slots ahead of their time is withdrawn: they come again."""
    data = {
        "spans": [missed_record(span) for span in spans],
        "slots": list(slots),
        "outage_ids": list(outage_ids),
        **high_water(job.next_run_at),
    }
    return _about(EventType.CALENDAR_REPLANNED, job.job_id, job.spec, now, "replanned", data)


def clock_set_back(*, before: datetime, now: datetime, jobs: int, slots: int) -> NewEvent:
    """The clock had run ahead to `before`; `jobs` were planned again, `slots` come again."""
    data = {"before": before.timestamp(), "after": now.timestamp(), "jobs": jobs, "slots": slots}
    return _about(EventType.CLOCK_SET_BACK, "gateway", None, now, "clock", data)


def zone_rules_changed(
    timezone: str, *, before: str, after: str, jobs: int, now: datetime
) -> NewEvent:
    """`jobs` of the zone are planned by other rules now; rules are named by fingerprints."""
    data = {"timezone": timezone, "before": before, "after": after, "jobs": jobs}
    return _about(EventType.ZONE_RULES_CHANGED, "gateway", None, now, "zone", data)


def cooldown_opened(cooldown: Cooldown, *, now: datetime) -> NewEvent:
    """A run ended for an outage of a resource: runs that use it wait."""
    return _about_resource(EventType.RESOURCE_COOLDOWN_OPENED, cooldown, now, {})


def cooldown_prolonged(cooldown: Cooldown, *, now: datetime) -> NewEvent:
    """The outage of a resource goes on."""
    return _about_resource(EventType.RESOURCE_COOLDOWN_PROLONGED, cooldown, now, {})


def cooldown_closed(cooldown: Cooldown, why: Closed, *, by: str | None, now: datetime) -> NewEvent:
    """A resource may be used again."""
    data = {"why": why, "by": by}
    return _about_resource(EventType.RESOURCE_COOLDOWN_CLOSED, cooldown, now, data)


def _about_resource(
    kind: EventType, cooldown: Cooldown, now: datetime, data: dict[str, Any]
) -> NewEvent:
    return _about(kind, cooldown.resource, None, now, cooldown.cause, cooldown.record() | data)


def flag_changed(name: str, *, value: bool, override: bool, by: str, now: datetime) -> NewEvent:
    """A flag has another value, or the same one from elsewhere."""
    data = {"name": name, "value": value, "override": override, "by": by}
    return _about(EventType.FLAG_CHANGED, name, None, now, "1" if value else "0", data)


def pool_changed(pool: Pool, *, size: int | None, by: str, now: datetime) -> NewEvent:
    """A pool was made, resized, or removed (`size` is None)."""
    data = {"name": pool.name, "size": size, "origin": pool.origin, "by": by}
    change = "removed" if size is None else "set"
    return _about(EventType.POOL_CHANGED, pool.name, None, now, change, data)


def feed_token_created(name: str, *, by: str, now: datetime) -> NewEvent:
    """A token for calendar programs was made."""
    kind = EventType.FEED_TOKEN_CREATED
    return _about(kind, name, None, now, "created", {"name": name, "by": by})


def feed_token_revoked(name: str, *, by: str, now: datetime) -> NewEvent:
    """A token for calendar programs was revoked."""
    kind = EventType.FEED_TOKEN_REVOKED
    return _about(kind, name, None, now, "revoked", {"name": name, "by": by})


def notification_changed(
    notification: Notification, *, change: str, by: str | None = None, now: datetime
) -> NewEvent:
    """A notification is new, says something else, is over, or was marked; `change` says which."""
    data = {
        "notification_id": notification.notification_id,
        "kind": notification.kind,
        "severity": notification.severity,
        "title": notification.title,
        "about": notification.source_ref,
        "is_open": notification.is_open,
        "notification_status": notification.status,
        "by": by,
    }
    ref = notification.notification_id
    return _about(EventType.NOTIFICATION_CHANGED, ref, None, now, change, data)


def channel_changed(name: str, *, status: str, error: str | None, now: datetime) -> NewEvent:
    """A channel of notifications was marked down, or takes messages again."""
    return _about(EventType.CHANNEL_CHANGED, name, None, now, status, {"error": error})


def session_created(session: Session, *, now: datetime) -> NewEvent:
    """A session was made."""
    return _about_session(EventType.SESSION_CREATED, session, now, {})


def session_deleted(session: Session, *, by: str, now: datetime) -> NewEvent:
    """A session was deleted."""
    return _about_session(EventType.SESSION_DELETED, session, now, {"by": by})


def _about_session(
    kind: EventType, session: Session, now: datetime, data: dict[str, Any]
) -> NewEvent:
    place = {"workspace_dir": session.workspace_dir, "origin": session.source}
    status = kind.rpartition("_")[2]
    return _about(kind, session.session_id, session, now, status, place | data)


def wake_requested(
    job: Job, *, now: datetime, mode: WakeMode, reason: str | None, by: str, run_id: str | None
) -> NewEvent:
    """Somebody asked for a session's beat; `run_id` is the run that will be it, if there is one."""
    data = {"mode": mode, "reason": reason, "by": by, "run_id": run_id}
    kind = EventType.HEARTBEAT_WAKE_REQUESTED
    return _about(kind, job.job_id, job.spec, now, mode, data)
