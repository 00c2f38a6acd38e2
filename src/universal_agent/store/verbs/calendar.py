"""Facts for a window of the calendar.

The runtime scan (V1) and the projection (V2) are two sources of the same facts. Each is a few
reads; the same code builds feeds from them.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import starmap

from universal_agent.domain.calendar_facts import (
    CalendarFacts,
    CalendarSlot,
    Detail,
    HourCount,
    Window,
    is_counted,
    taken_ranges,
)
from universal_agent.domain.calendar_row import JobFact
from universal_agent.domain.calendar_size import (
    HOUR_BYTES,
    MAX_JOBS,
    MAX_SLOTS,
    ROW_BYTES,
    Recorded,
    Size,
    SizeCheck,
    too_large,
)
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.spec_cache import SpecCache
from universal_agent.store.steps.calendar_tables import (
    MOST_HOURS,
    CalendarTables,
    ProjectionTables,
    RuntimeTables,
)
from universal_agent.store.tx import Lane, Row, Tx, in_lane
from universal_agent.store.verbs.event_log import log_bounds
from universal_agent.store.verbs.projection import project_all, projection_position


def _lane_of(window: Window, **_: object) -> Lane:
    """The lane of a window. One without slots is the stasis queue, which must not wait."""
    return Lane.SHORT if window.start == window.end else Lane.LONG


@in_lane(_lane_of)
def scan_calendar(tx: Tx, window: Window) -> CalendarFacts:
    """The facts of a window in the runtime tables, from one snapshot."""
    return _gather(tx, RuntimeTables(tx, window), window)


@in_lane(_lane_of)
def projected_calendar(
    tx: Tx, window: Window, *, only: Collection[str] | None = None
) -> CalendarFacts:
    """The facts of a window in the projection, from one snapshot; `only` about these jobs."""
    return _gather(tx, ProjectionTables(tx, only), window)


@in_lane(Lane.LONG)
def both_calendars_if_level(tx: Tx, window: Window) -> tuple[CalendarFacts, CalendarFacts] | None:
    """The scan's facts and the projection's; None while the projection is behind the log."""
    if projection_position(tx) != log_bounds(tx).newest_seq:
        return None
    return scan_calendar(tx, window), projected_calendar(tx, window)


def both_calendars_made_level(tx: Tx, window: Window) -> tuple[CalendarFacts, CalendarFacts]:
    """The scan's facts and the projection's, which is brought up to the log first."""
    project_all(tx)
    return scan_calendar(tx, window), projected_calendar(tx, window)


def job_facts(tx: Tx, job_ids: Sequence[str]) -> list[JobFact]:
    """These jobs as they are now, deleted ones too."""
    return _job_facts(tx, tx.all("calendar_jobs_named", refs=to_json(job_ids)))


def _job_facts(tx: Tx, rows: Iterable[Row]) -> list[JobFact]:
    return decoded(tx, "jobs", rows, lambda row: _job_fact(row, tx.specs))


def _gather(tx: Tx, tables: CalendarTables, window: Window) -> CalendarFacts:
    """The facts of a window.

    Raises WindowTooLarge before anything is read that does not fit into an answer.
    """
    found = tables.jobs(window)
    if len(found) > MAX_JOBS:
        raise too_large(window, Size(len(found), len(found) * ROW_BYTES), None)
    jobs = {job.job_id: job for job in _job_facts(tx, found)}
    missed = decoded(tx, "missed", tables.missed(window), missed_from_row)
    missed_specs = tables.specs({(record.source_ref, record.job_version) for record in missed})
    if tx.set_aside:
        missed = [one for one in missed if (one.source_ref, one.job_version) in missed_specs]
    single = window.source_ref is not None
    counted = {job_id for job_id, job in jobs.items() if is_counted(job.spec, window)}
    is_digest = window.detail is not Detail.ALL and not single
    digest = to_json(sorted(counted)) if is_digest else None

    def recorded(until: int) -> Recorded:
        rows = tables.slot_counts(window, digest, until)
        is_cut = sum(count for _, count, _ in rows) > MAX_SLOTS
        return Recorded(
            {source_ref: count for source_ref, count, _ in rows},
            cut_at=max(last for *_, last in rows) if is_cut else None,
            hours=0 if single else tables.hour_count(window, until),
        )

    SizeCheck(window, jobs, missed, missed_specs, recorded).check()
    slots = list(starmap(CalendarSlot, tables.slots(window, digest)))
    hours = [] if single else _hour_counts(tables.hours(window, digest))
    if len(hours) > MOST_HOURS:
        raise too_large(window, Size(len(hours), len(hours) * HOUR_BYTES), None)
    named = {slot.source_ref for slot in slots} | {record.source_ref for record in missed}
    counted |= {count.source_ref for count in hours}
    if len(named | counted) > MAX_JOBS:
        raise too_large(window, Size(len(slots), len(named | counted) * ROW_BYTES), None)
    others = tables.jobs_named(sorted((named | counted) - jobs.keys()))
    jobs |= {job.job_id: job for job in _job_facts(tx, others)}
    if tx.set_aside:  # nothing of a job that cannot be read is shown
        slots = [slot for slot in slots if slot.source_ref in jobs]
        hours = [count for count in hours if count.source_ref in jobs]
        missed = [record for record in missed if record.source_ref in jobs]
    ranges = [] if single else taken_ranges(jobs.values(), missed, missed_specs, counted)
    taken = [_taken_slot(row) for row in tables.taken(ranges)] if ranges else []
    if digest is not None:
        taken = [slot._replace(summed=slot.summed or slot.source_ref in counted) for slot in taken]
    version, last_event_at = tables.version()
    return CalendarFacts(
        jobs=jobs,
        slots=slots,
        hours=hours,
        missed=missed,
        specs=missed_specs,
        taken=taken,
        version=version,
        last_event_at=None if last_event_at is None else from_epoch(last_event_at),
    )


def _job_fact(row: Row, specs: SpecCache) -> JobFact:
    job_id, version, spec, next_run_at, deleted = row
    return JobFact(
        job_id=job_id,
        version=version,
        spec=specs.get(spec),
        next_run_at=None if next_run_at is None else from_epoch(next_run_at),
        deleted=bool(deleted),
    )


def _hour_counts(rows: Iterable[Row]) -> list[HourCount]:
    """Counts by hour; equal texts are one object, because there may be many hours."""
    texts: dict[str, str] = {}
    return [
        HourCount(
            texts.setdefault(source_ref, source_ref),
            hour,
            texts.setdefault(outcome, outcome),
            count,
        )
        for source_ref, hour, outcome, count in rows
    ]


def _taken_slot(row: Row) -> CalendarSlot:
    source, source_ref, scheduled_at, outcome, reason, run_id, summed = row
    return CalendarSlot(
        source=source,
        source_ref=source_ref,
        scheduled_at=scheduled_at,
        outcome=outcome,
        reason=reason,
        run_id=run_id,
        duration_seconds=None,
        summed=bool(summed),
    )
