"""Runs, decoded from rows."""

from universal_agent.domain.ending import EndClass
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import from_epoch
from universal_agent.store.tx import Row

#: How many columns {run_columns} has.
RUN_WIDTH = 21


def run_from_row(row: Row) -> Run:
    """A run from {run_columns}; further columns of the row are ignored."""
    (
        run_id,
        source,
        source_ref,
        status,
        trigger,
        attempt,
        scheduled_at,
        has_slot,
        job_version,
        queued_at,
        started_at,
        finished_at,
        error,
        reason,
        exit_code,
        output_preview,
        host,
        approved_by,
        end_class,
        end_until,
        process_id,
    ) = row[:RUN_WIDTH]
    return Run(
        run_id=RunId(run_id),
        source=source,
        source_ref=source_ref,
        status=RunStatus(status),
        trigger=Trigger(trigger),
        attempt=attempt,
        scheduled_at=from_epoch(scheduled_at),
        has_slot=bool(has_slot),
        job_version=job_version,
        queued_at=from_epoch(queued_at),
        started_at=None if started_at is None else from_epoch(started_at),
        finished_at=None if finished_at is None else from_epoch(finished_at),
        error=error,
        reason=reason,
        exit_code=exit_code,
        output_preview=output_preview,
        host=host,
        approved_by=approved_by,
        process_id=process_id,
        end_class=None if end_class is None else EndClass(end_class),
        end_until=None if end_until is None else from_epoch(end_until),
    )
