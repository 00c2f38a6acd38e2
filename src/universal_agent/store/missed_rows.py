"""How are missed spans kept and found?"""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.slot import Source, epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.tx import Row, Tx, stamp

#: The note on spans that were closed because their job is gone.
JOB_DELETED = "the job was deleted"


def missed_from_row(row: Row) -> MissedRecord:
    """A missed span from its columns."""
    (
        missed_id,
        source,
        source_ref,
        job_version,
        first_at,
        last_at,
        count,
        cause,
        outage_id,
        status,
        created_at,
        updated_at,
        useful_until,
        note,
        decided_by,
        run_id,
    ) = row
    return MissedRecord(
        missed_id=missed_id,
        source=Source(source),
        source_ref=source_ref,
        job_version=job_version,
        span=MissedSpan(from_epoch(first_at), from_epoch(last_at), MissedStatus(status), count),
        cause=Cause(cause),
        outage_id=outage_id,
        created_at=from_epoch(created_at),
        updated_at=from_epoch(updated_at),
        useful_until=None if useful_until is None else from_epoch(useful_until),
        note=note,
        decided_by=decided_by,
        run_id=run_id,
    )


def put_missed(tx: Tx, records: Sequence[MissedRecord]) -> None:
    """Keep spans as they now are."""
    tx.many(
        "put_missed",
        [
            {
                "missed_id": record.missed_id,
                "source": record.source,
                "source_ref": record.source_ref,
                "job_version": record.job_version,
                "first_at": epoch(record.span.first_at),
                "last_at": epoch(record.span.last_at),
                "count": record.span.count,
                "cause": record.cause,
                "outage_id": record.outage_id,
                "status": record.span.status,
                "created_at": record.created_at.timestamp(),
                "updated_at": record.updated_at.timestamp(),
                "useful_until": stamp(record.useful_until),
                "note": record.note,
                "decided_by": record.decided_by,
                "run_id": record.run_id,
            }
            for record in records
        ],
    )


def close_missed_of_job(tx: Tx, job_id: str, spec: JobSpec, *, now: datetime) -> None:
    """A job that is deleted leaves nothing to decide."""
    pending = [missed_from_row(row) for row in tx.all("pending_of_job", job_id=job_id)]
    if not pending:
        return
    closed = [r.decided(MissedStatus.DELETED, by=None, note=JOB_DELETED, now=now) for r in pending]
    put_missed(tx, closed)
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
