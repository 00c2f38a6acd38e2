"""The size of a calendar answer, computed before it is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from universal_agent.domain.bounded import BoundedCache
from universal_agent.domain.calendar_facts import Window, is_counted
from universal_agent.domain.calendar_row import JobFact, Row, job_part, row_document
from universal_agent.domain.calendar_slots import HOUR, count_within, is_frequent
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.errors import WindowTooLarge

#: The largest answer about the calendar.
MAX_BYTES = 16_000_000

#: Recorded slots and jobs that are read at the most: more do not fit into an answer.
MAX_SLOTS = 40_000
MAX_JOBS = 20_000

#: Groups of missed slots that an answer lists, the oldest ones.
MAX_GROUPS = 1000

#: What an answer is planned for. The rest is for what is not counted: its head, its days.
_BUDGET = 15_000_000

#: A row of a job that is not known, an hour of a frequent job, the rest of a stasis item.
ROW_BYTES = 700
HOUR_BYTES = 90
_ITEM_BYTES = 400

#: What a run adds to a row at the most.
_RUN_BYTES = len(f'"{"r" * 32}"interrupted1234.567891') - len("nullnullnull")

#: How often a shorter window is tried before none is suggested.
_ATTEMPTS = 12

_row_bytes: BoundedCache[tuple[str, int], int] = BoundedCache(20_000)


@dataclass(frozen=True, slots=True)
class Recorded:
    """Slots that were recorded from the beginning of a window on."""

    by_job: Mapping[str, int]
    #: When the last one that was counted is, where there are more than MAX_SLOTS.
    cut_at: int | None = None
    #: Hours of frequent jobs, one for each outcome.
    hours: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """How many entries an answer would have (slots, and counts of an hour), and its bytes."""

    entries: int
    bytes: int


class SizeCheck:
    """Computes the size of a window's answer."""

    def __init__(
        self,
        window: Window,
        jobs: Mapping[str, JobFact],
        missed: Sequence[MissedRecord],
        specs: Mapping[tuple[str, int], JobSpec],
        recorded: Callable[[int], Recorded],
    ) -> None:
        """`recorded` counts slots up to an instant, exclusively."""
        self._window = window
        self._start = epoch(window.start)
        self._jobs = jobs
        self._missed = missed
        self._specs = specs
        self._recorded = recorded

    def check(self) -> None:
        """Raise WindowTooLarge, with a shorter window, when the answer would be too large."""
        size = self.size(epoch(self._window.end))
        if size.bytes > _BUDGET:
            raise too_large(self._window, size, self._shorter(size))

    def size(self, until: int) -> Size:
        """The size of the window when it ends at an instant."""
        entries, total = 0, self._stasis_bytes()
        recorded = self._recorded(until)
        counts = dict(recorded.by_job)
        coming: dict[str, int] = {}
        if recorded.cut_at is not None:
            share = max(recorded.cut_at - self._start, 1) / (until - self._start)
            counts = {job_id: round(count / share) for job_id, count in counts.items()}
        hours = recorded.hours
        for record in self._missed:
            spec = self._specs[record.source_ref, record.job_version]
            first = max(epoch(record.span.first_at), self._start)
            last = min(epoch(record.span.last_at), until - 1)
            if first > last:
                continue
            if self._is_counted(spec):
                hours += (last - first) // HOUR + 1
            else:
                missed = count_within(spec.schedule, first, last)
                counts[record.source_ref] = counts.get(record.source_ref, 0) + missed
        for job in self._jobs.values():
            if job.next_run_at is None:
                continue
            first = max(epoch(job.next_run_at), self._start)
            if first >= until:
                continue
            if self._is_counted(job.spec):
                total += row_bytes(job)
                hours += self._hours_of(job, until)
            else:
                coming[job.job_id] = count_within(job.spec.schedule, first, until - 1)
        for job_id, count in counts.items():
            found = self._jobs.get(job_id)
            entries += count
            total += count * (ROW_BYTES if found is None else row_bytes(found))
        for job_id, count in coming.items():
            entries += count
            total += count * (row_bytes(self._jobs[job_id]) - _RUN_BYTES)
        return Size(entries + hours, total + hours * HOUR_BYTES)

    def _hours_of(self, job: JobFact, until: int) -> int:
        """Hours that have slots to come; of jobs that are not frequent also those recorded."""
        schedule = job.spec.schedule
        first = self._start
        if is_frequent(schedule) and job.next_run_at is not None:
            first = max(epoch(job.next_run_at), first)
        return min((until - first) // HOUR + 1, count_within(schedule, first, until - 1))

    def _is_counted(self, spec: JobSpec) -> bool:
        return is_counted(spec, self._window)

    def _stasis_bytes(self) -> int:
        groups = {
            (record.source_ref, record.outage_id): record.source_ref
            for record in self._missed
            if record.span.status is MissedStatus.PENDING
        }
        known = (self._jobs.get(job_id) for job_id in groups.values())
        rows = (ROW_BYTES if job is None else row_bytes(job) for job in known)
        return sum(rows) + _ITEM_BYTES * len(groups)

    def _shorter(self, size: Size) -> datetime | None:
        """Where a window from the same start could end; None when none is known that is short
        enough.
        """
        length = float(epoch(self._window.end) - self._start)
        for _ in range(_ATTEMPTS):
            length *= min(0.9 * _BUDGET / size.bytes, 0.9)
            until = _rounded(self._start, int(length))
            if until <= self._start:
                return None
            size = self.size(until)
            if size.bytes <= _BUDGET:
                return from_epoch(until)
            length = float(until - self._start)
        return None


def too_large(window: Window, size: Size, end: datetime | None) -> WindowTooLarge:
    """The error for a window, with its size and the end of a shorter one."""
    narrow = "with source_ref, owner or source"
    if end is not None:
        narrow = f"with a shorter window, such as end={end.isoformat()}, or {narrow}"
    return WindowTooLarge(
        f"expected a window whose answer is at most {MAX_BYTES // 10**6} MB, got about "
        f"{size.entries:,} events and hourly counts ({size.bytes / 10**6:,.0f} MB) from "
        f"{window.start.isoformat()} to {window.end.isoformat()}. Ask for less of it: {narrow}.",
        field="end",
        details={
            "estimated_events": size.entries,
            "start": window.start.isoformat(),
            "suggested_end": None if end is None else end.isoformat(),
        },
    )


def row_bytes(job: JobFact) -> int:
    """How long a row of the job is at the most, as JSON."""
    key = job.job_id, job.version
    found = _row_bytes.get(key)
    if found is None:
        row = Row(
            2**32,
            job.spec.source,
            job.job_id,
            job.version,
            False,
            "scheduled",
            run_id="r" * 32,
            run_status="interrupted",
            duration_seconds=1234.567891,
        )
        found = len(orjson.dumps(row_document(row, job.spec, None, job_part(job.spec)))) + 120
        _row_bytes.put(key, found, 1)
    return found


def _rounded(start: int, length: int) -> int:
    """The end of a window of that length, on the whole hour or minute."""
    for unit in (HOUR, 60):
        end = (start + length) // unit * unit
        if end > start:
            return end
    return start + length
