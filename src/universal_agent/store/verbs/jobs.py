"""Jobs: created, changed, deleted, listed and counted."""

from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.run import RunId
from universal_agent.domain.slot import Source, epoch, from_epoch
from universal_agent.domain.slot_overrides import OPERATOR
from universal_agent.errors import Conflict, InvalidInput
from universal_agent.store.encoding import stamp
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.jobs import job_from_row
from universal_agent.store.steps.decided_slots import first_open, put_mark
from universal_agent.store.steps.job_versions import insert_version, put_version
from universal_agent.store.steps.missed import close_missed_of_job
from universal_agent.store.steps.open_slots import (
    JOB_DELETED,
    close_open_slots,
    reason_of,
    void_overrides,
)
from universal_agent.store.steps.retries import Dropped, drop_retries
from universal_agent.store.steps.zone_rules import keep_zone
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import Breaker, Once, Page
from universal_agent.store.verbs.idempotency import answer_of, recall
from universal_agent.store.verbs.runs import cancel_queued


def get_job(tx: Tx, job_id: str) -> Job | None:
    """The job, or None when there is none or it was deleted."""
    row = tx.one("get_job", job_id=job_id)
    return None if row is None else job_from_row(row, tx.specs)


def list_jobs(
    tx: Tx, *, limit: int, cursor: str | None = None, owner_id: str | None = None
) -> Page:
    """Jobs oldest first, from after `cursor`."""
    rows = tx.all("list_jobs", limit=limit + 1, cursor=cursor or "", owner_id=owner_id)
    jobs = decoded(tx, "jobs", rows[:limit], lambda row: job_from_row(row, tx.specs))
    return Page(
        jobs=tuple(jobs),
        total=_number(tx.one("count_jobs", owner_id=owner_id)),
        next_cursor=rows[limit - 1][0] if len(rows) > limit else None,
    )


def next_jobs(tx: Tx, *, limit: int) -> list[Job]:
    """The jobs with the earliest next slots."""
    rows = tx.all("next_jobs", limit=limit)
    return decoded(tx, "jobs", rows, lambda row: job_from_row(row, tx.specs))


def count_jobs(tx: Tx) -> int:
    """How many jobs there are."""
    return _number(tx.one("count_jobs", owner_id=None))


def count_enabled_jobs(tx: Tx) -> int:
    """How many enabled jobs there are."""
    return _number(tx.one("count_enabled_jobs"))


def _number(row: Row | None) -> int:
    return 0 if row is None else int(row[0])


def breaker_of(tx: Tx, job: Job) -> Breaker | None:
    """The open breaker of the job; None when it is closed."""
    if not job.spec.is_held:
        return None
    row = tx.one("breaker_of_job", job_id=job.job_id)
    assert row is not None
    since = job.effective_from if row[0] is None else from_epoch(row[0])
    return Breaker(since=since, slots=row[1])


def held_jobs(tx: Tx) -> list[str]:
    """The jobs, beats included, that are held after repeated failures."""
    return [str(job_id) for (job_id,) in tx.all("held_jobs")]


def job_made(tx: Tx, once: Once) -> Job | None:
    """The job that `once` made before, or None.

    Raises Conflict when the key is another request's, or the job was deleted since.
    """
    made = answer_of(tx, once)
    return None if made is None else _still_there(tx, made)


def _still_there(tx: Tx, job_id: str) -> Job:
    job = get_job(tx, job_id)
    if job is None:
        raise Conflict("The job that this Idempotency-Key made was deleted since.")
    return job


def create_job(tx: Tx, job: Job, *, now: datetime, once: Once | None = None) -> Job:
    """Insert a new job (version 1). With a known `once`, returns the job that it made before.

    Raises Conflict when the session has or had beats already.
    """
    made = recall(tx, once, job.job_id, now=now)
    if made is not None:
        return _still_there(tx, made)
    # The id of a job is new, but the id of beats is their session's.
    if job.source is Source.HEARTBEAT and tx.one("job_ends", job_id=job.job_id):
        raise Conflict(f"There is a job {job.job_id!r}, or was one before.")
    _require_own_workspace(tx, job)
    _require_pool(tx, job)
    keep_zone(tx, job.spec.schedule)
    tx.put(
        "insert_job",
        {
            "job_id": job.job_id,
            "source": job.source,
            "version": job.version,
            "enabled": job.spec.enabled,
            "owner_id": job.spec.user_id,
            "created_at": job.created_at.timestamp(),
            "effective_from": job.effective_from.timestamp(),
            "next_run_at": _mark(job),
            "due_at": stamp(job.due_at),
            "pool": job.spec.pool,
        },
    )
    insert_version(tx, job)
    tx.append(events.job_created(job, now=now))
    return job


