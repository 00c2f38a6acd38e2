"""What does the store hold for a window of the calendar?

The runtime scan (V1) and the projection (V2) are two sources of the same facts. Each is a few
reads; what is made of them is the same code.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import starmap
from typing import Protocol

from universal_agent.domain.calendar import (
    CalendarFacts,
    CalendarSlot,
    HourCount,
    Window,
    taken_ranges,
)
from universal_agent.domain.calendar_row import JobFact
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.job import JobSpec
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.store.job_verbs import read_spec
from universal_agent.store.log_verbs import log_bounds
from universal_agent.store.missed_rows import missed_from_row
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Row, Tx, to_json

_HOUR = 3600


class _Tables(Protocol):
    """Where the facts are read from."""

    def jobs(self, window: Window) -> list[Row]: ...
    def jobs_named(self, refs: Iterable[str]) -> list[Row]: ...
    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]: ...
    def slots(self, window: Window) -> list[Row]: ...
    def hours(self, window: Window) -> list[Row]: ...
    def missed(self, window: Window) -> list[Row]: ...
    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]: ...
    def version(self) -> tuple[int, float | None]: ...


def scan_calendar(tx: Tx, window: Window, specs: SpecCache) -> CalendarFacts:
    """The facts of a window, read from jobs, slots, runs and missed spans."""
    return _gather(_RuntimeTables(tx, window, specs), window, specs)


def projected_calendar(
    tx: Tx, window: Window, specs: SpecCache, *, only: Collection[str] | None = None
) -> CalendarFacts:
    """The facts of a window, read from what the event log was folded into.

    `only` names the jobs that they are about; windows of a single job have no use for it.
    """
    return _gather(_Projection(tx, specs, only), window, specs)


def job_facts(tx: Tx, job_ids: Sequence[str], specs: SpecCache) -> list[JobFact]:
    rows = tx.all("calendar_jobs_named", refs=to_json(job_ids))
    return [_job_fact(row, specs) for row in rows]


def _gather(tables: _Tables, window: Window, specs: SpecCache) -> CalendarFacts:
    jobs = {row[0]: _job_fact(row, specs) for row in tables.jobs(window)}
    slots = list(starmap(CalendarSlot, tables.slots(window)))
    single = window.source_ref is not None
    hours = [] if single else [_hour_count(row) for row in tables.hours(window)]
    missed = [missed_from_row(row) for row in tables.missed(window)]
    named = {slot.source_ref for slot in slots} | {record.source_ref for record in missed}
    counted = {count.source_ref for count in hours}
    for row in tables.jobs_named(sorted((named | counted) - jobs.keys())):
        jobs[row[0]] = _job_fact(row, specs)
    missed_specs = tables.specs({(record.source_ref, record.job_version) for record in missed})
    ranges = [] if single else taken_ranges(jobs.values(), missed, missed_specs, counted)
    version, last_event_at = tables.version()
    return CalendarFacts(
        jobs=jobs,
        slots=slots,
        hours=hours,
        missed=missed,
        specs=missed_specs,
        taken=[_taken_slot(row) for row in tables.taken(ranges)] if ranges else [],
        version=version,
        last_event_at=None if last_event_at is None else from_epoch(last_event_at),
    )


class _RuntimeTables:
    """What the engine works on."""

    def __init__(self, tx: Tx, window: Window, specs: SpecCache) -> None:
        self._tx = tx
        self._specs = specs
        self._bounds = {"start": epoch(window.start), "end": epoch(window.end)}
        single = window.source_ref is not None
        #: "job version" of the versions that are counted by the hour.
        self._summed = to_json([] if single else self._frequent_versions())

    def _frequent_versions(self) -> list[str]:
        return [
            f"{job_id} {version}"
            for job_id, version, text in self._tx.all("calendar_versions", **self._bounds)
            if is_frequent(self._specs.get(text).schedule)
        ]

    def jobs(self, window: Window) -> list[Row]:
        return self._tx.all("calendar_jobs", source_ref=window.source_ref)

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("calendar_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        return {key: read_spec(self._tx, *key, self._specs) for key in versions}

    def slots(self, window: Window) -> list[Row]:
        return self._tx.all(
            "calendar_slots", **self._bounds, source_ref=window.source_ref, summed=self._summed
        )

    def hours(self, window: Window) -> list[Row]:
        return self._tx.all("calendar_hours", **self._bounds, summed=self._summed)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all("calendar_missed", **self._bounds, source_ref=window.source_ref)

    def taken(self, ranges: list[tuple[str, int, int]]) -> list[Row]:
        rows = self._tx.all("calendar_taken", ranges=to_json(ranges))
        specs = self.specs({(source_ref, version) for _, source_ref, *_, version in rows})
        return [(*row[:6], is_frequent(specs[row[1], row[6]].schedule)) for row in rows]

    def version(self) -> tuple[int, float | None]:
        newest = log_bounds(self._tx).newest_seq
        row = self._tx.one("event_time", seq=newest)
        return newest, None if row is None else row[0]


class _Projection:
    """What the projector made of the event log."""

    def __init__(self, tx: Tx, specs: SpecCache, only: Collection[str] | None) -> None:
        self._tx = tx
        self._specs = specs
        self._only = None if only is None else sorted(only)
        self._among = None if only is None else to_json(self._only)

    def jobs(self, window: Window) -> list[Row]:
        named = self._only if window.source_ref is None else [window.source_ref]
        if named is not None:
            return [row for row in self.jobs_named(named) if not row[4]]
        return self._tx.all("feed_jobs", end=epoch(window.end))

    def jobs_named(self, refs: Iterable[str]) -> list[Row]:
        return self._tx.all("feed_jobs_named", refs=to_json(refs))

    def specs(self, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], JobSpec]:
        return {
            (job_id, version): self._specs.get(text)
            for job_id, version, text in self._tx.all(
                "feed_specs", versions=to_json(list(versions))
            )
        }

    def slots(self, window: Window) -> list[Row]:
        bounds = {"start": epoch(window.start), "end": epoch(window.end)}
        if window.source_ref is None:
            return self._tx.all("feed_slots", **bounds, only=self._among)
        return self._tx.all("feed_slots_of", **bounds, source_ref=window.source_ref)

    def hours(self, window: Window) -> list[Row]:
        """Whole hours were counted before; of hours that the window cuts, slots are counted now."""
        start, end = epoch(window.start), epoch(window.end)
        first, last = -(-start // _HOUR) * _HOUR, end // _HOUR * _HOUR
        if first > last:  # all within one hour
            return self._part_of_hour(last, start, end)
        return [
            *self._part_of_hour(first - _HOUR, start, first),
            *self._tx.all("feed_whole_hours", first=first, last=last, only=self._among),
            *self._part_of_hour(last, last, end),
        ]

    def _part_of_hour(self, hour: int, start: int, end: int) -> list[Row]:
        if start >= end:
            return []
        return self._tx.all("feed_part_of_hour", hour=hour, start=start, end=end, only=self._among)

    def missed(self, window: Window) -> list[Row]:
        return self._tx.all(
            "feed_missed",
            start=epoch(window.start),
            end=epoch(window.end),
            source_ref=window.source_ref,
            only=self._among,
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


def _hour_count(row: Row) -> HourCount:
    source_ref, hour, outcome, count = row
    return HourCount(source_ref=source_ref, hour=hour, outcome=outcome, count=count)


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
