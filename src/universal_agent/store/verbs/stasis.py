"""Decisions about missed slots, each a compare-and-set."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import UNDECIDED, MissedStatus, undecided
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, epoch
from universal_agent.domain.stasis import (
    RESULT,
    UNDO_WINDOW,
    MissedRecord,
    Scope,
    StasisAction,
    isolate,
)
from universal_agent.errors import AlreadyResolved, Conflict, SlotNotFound
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.set_aside import LEFT_ALONE
from universal_agent.store.steps.each import for_each
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.steps.missed import LATER_BEAT, change_missed, insert_missed_spans
from universal_agent.store.steps.slots import NewRun, insert_runs
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import Once, Resolution, Resolved
from universal_agent.store.verbs.beats import queue_wake
from universal_agent.store.verbs.idempotency import answer_of, recall
from universal_agent.store.verbs.jobs import create_job, get_job

_SECOND = timedelta(seconds=1)


def count_pending_slots(tx: Tx) -> int:
    """How many missed slots wait for a decision."""
    row = tx.one("count_pending_slots")
    return 0 if row is None else int(row[0])


def find_missed(tx: Tx, slot: SlotKey) -> MissedRecord:
    """The missed span that contains the slot. Raises SlotNotFound when none does."""
    # A slot whose approved run was interrupted was missed twice: the latest miss comes first.
    rows = tx.all("missed_with_slot", source_ref=slot.source_ref, at=epoch(slot.scheduled_at))
    for record in decoded(tx, "missed", rows, missed_from_row):
        if record.source is not slot.source:
            continue
        spec = read_spec(tx, record.source_ref, record.job_version)
        # A time between two slots is in the span, but no slot was missed there.
        if spec.schedule.latest_at(slot.scheduled_at, slot.scheduled_at - _SECOND) is not None:
            return record
    raise SlotNotFound(f"No missed slot has the id {slot.event_id!r}.")


def resolve_missed(
    tx: Tx,
    slot: SlotKey,
    resolution: Resolution,
    *,
    spare_ids: Sequence[str],
    now: datetime,
    once: Once | None = None,
) -> Resolved:
    """Decide missed slots: a compare-and-set that one caller wins.

    `spare_ids` are for spans that a split makes, two at most. Raises SlotNotFound when the slot was
    not missed, AlreadyResolved when it is not pending, Conflict when its job was deleted.
    """
    made = None if once is None else decision_made(tx, once)
    if made is not None:
        return made
    named = find_missed(tx, slot)
    require_undecided(named)
    job = get_job(tx, slot.source_ref)
    if job is None:
        raise Conflict("The job of this missed slot was deleted.")
    spec = read_spec(tx, named.source_ref, named.job_version)

    if resolution.scope is Scope.GROUP:
        group = group_of(tx, named)
        latest = max(group, key=lambda record: record.span.last_at)
        at = latest.span.last_at
    else:
        group, latest, at = [named], named, slot.scheduled_at
    if latest.job_version != named.job_version:
        spec = read_spec(tx, latest.source_ref, latest.job_version)
    one, parts = isolate(latest, at, spec.schedule, iter(spare_ids))

    def decide(record: MissedRecord, status: MissedStatus) -> MissedRecord:
        return record.decided(status, by=resolution.by, note=resolution.note, now=now)

    one = decide(one, RESULT[resolution.action])
    others = [record for record in group if record is not latest]
    if resolution.scope is not Scope.SLOT:
        delete = resolution.action is StasisAction.DELETE
        closed = MissedStatus.DELETED if delete else MissedStatus.SUPERSEDED
        parts = [decide(record, closed) for record in parts]
        others = [decide(record, closed) for record in others]
    if resolution.action is StasisAction.APPROVE:
        one = replace(one, run_id=resolution.run_id)
    _claim(tx, one, was=named.span.status)
    others = change_missed(tx, others, was=named.span.status)
    insert_missed_spans(tx, parts)
    run = None
    if resolution.action is StasisAction.APPROVE:
        assert resolution.run_id is not None
        run = _run_late(tx, one, job.spec, job.version, resolution.run_id, now=now)
    elif resolution.job is not None:
        create_job(tx, resolution.job, now=now)
    spans = [one, *parts, *others]
    new_job_id = resolution.job.job_id if resolution.job else None
    recall(tx, once, f"{one.missed_id} {new_job_id or ''}", now=now)
    tx.append(
        events.missed_resolved(
            slot.source_ref,
            job.spec,
            now=now,
            action=resolution.action,
            by=resolution.by,
            note=resolution.note,
            spans=spans,
            event_id=one.event_id,
            run_id=resolution.run_id if run else None,
            new_job_id=new_job_id,
        )
    )
    if run is not None:
        tx.append(events.run_changed(run, job.spec, now=now))
    if resolution.wake is not None:
        queue_wake(tx, job, resolution.wake, now=now)
    return Resolved(record=one, run=run, job=resolution.job)


def require_undecided(named: MissedRecord) -> None:
    """Raise AlreadyResolved when nothing can be decided about the span any more."""
    if named.span.status not in UNDECIDED:
        raise AlreadyResolved(
            f"expected a missed slot that waits for a decision, got one that is "
            f"{named.span.status} since {named.updated_at.isoformat(timespec='seconds')}"
            + (f", by {named.decided_by}" if named.decided_by else "")
            + (f": {named.note}" if named.note == LATER_BEAT else "")
        )


def _claim(tx: Tx, decided: MissedRecord, *, was: MissedStatus) -> None:
    """Record the decision about an open span. Raises AlreadyResolved when it was decided."""
    if not change_missed(tx, [decided], was=was):
        raise AlreadyResolved("This missed slot was decided by another request.")


def group_of(tx: Tx, record: MissedRecord) -> list[MissedRecord]:
    """The undecided spans of the record's job and outage."""
    rows = tx.all(
        "pending_group",
        source_ref=record.source_ref,
        outage_id=record.outage_id,
        status=record.span.status,
    )
    return decoded(tx, "missed", rows, missed_from_row)