def _require_own_workspace(tx: Tx, job: Job, *, replaces: Job | None = None) -> None:
    """Raise Conflict when the job would work in a folder of another user's session, past or
    present.

    That is the folder itself, one in it, or one around it. A job that keeps its folder and its
    owner, and one whose folder is made for its id, are not checked.
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


def _require_pool(tx: Tx, job: Job) -> None:
    """Raise InvalidInput when the job names a pool that is not there."""
    name = job.spec.pool
    if name is None or tx.one("get_pool", name=name) is not None:
        return
    names = [row[0] for row in tx.all("list_pools")]
    there = f"expected one of {', '.join(names)}" if names else "expected no pool: there is none"
    raise InvalidInput(f"{there}, got {name!r}; `ua pool set {name} SIZE` makes it", field="pool")


def _mark(job: Job) -> int | None:
    """The job's high-water mark as it is stored."""
    return None if job.next_run_at is None else epoch(job.next_run_at)


def update_job(
    tx: Tx,
    job: Job,
    *,
    replaces: Job,
    closed_at: datetime,
    changed: list[str],
    now: datetime,
) -> Job | None:
    """Replace `replaces` by `job`, its new version; `replaces` ends at `closed_at`.

    None when the job no longer has the version or the high-water mark of `replaces`, or has slots
    due that are not decided yet.
    """
    _require_own_workspace(tx, job, replaces=replaces)
    if job.spec.pool != replaces.spec.pool:
        _require_pool(tx, job)
    keep_zone(tx, job.spec.schedule)
    replaced = tx.run(
        "replace_job",
        job_id=job.job_id,
        version=job.version,
        enabled=job.spec.enabled,
        owner_id=job.spec.user_id,
        effective_from=job.effective_from.timestamp(),
        next_run_at=_mark(job),
        due_at=stamp(job.due_at),
        pool=job.spec.pool,
        resets_failures=job.consecutive_failures < replaces.consecutive_failures,
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
        void = end_version(tx, job, replaces=replaces, closed_at=closed_at, now=now)
    mark = first_open(tx, job, job.next_run_at)
    if mark != job.next_run_at:
        job = replace(job, next_run_at=put_mark(tx, job, mark))
    tx.append(
        events.job_updated(job, now=now, changed=changed, effective_until=closed_at, void=void)
    )
    return job


def end_version(
    tx: Tx,
    job: Job,
    *,
    replaces: Job,
    closed_at: datetime,
    now: datetime,
    reason: str | None = None,
) -> list[int]:
    """Begin a version with other slots, or none, and close the open slots of the last one.

    Returns the slots whose skip or move no longer holds. `reason` says why open slots are skipped,
    where the new version does not.
    """
    reason = reason or reason_of(job.spec)
    close_open_slots(tx, replaces, until=closed_at, reason=reason, now=now)
    if not job.spec.enabled:
        drop_retries(tx, {job.job_id: job.spec}, Dropped.JOB_OFF, now=now)
        for (run_id,) in tx.all("waiting_early_runs", job_id=job.job_id):
            cancel_queued(tx, RunId(run_id), now=now, reason=reason)
    put_version(tx, job, replaces=replaces, closed_at=closed_at)
    return void_overrides(tx, job, after=closed_at)


def first_decided_ahead(tx: Tx, job_id: str, *, after: datetime) -> datetime | None:
    """The job's first slot after `after` that a person decided ahead of its time, or None."""
    row = tx.one("first_decided_ahead", job_id=job_id, after=after.timestamp(), reason=OPERATOR)
    return None if row is None or row[0] is None else from_epoch(row[0])


def delete_job(tx: Tx, job: Job, *, closed_at: datetime, now: datetime) -> bool:
    """Delete the job at that version. Its queued runs are cancelled, its history stays.

    Returns False under the same conditions as `update_job`.
    """
    deleted = tx.run(
        "delete_job",
        job_id=job.job_id,
        version=job.version,
        mark=_mark(job),
        now=now.timestamp(),
    )
    if not deleted:
        return False
    close_job(tx, job, closed_at=closed_at, now=now)
    return True


def close_job(tx: Tx, job: Job, *, closed_at: datetime, now: datetime) -> None:
    """End everything that belongs to a job: its expectation, retries and queued runs."""
    tx.run(
        "close_job_version",
        job_id=job.job_id,
        version=job.version,
        effective_until=closed_at.timestamp(),
    )
    close_open_slots(tx, job, until=closed_at, reason=JOB_DELETED, now=now)
    drop_retries(tx, {job.job_id: job.spec}, Dropped.JOB_DELETED, now=now)
    tx.run(
        "drop_overrides_after",
        job_id=job.job_id,
        after=closed_at.timestamp(),
        reason=OPERATOR,
    )
    for (run_id,) in tx.all("waiting_of_job", job_id=job.job_id):
        cancel_queued(tx, RunId(run_id), now=now, reason=JOB_DELETED)
    close_missed_of_job(tx, job.job_id, job.spec, now=now)
    if job.source is Source.HEARTBEAT:
        tx.run("forget_system_events", session_id=job.job_id)
        tx.run("forget_reports", session_id=job.job_id)
    tx.append(events.job_deleted(job, now=now, effective_until=closed_at))
