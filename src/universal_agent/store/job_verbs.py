"""How are jobs made, changed and deleted? Each verb is one transaction."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.exceptions import OPERATOR
from universal_agent.domain.job import Job, JobSpec, spec_to_record
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.slot import Source, epoch, from_epoch
from universal_agent.errors import Conflict
from universal_agent.store.ahead import first_open, put_mark
from universal_agent.store.base import Once
from universal_agent.store.ends import (
    JOB_DELETED,
    close_open_slots,
    reason_of,
    void_exceptions,
)
from universal_agent.store.missed_rows import close_missed_of_job
from universal_agent.store.retries import Dropped, drop_retries
from universal_agent.store.rows import SpecCache, job_from_row, run_from_row
from universal_agent.store.tx import Tx, event_params, stamp, to_json

#: How long an Idempotency-Key is remembered.
_KEPT = timedelta(days=1)


def recall(tx: Tx, once: Once | None, resource: str, *, now: datetime) -> str | None:
    """What `once` made before, or None after remembering that it makes `resource` now.

    Raises Conflict when the key was used for another request.
    """
    if once is None:
        return None
    tx.run("forget_once", before=(now - _KEPT).timestamp())
    if tx.run(
        "remember_once",
        key=once.key,
        fingerprint=once.fingerprint,
        resource=resource,
        now=now.timestamp(),
    ):
        return None
    return made_by(tx, once)


def made_by(tx: Tx, once: Once) -> str | None:
    """What `once` made before, or None. Raises Conflict when it is another request's."""
    row = tx.one("recall_once", key=once.key)
    if row is None:
        return None
    fingerprint, made = row
    if fingerprint != once.fingerprint:
        raise Conflict(
            "This Idempotency-Key was used for another request; a new request needs a new key.",
            field="Idempotency-Key",
        )
    return str(made)


def read_job(tx: Tx, job_id: str, specs: SpecCache) -> Job | None:
    row = tx.one("get_job", job_id=job_id)
    return None if row is None else job_from_row(row, specs)


def job_made(tx: Tx, once: Once, specs: SpecCache) -> Job | None:
    made = made_by(tx, once)
    return None if made is None else _still_there(tx, made, specs)


def _still_there(tx: Tx, job_id: str, specs: SpecCache) -> Job:
    job = read_job(tx, job_id, specs)
    if job is None:
        raise Conflict("The job that this Idempotency-Key made was deleted since.")
    return job


class NewJob:
    """A job and the rows that it comes to, made ahead of the transaction that puts them in."""

    def __init__(self, job: Job, *, now: datetime) -> None:
        self.job = job
        self.row = {
            "job_id": job.job_id,
            "source": job.source,
            "version": job.version,
            "enabled": job.spec.enabled,
            "owner_id": job.spec.user_id,
            "created_at": job.created_at.timestamp(),
            "effective_from": job.effective_from.timestamp(),
            "next_run_at": _mark(job),
            "due_at": stamp(job.due_at),
        }
        self.version = _version_row(job)
        self.event = events.job_created(job, now=now)
        self.event_row = event_params(self.event)


def create_job(tx: Tx, new: NewJob, *, specs: SpecCache, now: datetime, once: Once | None) -> Job:
    made = recall(tx, once, new.job.job_id, now=now)
    if made is not None:
        return _still_there(tx, made, specs)
    # A job's id is new, but a session's beats have the session's.
    if new.job.source is Source.HEARTBEAT and tx.one("job_ends", job_id=new.job.job_id):
        raise Conflict(f"There is a job {new.job.job_id!r}, or was one before.")
    _require_own_workspace(tx, new.job)
    tx.put("insert_job", new.row)
    tx.put("insert_job_version", new.version)
    tx.append(new.event, new.event_row)
    return new.job


