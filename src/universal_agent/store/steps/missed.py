"""Missed spans: written, and closed with their job."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain import events
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus, undecided
from universal_agent.domain.run import Run
from universal_agent.domain.slot import epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.encoding import stamp
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.tx import Tx

#: The note on spans that are closed because their job is gone.
JOB_DELETED = "the job was deleted"

#: The note on missed beats that were still undecided when a later one ended.
LATER_BEAT = "a later beat of the session has ended"


def insert_missed_spans(tx: Tx, records: Sequence[MissedRecord]) -> None:
    """Insert spans."""
    tx.many(
        "insert_missed",
        [
            {
                **_changing(record),
                "source": record.source,
                "source_ref": record.source_ref,
                "job_version": record.job_version,
                "cause": record.cause,
                "outage_id": record.outage_id,
                "created_at": record.created_at.timestamp(),
                "useful_until": stamp(record.useful_until),
                "held_by": record.held_by,
            }
            for record in records
        ],
    )


def change_missed(
    tx: Tx, records: Sequence[MissedRecord], *, was: MissedStatus
) -> list[MissedRecord]:
    """Change spans that have still the status `was`; returns these.

    One statement reads the status and changes it: of two decisions about a span one is made.
    """
    return [record for record in records if tx.run("change_missed", **_changing(record), was=was)]


def _changing(record: MissedRecord) -> dict[str, object]:
    """The columns that a decision changes, and the id."""
    return {
        "missed_id": record.missed_id,
        "first_at": epoch(record.span.first_at),
        "last_at": epoch(record.span.last_at),
        "count": record.span.count,
        "status": record.span.status,
        "updated_at": record.updated_at.timestamp(),
        "note": record.note,
        "decided_by": record.decided_by,
        "run_id": record.run_id,
    }


def move_to_missed(
    tx: Tx,
    run: Run,
    spec_in: Callable[[int], JobSpec],
    missed_id: str,
    cause: Cause,
    *,
    outcome: str,
    outage_id: str,
    now: datetime,
    gone: bool = False,
    mark: dict[str, Any] | None = None,
    held_by: str | None = None,
) -> None:
    """Account for an admitted slot as missed. It waits for an operator, unless its job is `gone`.

    `spec_in` returns the spec of the version that expected the slot: an approved run has the
    version that is in force.
    """
    slot = tx.one(
        "miss_slot",
        source=run.source,
        source_ref=run.source_ref,
        scheduled_at=epoch(run.scheduled_at),
        run_id=run.run_id,
        outcome=outcome,
        reason=cause,
        missed_id=missed_id,
    )
    assert slot is not None, f"the slot of {run.run_id} is gone"
    (job_version,) = slot
    spec = spec_in(job_version)
    useful = spec.policy.useful_for_seconds
    missed = MissedRecord(
        missed_id=missed_id,
        source=spec.source,
        source_ref=run.source_ref,
        job_version=job_version,
        span=MissedSpan(run.scheduled_at, run.scheduled_at, undecided(spec.policy), 1),
        cause=cause,
        outage_id=outage_id,
        created_at=now,
        updated_at=now,
        useful_until=None if useful is None else run.scheduled_at + timedelta(seconds=useful),
        held_by=held_by,
    )
    if gone:
        missed = missed.decided(MissedStatus.DELETED, by=None, note=JOB_DELETED, now=now)
    insert_missed_spans(tx, [missed])
    tx.append(events.slots_missed(missed, spec, now=now, mark=mark))


def close_before(tx: Tx, beats: Sequence[tuple[Run, JobSpec]], *, now: datetime) -> None:
    """Close the missed beats that a later beat of the session makes up for; `beats` have ended."""
    for run, spec in beats:
        rows = tx.all("open_before", source_ref=run.source_ref, before=epoch(run.scheduled_at))
        made_up_for = [
            record.decided(MissedStatus.SUPERSEDED, by=None, note=LATER_BEAT, now=now)
            for record in decoded(tx, "missed", rows, missed_from_row)
        ]
        closed = change_missed(tx, made_up_for, was=MissedStatus.OPEN)
        if closed:
            tx.append(
                events.missed_resolved(
                    run.source_ref,
                    spec,
                    now=now,
                    action="next_beat",
                    by="",
                    note=LATER_BEAT,
                    spans=closed,
                    event_id=closed[-1].event_id,
                    run_id=run.run_id,
                )
            )


def close_missed_of_job(tx: Tx, job_id: str, spec: JobSpec, *, now: datetime) -> None:
    """Close the pending spans of a job that is deleted."""
    rows = tx.all("pending_of_job", job_id=job_id)
    pending = decoded(tx, "missed", rows, missed_from_row)
    if not pending:
        return
    closed = [
        done
        for record in pending
        for done in change_missed(
            tx,
            [record.decided(MissedStatus.DELETED, by=None, note=JOB_DELETED, now=now)],
            was=record.span.status,
        )
    ]
    if not closed:
        return
    tx.append(
        events.missed_resolved(
            job_id,
            spec,
            now=now,
            action="job_deleted",
            by="",
            note=JOB_DELETED,
            spans=closed,
            event_id=closed[-1].event_id,
        )
    )
