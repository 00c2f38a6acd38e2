"""Single future slots skipped, moved or run early.

An override decides a slot ahead of its time: the slot is claimed under its key like any other, so
the scheduler finds it taken when the time comes, and the ledger finds its outcome.
"""

from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, epoch
from universal_agent.domain.slot_overrides import MOVED, OPERATOR, OverrideKind, SlotOverride
from universal_agent.errors import Conflict, JobNotFound, SlotNotFound
from universal_agent.store.effects import effect_unless
from universal_agent.store.encoding import stamp
from universal_agent.store.steps.decided_slots import first_open, lock_job, put_mark
from universal_agent.store.steps.slots import NewRun, insert_runs
from universal_agent.store.tx import Tx
from universal_agent.store.verbs.jobs import get_job

_SECOND = timedelta(seconds=1)


@effect_unless()
def override_slot(
    tx: Tx,
    slot: SlotKey,
    override: SlotOverride,
    *,
    run_id: RunId,
    by: str,
    now: datetime,
) -> Run | None:
    """Decide a future slot ahead of its time. Returns the run, when the slot runs early.

    Raises JobNotFound, SlotNotFound when the job expects no such slot, Conflict when the slot is
    decided already.
    """
    job = _job_with_future_slot(tx, slot)
    if not lock_job(tx, job):
        raise Conflict(f"The slot {slot.event_id} is being decided, or its job was changed.")
    run = None
    if override.kind is OverrideKind.RUN_EARLY:
        run = Run(
            run_id=run_id,
            source=job.source,
            source_ref=job.job_id,
            status=RunStatus.QUEUED,
            trigger=Trigger.EARLY,
            attempt=1,
            scheduled_at=slot.scheduled_at,
            has_slot=True,
            job_version=job.version,
            queued_at=now,
            approved_by=by,
        )
    outcome = {
        OverrideKind.SKIP: RunStatus.SKIPPED.value,
        OverrideKind.MOVE: MOVED,
        OverrideKind.RUN_EARLY: RunStatus.QUEUED.value,
    }[override.kind]
    claimed = tx.run(
        "claim_slot",
        source=slot.source,
        source_ref=slot.source_ref,
        scheduled_at=epoch(slot.scheduled_at),
        job_version=job.version,
        outcome=outcome,
        reason=OPERATOR if override.kind is OverrideKind.SKIP else None,
        run_id=run_id if run else None,
        missed_id=None,
    )
    if not claimed:
        raise Conflict(f"The slot {slot.event_id} has been decided already.")
    if override.move_to is not None:
        tx.run(
            "start_slot_at",
            source=slot.source,
            source_ref=slot.source_ref,
            scheduled_at=epoch(slot.scheduled_at),
            retry_at=stamp(override.move_to),
        )
    mark = job.next_run_at
    if mark == slot.scheduled_at:
        mark = put_mark(tx, job, first_open(tx, job, mark))
    tx.append(
        events.slot_overridden(
            job, slot, override.kind, now=now, by=by, move_to=override.move_to, next_run_at=mark
        )
    )
    if run is not None:
        insert_runs(tx, [NewRun(run, job.spec)])
        tx.append(events.run_changed(run, job.spec, now=now))
    return run


def _job_of(tx: Tx, slot: SlotKey) -> Job:
    """The job of the slot. Raises JobNotFound."""
    job = get_job(tx, slot.source_ref)
    if job is None or job.source is not slot.source:
        raise JobNotFound(f"There is no job {slot.source_ref!r}.")
    return job


def _job_with_future_slot(tx: Tx, slot: SlotKey) -> Job:
    """The job of the slot. Raises unless the job expects the slot and it is undecided."""
    job = _job_of(tx, slot)
    at = slot.scheduled_at
    if job.spec.schedule.latest_at(at, at - _SECOND) is None or not job.spec.enabled:
        raise SlotNotFound(f"The job {job.job_id} expects no slot {slot.event_id!r}.")
    if job.next_run_at is None or at < job.next_run_at:
        raise Conflict(f"The slot {slot.event_id} has been decided already.")
    return job


def undo_override(tx: Tx, slot: SlotKey, *, by: str, now: datetime) -> Job:
    """Undo a skip or a move. Raises JobNotFound, SlotNotFound, or Conflict."""
    job = _job_of(tx, slot)
    if slot.scheduled_at <= now:
        raise Conflict(f"The slot {slot.event_id} is past; its override stands.")
    dropped = tx.run(
        "drop_override",
        source=slot.source,
        source_ref=slot.source_ref,
        scheduled_at=epoch(slot.scheduled_at),
        reason=OPERATOR,
    )
    if not dropped:
        raise SlotNotFound(f"No override that can be taken back is set on {slot.event_id!r}.")
    mark = job.next_run_at
    if mark is None or slot.scheduled_at < mark:
        mark = put_mark(tx, job, slot.scheduled_at)
    tx.append(
        events.slot_overridden(job, slot, "undo", now=now, by=by, move_to=None, next_run_at=mark)
    )
    return job