def _require_own_workspace(tx: Tx, job: Job, *, replaces: Job | None = None) -> None:
    """Raise Conflict when the job would work in a folder that is or was another user's session's.

    The folder itself, one in it, or one around it. A job that keeps its folder and its owner, and
    one that has the folder made for its id, are not looked at.
    """
    where = (job.spec.workspace_dir, job.spec.user_id)
    if job.spec.source is not Source.CRON or where[0] == f"cron_{job.job_id}":
        return
    if replaces is not None and where == (replaces.spec.workspace_dir, replaces.spec.user_id):
        return
    if tx.one("workspace_of_others", workspace_dir=where[0], user_id=where[1]):
        raise Conflict(
            f"The workspace {where[0]!r} belongs to a session of another user. Give the job that "
            "user's user_id, or another workspace_dir.",
            field="workspace_dir",
        )


def _mark(job: Job) -> int | None:
    """The job's high-water mark as it is stored."""
    return None if job.next_run_at is None else epoch(job.next_run_at)


def _version_row(job: Job) -> Mapping[str, object]:
    return {
        "job_id": job.job_id,
        "version": job.version,
        "spec": to_json(spec_to_record(job.spec)),
        "effective_from": job.effective_from.timestamp(),
    }


def update_job(
    tx: Tx,
    job: Job,
    *,
    replaces: Job,
    closed_at: datetime,
    changed: list[str],
    specs: SpecCache,
    now: datetime,
) -> Job | None:
    _require_own_workspace(tx, job, replaces=replaces)
    replaced = tx.run(
        "replace_job",
        job_id=job.job_id,
        version=job.version,
        enabled=job.spec.enabled,
        owner_id=job.spec.user_id,
        effective_from=job.effective_from.timestamp(),
        next_run_at=_mark(job),
        due_at=stamp(job.due_at),
        begins_anew=job.consecutive_failures < replaces.consecutive_failures,
        held=job.spec.is_held,
        replaces=replaces.version,
        mark=_mark(replaces),
        now=now.timestamp(),
    )
    if not replaced:
        return None
    void: list[int] = []
    if job.spec.expects_as(replaces.spec):
        put_version(tx, job, replaces=replaces, closed_at=closed_at)
    else:
        void = end_version(tx, job, replaces=replaces, closed_at=closed_at, specs=specs, now=now)
    mark = first_open(tx, job, job.next_run_at)
    if mark != job.next_run_at:
        job = replace(job, next_run_at=put_mark(tx, job, mark))
    tx.append(
        events.job_updated(job, now=now, changed=changed, effective_until=closed_at, void=void)
    )
    return job


def put_version(tx: Tx, job: Job, *, replaces: Job, closed_at: datetime) -> None:
    """End the old version's expectation and begin the new one's."""
    tx.run(
        "close_job_version",
        job_id=job.job_id,
        version=replaces.version,
        effective_until=closed_at.timestamp(),
    )
    insert_version(tx, job)


def insert_version(tx: Tx, job: Job) -> None:
    """Keep the job's version."""
    tx.put("insert_job_version", _version_row(job))


def end_version(
    tx: Tx,
    job: Job,
    *,
    replaces: Job,
    closed_at: datetime,
    specs: SpecCache,
    now: datetime,
    reason: str | None = None,
) -> list[int]:
    """Begin a version with other slots than the last one, or none, and close what that left open.

    The slots whose skip or move no longer holds. `reason` says why open slots are skipped, where
    the new version does not.
    """
    reason = reason or reason_of(job.spec)
    close_open_slots(tx, replaces, until=closed_at, reason=reason, now=now)
    if not job.spec.enabled:
        drop_retries(tx, {job.job_id: job.spec}, Dropped.JOB_OFF, now=now)
        for (run_id,) in tx.all("waiting_early_runs", job_id=job.job_id):
            cancel_queued(tx, RunId(run_id), specs=specs, now=now, reason=reason)
    put_version(tx, job, replaces=replaces, closed_at=closed_at)
    return void_exceptions(tx, job, after=closed_at)


