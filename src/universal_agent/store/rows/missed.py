"""Missed spans, decoded from rows."""

from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.slot import Source, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.tx import Row


def missed_from_row(row: Row) -> MissedRecord:
    """A missed span from {missed_columns}."""
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
        held_by,
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
        held_by=held_by,
    )