def decision_made(tx: Tx, once: Once) -> Resolved | None:
    """The result of the decision that `once` made before, or None.

    Raises Conflict when the key is another request's.
    """
    made = answer_of(tx, once)
    if made is None:
        return None
    missed_id, _, job_id = made.partition(" ")
    row = tx.one("get_missed", missed_id=missed_id)
    assert row is not None
    record = missed_from_row(row)
    run = None if record.run_id is None else tx.one("get_run", run_id=record.run_id)
    return Resolved(
        record=record,
        run=None if run is None else run_from_row(run),
        job=get_job(tx, job_id) if job_id else None,
    )


def _run_late(
    tx: Tx, record: MissedRecord, spec: JobSpec, version: int, run_id: RunId, *, now: datetime
) -> Run:
    """Queue the run of a missed slot, as its next attempt if it had one before."""
    at = record.span.last_at
    key = {"source": record.source, "source_ref": record.source_ref, "scheduled_at": epoch(at)}
    row = tx.one("attempts_of_slot", **key)
    attempt = 1 if row is None else int(row[0]) + 1
    run = Run(
        run_id=run_id,
        source=record.source,
        source_ref=record.source_ref,
        status=RunStatus.QUEUED,
        trigger=Trigger.APPROVED,
        attempt=attempt,
        scheduled_at=at,
        has_slot=True,
        job_version=version,
        queued_at=now,
        approved_by=record.decided_by,
    )
    slot = {
        **key,
        "job_version": record.job_version,
        "outcome": run.status,
        "reason": None,
        "run_id": run_id,
        "missed_id": record.missed_id,
    }
    tx.run("put_slot", **slot)
    insert_runs(tx, [NewRun(run, spec)])
    return run


def undo_delete(tx: Tx, slot: SlotKey, *, by: str, now: datetime) -> MissedRecord:
    """Undo a deletion. Raises SlotNotFound, or Conflict when it is too late."""
    named = find_missed(tx, slot)
    if named.span.status is not MissedStatus.DELETED:
        raise Conflict(f"expected a deleted missed slot, got one that is {named.span.status}")
    if now - named.updated_at > UNDO_WINDOW:
        raise Conflict(
            f"A deletion can be taken back for {UNDO_WINDOW.total_seconds():.0f} s; this one was "
            f"at {named.updated_at.isoformat(timespec='seconds')}."
        )
    job = get_job(tx, slot.source_ref)
    if job is None:
        raise Conflict("The job of this missed slot was deleted.")
    rows = tx.all(
        "decided_together",
        source_ref=named.source_ref,
        outage_id=named.outage_id,
        updated_at=named.updated_at.timestamp(),
        status=MissedStatus.DELETED,
    )
    reopened = [
        record.decided(
            undecided(read_spec(tx, record.source_ref, record.job_version).policy),
            by=None,
            note=None,
            now=now,
        )
        for record in map(missed_from_row, rows)
    ]
    reopened = change_missed(tx, reopened, was=MissedStatus.DELETED)
    if not any(record.missed_id == named.missed_id for record in reopened):
        raise Conflict("This deletion was taken back by another request.")
    tx.append(
        events.missed_resolved(
            slot.source_ref,
            job.spec,
            now=now,
            action="undo_delete",
            by=by,
            note=None,
            spans=reopened,
            event_id=slot.event_id,
        )
    )
    return next(record for record in reopened if record.missed_id == named.missed_id)


def expire_missed(tx: Tx, *, now: datetime, limit: int) -> int:
    """Close spans that are no longer useful; returns how many."""
    rows = tx.all("useless_missed", now=now.timestamp(), limit=limit)

    def expire(row: Row) -> None:
        record = missed_from_row(row)
        expired = record.decided(MissedStatus.EXPIRED, by=None, note=None, now=now)
        if not change_missed(tx, [expired], was=MissedStatus.PENDING):
            return
        tx.append(
            events.missed_resolved(
                record.source_ref,
                read_spec(tx, record.source_ref, record.job_version),
                now=now,
                action="expire",
                by="",
                note=None,
                spans=[expired],
                event_id=record.event_id,
            )
        )

    def put_off(row: Row, _: Exception) -> None:
        tx.run("expire_at", missed_id=row[0], useful_until=(now + LEFT_ALONE).timestamp())

    for_each(tx, "missed", rows, expire, key=lambda row: row[0], put_off=put_off)
    return len(rows)


def missed_spans(
    tx: Tx, *, status: MissedStatus, job_id: str | None = None, limit: int
) -> list[MissedRecord]:
    """Missed spans of that status, oldest first."""
    rows = tx.all("missed_spans", status=status, job_id=job_id, limit=limit)
    return decoded(tx, "missed", rows, missed_from_row)