def first_decided_ahead(tx: Tx, job_id: str, *, after: datetime) -> datetime | None:
    row = tx.one("first_decided_ahead", job_id=job_id, after=after.timestamp(), reason=OPERATOR)
    return None if row is None or row[0] is None else from_epoch(row[0])


def delete_job(tx: Tx, job: Job, *, specs: SpecCache, closed_at: datetime, now: datetime) -> bool:
    deleted = tx.run(
        "delete_job",
        job_id=job.job_id,
        version=job.version,
        mark=_mark(job),
        now=now.timestamp(),
    )
    if not deleted:
        return False
    close_job(tx, job, specs=specs, closed_at=closed_at, now=now)
    return True


def close_job(tx: Tx, job: Job, *, specs: SpecCache, closed_at: datetime, now: datetime) -> None:
    """Everything that ends with a job: its expectation, its retries, what waits for a worker."""
    tx.run(
        "close_job_version",
        job_id=job.job_id,
        version=job.version,
        effective_until=closed_at.timestamp(),
    )
    close_open_slots(tx, job, until=closed_at, reason=JOB_DELETED, now=now)
    drop_retries(tx, {job.job_id: job.spec}, Dropped.JOB_DELETED, now=now)
    tx.run(
        "drop_exceptions_after",
        job_id=job.job_id,
        after=closed_at.timestamp(),
        reason=OPERATOR,
    )
    for (run_id,) in tx.all("waiting_of_job", job_id=job.job_id):
        cancel_queued(tx, RunId(run_id), specs=specs, now=now, reason=JOB_DELETED)
    close_missed_of_job(tx, job.job_id, job.spec, now=now)
    if job.source is Source.HEARTBEAT:
        tx.run("forget_system_events", session_id=job.job_id)
        tx.run("forget_reports", session_id=job.job_id)
    tx.append(events.job_deleted(job, now=now, effective_until=closed_at))


def cancel_queued(
    tx: Tx,
    run_id: RunId,
    *,
    specs: SpecCache,
    now: datetime,
    reason: str | None = None,
    error: str | None = None,
) -> bool:
    error = error or "cancelled while it waited for a worker"
    return drop_queued(tx, run_id, RunStatus.CANCELLED, specs, error=error, reason=reason, now=now)


def drop_queued(
    tx: Tx,
    run_id: RunId,
    status: RunStatus,
    specs: SpecCache,
    *,
    error: str | None,
    reason: str | None,
    now: datetime,
) -> bool:
    """Close a run that waits; False when it does not wait (any more)."""
    row = tx.one(
        "drop_queued_run",
        run_id=run_id,
        status=status,
        error=error,
        reason=reason,
        now=now.timestamp(),
    )
    if row is None:
        return False
    run = run_from_row(row)
    if run.has_slot:
        tx.run(
            "set_slot_outcome",
            source=run.source,
            source_ref=run.source_ref,
            scheduled_at=epoch(run.scheduled_at),
            run_id=run.run_id,
            outcome=run.status,
            reason=reason,
            retry_at=None,
        )
    tx.append(events.run_changed(run, spec_of(tx, run, specs), now=now))
    return True


def spec_of(tx: Tx, run: Run, specs: SpecCache) -> JobSpec:
    """The spec a run was made under; of a deleted job too."""
    own = tx.one("own_spec", run_id=run.run_id) if run.brings_spec else None
    if own is not None:
        return specs.of_run(run, None, own[0])
    return read_spec(tx, run.source_ref, run.job_version, specs)


def read_spec(tx: Tx, job_id: str, version: int, specs: SpecCache) -> JobSpec:
    """The spec that a job had in that version."""
    row = tx.one("spec_of", job_id=job_id, version=version)
    assert row is not None, f"version {version} of {job_id} was never stored"
    return specs.get(row[0])
