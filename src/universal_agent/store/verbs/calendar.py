"""Facts for a window of the calendar.

The runtime scan (V1) and the projection (V2) are two sources of the same facts. Each is a few
reads; the same code builds feeds from them.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import starmap
from typing import Protocol

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
    MAX_GROUPS,
    MAX_JOBS,
    MAX_SLOTS,
    ROW_BYTES,
    Recorded,
    Size,
    SizeCheck,
    too_large,
)
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.job import JobSpec
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded, readable
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.spec_cache import SpecCache
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.tx import Lane, Row, Tx, in_lane
from universal_agent.store.verbs.event_log import log_bounds
from universal_agent.store.verbs.projection import project_all, projection_position

_HOUR = 3600

#: The most hours that are counted: as many as fit into an answer.
_MOST_HOURS = 170_000

#: Parameters of a statement.
Asked = dict[str, object]


class _Tables(Protocol):
    """The source that facts are read from. `digest`: jobs that are counted by the hour, as JSON."""

    def jobs(self, window: Window) -> list[Row]: ...
    def jobs_named(self, refs: Iterable[str]) -> list[Row]: ...
    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]: ...
    def slots(self, window: Window, digest: str | None) -> list[Row]: ...
    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]: ...
    def hours(self, window: Window, digest: str | None) -> list[Row]: ...
    def hour_count(self, window: Window, until: int) -> int: ...
    def missed(self, window: Window) -> list[Row]: ...
    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]: ...
    def version(self) -> tuple[int, float | None]: ...


def _lane_of(window: Window, **_: object) -> Lane:
    """The lane of a window. One without slots is the stasis queue, which must not wait."""
    return Lane.SHORT if window.start == window.end else Lane.LONG


@in_lane(_lane_of)
def scan_calendar(tx: Tx, window: Window) -> CalendarFacts:
    """The facts of a window in the runtime tables, from one snapshot."""
    return _gather(tx, _RuntimeTables(tx, window), window)


@in_lane(_lane_of)
def projected_calendar(
    tx: Tx, window: Window, *, only: Collection[str] | None = None
) -> CalendarFacts:
    """The facts of a window in the projection, from one snapshot; `only` about these jobs."""
    return _gather(tx, _Projection(tx, only), window)


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


def count_stasis_groups(tx: Tx) -> int:
    """How many groups of missed slots wait for a decision."""
    (row,) = tx.all("calendar_stasis_groups")
    return int(row[0])


def _job_facts(tx: Tx, rows: Iterable[Row]) -> list[JobFact]:
    return decoded(tx, "jobs", rows, lambda row: _job_fact(row, tx.specs))


def _gather(tx: Tx, tables: _Tables, window: Window) -> CalendarFacts:
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
    if len(hours) > _MOST_HOURS:
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


def _filters(window: Window) -> dict[str, object]:
    return {"owner": window.owner_id, "source": window.source}


def _missed_filters(window: Window) -> dict[str, object]:
    return {
        **_filters(window),
        "source_ref": window.source_ref,
        "groups": MAX_GROUPS,
        "most": MAX_SLOTS + 1,
    }


def _bounds(window: Window, until: int | None = None) -> dict[str, object]:
    return {"start": epoch(window.start), "end": epoch(window.end) if until is None else until}


class _RuntimeTables:
    """The tables that the engine works on."""

    def __init__(self, tx: Tx, window: Window) -> None:
        self._tx = tx
        self._specs = tx.specs
        self._bounds = _bounds(window)
        single = window.source_ref is not None
        #: "job version" of the versions that are counted by the hour.
        self._summed = to_json([] if single else self._frequent_versions())

    def _frequent_versions(self) -> list[str]:
        rows = self._tx.all("calendar_versions", **self._bounds)
        frequent = readable(
            self._tx,
            "job_versions",
            rows,
            lambda row: is_frequent(self._specs.get(row[2]).schedule),
        )
        return [f"{row[0]} {row[1]}" for row, is_one in frequent if is_one]

    def jobs(self, window: Window) -> list[Row]:
        return self._tx.all(
            "calendar_jobs",
            source_ref=window.source_ref,
            **_filters(window),
            most=MAX_JOBS + 1,
        )

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("calendar_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        def read(key: Row) -> JobSpec:
            job_id, version = key
            return read_spec(self._tx, job_id, version)

        found = readable(self._tx, "job_versions", versions, read)
        return {(key[0], key[1]): spec for key, spec in found}

    def slots(self, window: Window, digest: str | None) -> list[Row]:
        return self._tx.all("calendar_slots", **self._asked(window, digest))

    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]:
        return self._tx.all("calendar_slot_counts", **self._asked(window, digest, until))

    def _asked(self, window: Window, digest: str | None, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            **_filters(window),
            "source_ref": window.source_ref,
            "summed": self._summed,
            "digest": digest,
            "every": window.detail is Detail.COUNTS,
            "most": MAX_SLOTS + 1,
        }

    def hours(self, window: Window, digest: str | None) -> list[Row]:
        return self._tx.all(
            "calendar_hours",
            **self._bounds,
            **_filters(window),
            summed=self._summed,
            digest=digest,
            every=window.detail is Detail.COUNTS,
            most=_MOST_HOURS + 1,
        )

    def hour_count(self, window: Window, until: int) -> int:
        """At the most: hours of each version whose slots are counted."""
        versions = len(from_json(self._summed))
        return versions * -(-(until - epoch(window.start)) // _HOUR)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all("calendar_missed", **self._bounds, **_missed_filters(window))

    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]:
        rows = self._tx.all("calendar_taken", ranges=to_json(ranges))
        specs = self.specs({(source_ref, version) for _, source_ref, *_, version in rows})
        return [
            (*row[:6], is_frequent(specs[row[1], row[6]].schedule))
            for row in rows
            if (row[1], row[6]) in specs
        ]

    def version(self) -> tuple[int, float | None]:
        newest = log_bounds(self._tx).newest_seq
        row = self._tx.one("event_time", seq=newest)
        return newest, None if row is None else row[0]


class _Projection:
    """The tables that the event log was folded into."""

    def __init__(self, tx: Tx, only: Collection[str] | None) -> None:
        self._tx = tx
        self._specs = tx.specs
        self._only = None if only is None else sorted(only)
        self._among = None if only is None else to_json(self._only)

    def jobs(self, window: Window) -> list[Row]:
        named = self._only if window.source_ref is None else [window.source_ref]
        if named is not None:
            return [row for row in self.jobs_named(named) if not row[4]]
        # Whether a job's slots are counted depends on the job, even when its next slot is later.
        return self._tx.all(
            "feed_jobs",
            **_bounds(window),
            **_filters(window),
            is_digest=window.detail is not Detail.ALL,
            most=MAX_JOBS + 1,
        )

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("feed_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        rows = self._tx.all("feed_specs", versions=to_json(list(versions)))
        found = readable(self._tx, "job_versions", rows, lambda row: self._specs.get(row[2]))
        return {(row[0], row[1]): spec for row, spec in found}

    def slots(self, window: Window, digest: str | None) -> list[Row]:
        if window.source_ref is None:
            return self._tx.all("feed_slots", **self._asked(window, digest))
        return self._tx.all("feed_slots_of", **self._asked_of(window))

    def slot_counts(self, window: Window, digest: str | None, until: int) -> list[Row]:
        if window.source_ref is None:
            return self._tx.all("feed_slot_counts", **self._asked(window, digest, until))
        return self._tx.all("feed_slot_counts_of", **self._asked_of(window, until))

    def _asked(self, window: Window, digest: str | None, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            **_filters(window),
            "only": self._among,
            "digest": digest,
            "every": window.detail is Detail.COUNTS,
            "most": MAX_SLOTS + 1,
        }

    def _asked_of(self, window: Window, until: int | None = None) -> Asked:
        return {
            **_bounds(window, until),
            "source_ref": window.source_ref,
            "most": MAX_SLOTS + 1,
        }

    def hours(self, window: Window, digest: str | None) -> list[Row]:
        """Whole hours were counted before; of hours that the window cuts, slots are counted now."""
        rows = self._counted_hours(window)
        if digest is not None:
            asked = {**_bounds(window), **_filters(window), "only": self._among}
            rows += self._tx.all(
                "feed_digest_hours",
                **asked,
                digest=digest,
                every=window.detail is Detail.COUNTS,
                most=_MOST_HOURS + 1,
            )
        return rows

    def hour_count(self, window: Window, until: int) -> int:
        asked = {**_bounds(window, until), **_filters(window), "only": self._among}
        (row,) = self._tx.all("feed_hour_counts", **asked, most=_MOST_HOURS)
        return int(row[0])

    def _counted_hours(self, window: Window) -> list[Row]:
        start, end = epoch(window.start), epoch(window.end)
        first, last = -(-start // _HOUR) * _HOUR, end // _HOUR * _HOUR
        if first > last:  # all within one hour
            return self._part_of_hour(last, start, end)
        return [
            *self._part_of_hour(first - _HOUR, start, first),
            *self._tx.all(
                "feed_whole_hours",
                first=first,
                last=last,
                only=self._among,
                **_filters(window),
            ),
            *self._part_of_hour(last, last, end),
        ]

    def _part_of_hour(self, hour: int, start: int, end: int) -> list[Row]:
        if start >= end:
            return []
        return self._tx.all("feed_part_of_hour", hour=hour, start=start, end=end, only=self._among)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all(
            "feed_missed", **_bounds(window), **_missed_filters(window), only=self._among
        )

    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]:
        return self._tx.all("feed_taken", ranges=to_json(ranges))

    def version(self) -> tuple[int, float | None]:
        row = self._tx.one("feed_state")
        assert row is not None
        position, last_event_at = row
        return position, last_event_at


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
