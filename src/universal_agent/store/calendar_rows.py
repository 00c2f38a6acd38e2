"""What the runtime tables hold for a window of the calendar: the V1 feed's facts."""

from universal_agent.domain.calendar import (
    CalendarFacts,
    CalendarSlot,
    HourCount,
    JobFact,
    Window,
    is_frequent,
)
from universal_agent.domain.exceptions import MOVED
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.store.job_verbs import read_spec
from universal_agent.store.log_verbs import log_bounds
from universal_agent.store.missed_rows import missed_from_row
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Row, Tx, to_json


def scan_calendar(tx: Tx, window: Window, specs: SpecCache) -> CalendarFacts:
    """The facts of a window, read from jobs, slots, runs and missed spans."""
    jobs = {
        row[0]: _job_fact(row, specs)
        for row in tx.all("calendar_jobs", source_ref=window.source_ref)
    }
    summed = [
        job.job_id
        for job in jobs.values()
        if window.source_ref is None and is_frequent(job.spec.schedule)
    ]
    bounds = {"start": epoch(window.start), "end": epoch(window.end)}
    slots = [
        CalendarSlot(
            source=source,
            source_ref=source_ref,
            scheduled_at=scheduled_at,
            outcome=outcome,
            reason=reason,
            run_id=run_id,
            missed=bool(missed),
            duration_seconds=None if finished_at is None else finished_at - started_at,
            moved_to=retry_at if outcome == MOVED else None,
        )
        for (
            source,
            source_ref,
            scheduled_at,
            outcome,
            reason,
            run_id,
            missed,
            started_at,
            finished_at,
            retry_at,
        ) in tx.all(
            "calendar_slots", **bounds, source_ref=window.source_ref, summed=to_json(summed)
        )
    ]
    hours = [
        HourCount(source_ref=source_ref, hour=hour, outcome=outcome, count=count)
        for source_ref, hour, outcome, count in tx.all(
            "calendar_hours", **bounds, summed=to_json(summed)
        )
    ]
    missed = [
        missed_from_row(row)
        for row in tx.all("calendar_missed", **bounds, source_ref=window.source_ref)
    ]
    gone = {slot.source_ref for slot in slots} | {record.source_ref for record in missed}
    for job_id in sorted(gone - jobs.keys()):
        row = tx.one("calendar_deleted_job", job_id=job_id)
        if row is not None:
            jobs[job_id] = _job_fact(row, specs)
    newest = log_bounds(tx).newest_seq
    last = tx.one("event_time", seq=newest)
    return CalendarFacts(
        jobs=jobs,
        slots=slots,
        hours=hours,
        missed=missed,
        specs={
            (record.source_ref, record.job_version): read_spec(
                tx, record.source_ref, record.job_version, specs
            )
            for record in missed
        },
        version=newest,
        last_event_at=None if last is None else from_epoch(last[0]),
    )


def _job_fact(row: Row, specs: SpecCache) -> JobFact:
    job_id, version, spec, next_run_at = row
    return JobFact(
        job_id=job_id,
        version=version,
        spec=specs.get(job_id, version, spec),
        next_run_at=None if next_run_at is None else from_epoch(next_run_at),
    )
