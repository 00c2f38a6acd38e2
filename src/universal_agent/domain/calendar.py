"""The calendar of a window of time, built from facts.

Past slots come from the records, by slot identity; future ones from the schedule after the job's
high-water mark. Nothing depends on the clock and nothing is capped. Both feeds, the runtime scan
and the event projection, gather `CalendarFacts` and call `build_feed`, so equal facts give equal
feeds.

A job version with more than 288 slots a day is frequent: its slots are counted by the hour and
never read one by one. A session's beats are always counted by the hour; those that are not frequent
are listed too.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any

from universal_agent.domain.calendar_facts import (
    FOREVER,
    CalendarFacts,
    CalendarSlot,
    HourCount,
    Window,
    is_counted,
)
from universal_agent.domain.calendar_row import FrequentRow, JobFact, Row, stasis_order, status_of
from universal_agent.domain.calendar_slots import (
    HOUR,
    is_frequent,
    rows_to_come,
    slots_by_hour,
    slots_within,
)
from universal_agent.domain.job import OnMiss
from universal_agent.domain.judge import UNDECIDED, MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import Source, epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord

#: Outcomes of recorded slots that have not ended on their own.
_UNRUN = (RunStatus.INTERRUPTED, "missed")


@dataclass(slots=True)
class Feed:
    """The calendar of a window."""

    rows: list[Row] = field(default_factory=list)
    always_running: list[FrequentRow] = field(default_factory=list)
    #: Pending decisions: the row of the latest slot, and the rest of the item.
    stasis: list[tuple[Row, dict[str, Any]]] = field(default_factory=list)
    #: The jobs that its rows are of.
    jobs: Mapping[str, JobFact] = field(default_factory=dict)
    #: The seq of the newest event that it is made of.
    version: int = 0
    last_event_at: datetime | None = None

    def with_jobs(self, job_ids: Container[str], part: "Feed") -> "Feed":
        """A copy with the rows of these jobs taken from `part`, which has no other jobs."""
        kept = {job_id: job for job_id, job in self.jobs.items() if job_id not in job_ids}
        jobs = {**kept, **part.jobs}
        return Feed(
            rows=sorted(
                [row for row in self.rows if row.source_ref not in job_ids] + part.rows,
                key=_ROW_ORDER,
            ),
            always_running=sorted(
                [row for row in self.always_running if row.source_ref not in job_ids]
                + part.always_running,
                key=_FREQUENT_ORDER,
            ),
            stasis=sorted(
                [item for item in self.stasis if item[0].source_ref not in job_ids] + part.stasis,
                key=partial(stasis_order, jobs),
            ),
            jobs=jobs,
            version=part.version,
            last_event_at=part.last_event_at,
        )


_ROW_ORDER = itemgetter(0, 1, 2)
_FREQUENT_ORDER = attrgetter("source_ref")


# -- the feed


def build_feed(facts: CalendarFacts, window: Window) -> Feed:
    """The feed of these facts."""
    return _Builder(facts, window).build()


class _Builder:
    """Builds one feed."""

    def __init__(self, facts: CalendarFacts, window: Window) -> None:
        self._facts = facts
        self._window = window
        self._start, self._end = epoch(window.start), epoch(window.end)
        #: Jobs whose slots are not listed.
        self._counted = {
            job_id for job_id, job in facts.jobs.items() if is_counted(job.spec, window)
        }
        #: One object per distinct set of counts: most hours of a job are equal.
        self._counts: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}
        #: From where on a job's slots are not decided.
        self._marks = {
            job_id: epoch(job.next_run_at)
            for job_id, job in facts.jobs.items()
            if job.next_run_at is not None
        }
        self._spans: dict[str, list[MissedRecord]] = {}
        for record in facts.missed:
            self._spans.setdefault(record.source_ref, []).append(record)
        self._hours: dict[str, list[HourCount]] = {}
        for count in facts.hours:
            self._hours.setdefault(count.source_ref, []).append(count)
        self._taken: dict[str, dict[int, CalendarSlot]] = {}
        for slot in facts.taken:
            self._taken.setdefault(slot.source_ref, {})[slot.scheduled_at] = slot

    def build(self) -> Feed:
        recorded = self._decided_out_of_turn()
        rows = [*self._recorded(), *self._missed(recorded), *self._coming(recorded)]
        rows.sort(key=_ROW_ORDER)
        return Feed(
            rows=rows,
            always_running=list(self._always_running(rows)),
            stasis=self._stasis(),
            jobs=self._facts.jobs,
            version=self._facts.version,
            last_event_at=self._facts.last_event_at,
        )

    def _decided_out_of_turn(self) -> set[tuple[str, int]]:
        """Recorded slots that are also in spans, or that the schedule still has ahead."""
        marks, spans = self._marks, self._spans
        return {
            (slot.source_ref, slot.scheduled_at)
            for slot in (*self._facts.slots, *self._facts.taken)
            if slot.scheduled_at >= marks.get(slot.source_ref, FOREVER) or slot.source_ref in spans
        }

    # -- which jobs

    def _shown(self, source_ref: str) -> JobFact | None:
        """The job, when the window is about it."""
        job = self._facts.jobs.get(source_ref)
        window = self._window
        if (
            job is None
            or (window.source_ref is not None and source_ref != window.source_ref)
            or (window.owner_id is not None and job.spec.user_id != window.owner_id)
            or (window.source is not None and job.spec.source is not window.source)
        ):
            return None
        return job

    def _is_summed(self, record: MissedRecord) -> bool:
        """Whether the span's slots are counted by the hour instead of listed."""
        return is_counted(self._facts.specs[record.source_ref, record.job_version], self._window)

    # -- rows

    def _recorded(self) -> Iterator[Row]:
        shown = {job_id: self._shown(job_id) for job_id in self._facts.jobs}
        for slot in self._facts.slots:
            job = shown.get(slot.source_ref)
            if job is None:
                continue
            span = self._span_of(slot) if slot.outcome in _UNRUN else None
            if span is not None and not self._shows(span):
                continue
            yield Row(
                slot.scheduled_at,
                slot.source,
                slot.source_ref,
                job.version,
                job.deleted,
                status_of(slot.outcome),
                slot.run_id,
                slot.outcome,
                slot.reason,
                slot.duration_seconds,
                None if span is None else span.span.status,
                slot.moved_to,
            )

    def _is_hidden(self, slot: CalendarSlot) -> bool:
        """Whether it did not run, and that was resolved."""
        if slot.outcome not in _UNRUN:
            return False
        span = self._span_of(slot)
        return span is not None and not self._shows(span)

    def _span_of(self, slot: CalendarSlot) -> MissedRecord | None:
        """The span that has the slot: where it was missed twice, the one that is open, or last."""
        at = from_epoch(slot.scheduled_at)
        spans = [span for span in self._spans.get(slot.source_ref, ()) if span.holds(at)]
        return max(
            spans,
            key=lambda r: (r.span.status in UNDECIDED, r.created_at, r.missed_id),
            default=None,
        )

    def _missed(self, recorded: set[tuple[str, int]]) -> Iterator[Row]:
        for record in self._facts.missed:
            job = self._shown(record.source_ref)
            schedule = self._schedule(record)
            if job is None or not self._shows(record) or self._is_summed(record):
                continue
            skipped = record.span.status is MissedStatus.SKIPPED
            for at in slots_within(schedule, *self._clip(record)):
                if (record.source_ref, at) not in recorded:
                    yield Row(
                        at,
                        record.source,
                        record.source_ref,
                        job.version,
                        job.deleted,
                        "disabled" if skipped else "missed",
                        run_status="skipped" if skipped else None,
                        reason="on_miss" if skipped else record.cause,
                        resolution=record.span.status,
                    )

    def _shows(self, record: MissedRecord) -> bool:
        """What was resolved without a run is left out, unless it is asked for."""
        status = record.span.status
        if status is MissedStatus.APPROVED_AND_RUN:
            return False  # the slot itself shows its run
        if self._window.include_resolved or status in (*UNDECIDED, MissedStatus.SKIPPED):
            return True
        # Nobody decided about a missed beat that the next one made up for: it stays a missed slot.
        return status is MissedStatus.SUPERSEDED and self._is_made_up_for(record)

    def _is_made_up_for(self, record: MissedRecord) -> bool:
        spec = self._facts.specs[record.source_ref, record.job_version]
        return spec.policy.on_miss is OnMiss.NEXT_BEAT

    def _coming(self, recorded: set[tuple[str, int]]) -> Iterator[Row]:
        # Slots after the mark that were decided all the same: skipped, moved or run early.
        ahead = {ref for ref, at in recorded if at >= self._marks.get(ref, FOREVER)}
        for job_id, mark in self._marks.items():
            first = max(mark, self._start)
            job = self._shown(job_id) if first < self._end else None
            if job is None or job_id in self._counted:
                continue
            rows = rows_to_come(job, first, self._end - 1)
            if job_id in ahead:
                rows = [row for row in rows if (job_id, row.at) not in recorded]
            yield from rows

    # -- frequent jobs

    def _always_running(self, rows: Iterable[Row]) -> Iterator[FrequentRow]:
        if self._window.source_ref is not None:
            return
        beats = self._listed_beats(rows)
        for job_id in sorted(self._facts.jobs):
            constant = self._is_constant(job_id)
            if not (
                constant
                or job_id in self._counted
                or job_id in self._hours
                or job_id in self._spans
            ):
                continue
            job = self._shown(job_id)
            if job is None:
                continue
            hours = self._hours_of(job)
            for hour, counts in beats.get(job_id, {}).items():
                hours[hour] = hours.get(hour, Counter()) + counts
            if hours or (constant and not job.deleted):
                yield self._frequent_row(job, hours)

    def _is_constant(self, job_id: str) -> bool:
        """Whether it has a row even without a slot in the window."""
        return is_frequent(self._facts.jobs[job_id].spec.schedule) or self._has_beats(job_id)

    def _has_beats(self, job_id: str) -> bool:
        return self._facts.jobs[job_id].spec.source is Source.HEARTBEAT

    def _listed_beats(self, rows: Iterable[Row]) -> dict[str, dict[int, Counter[str]]]:
        """The beats that are listed, counted by session, hour and status."""
        beats: dict[str, dict[int, Counter[str]]] = {}
        if not any(map(self._has_beats, self._facts.jobs)):
            return beats
        for row in rows:
            if row.source == Source.HEARTBEAT:
                hours = beats.setdefault(row.source_ref, {})
                hours.setdefault(row.at - row.at % HOUR, Counter())[row.status] += 1
        return beats

    def _frequent_row(self, job: JobFact, hours: Mapping[int, Counter[str]]) -> FrequentRow:
        def shared(counts: Counter[str]) -> Mapping[str, int]:
            key = tuple(sorted(counts.items()))
            return self._counts.setdefault(key, dict(key))

        listed = [(hour, shared(counts)) for hour, counts in sorted(hours.items())]
        return FrequentRow(job, self._next_run_at(job), listed)

    def _next_run_at(self, job: JobFact) -> datetime | None:
        """The next slot that nobody has decided yet."""
        slot, taken = job.next_run_at, self._taken.get(job.job_id, ())
        while slot is not None and epoch(slot) in taken:
            slot = job.spec.schedule.next_after(slot)
        return slot

    def _hours_of(self, job: JobFact) -> dict[int, Counter[str]]:
        """The slots of the job's frequent versions, counted: recorded, missed and to come."""
        hours: dict[int, Counter[str]] = {}

        def add(hour: int, status: str, count: int) -> None:
            hours.setdefault(hour, Counter())[status] += count

        def add_slots(schedule: Schedule, first: int, last: int, status: str) -> None:
            for hour, count in slots_by_hour(schedule, first, last):
                add(hour, status, count)
            for at in taken:
                if first <= at <= last:
                    add(at - at % HOUR, status, -1)

        taken = self._taken.get(job.job_id, {})
        for fact in self._hours.get(job.job_id, ()):
            add(fact.hour, status_of(fact.outcome), fact.count)
        for slot in taken.values():
            in_window = self._start <= slot.scheduled_at < self._end
            if slot.summed and in_window and self._is_hidden(slot):
                add(slot.scheduled_at - slot.scheduled_at % HOUR, status_of(slot.outcome), -1)
        for record in self._spans.get(job.job_id, ()):
            schedule = self._schedule(record)
            if self._is_summed(record) and self._shows(record):
                skipped = record.span.status is MissedStatus.SKIPPED
                add_slots(schedule, *self._clip(record), "disabled" if skipped else "missed")
        if job.job_id in self._counted:
            first = max(self._marks.get(job.job_id, FOREVER), self._start)
            add_slots(job.spec.schedule, first, self._end - 1, "scheduled")
        return {hour: left for hour, counts in hours.items() if (left := +counts)}

    # -- stasis

    def _stasis(self) -> list[tuple[Row, dict[str, Any]]]:
        groups: dict[tuple[str, str], list[MissedRecord]] = {}
        for record in self._facts.missed:
            if record.span.status is MissedStatus.PENDING and self._shown(record.source_ref):
                groups.setdefault((record.source_ref, record.outage_id), []).append(record)
        items = [self._item(records) for records in groups.values()]
        return sorted(items, key=partial(stasis_order, self._facts.jobs))

    def _item(self, records: list[MissedRecord]) -> tuple[Row, dict[str, Any]]:
        latest = max(records, key=lambda r: (r.span.last_at, r.created_at, r.missed_id))
        job = self._facts.jobs[latest.source_ref]
        useful_until = latest.useful_until
        row = Row(
            epoch(latest.span.last_at),
            latest.source,
            job.job_id,
            job.version,
            job.deleted,
            "missed",
            run_status="interrupted" if latest.cause == "interrupted" else None,
            reason=latest.cause,
        )
        return row, {
            "event_id": latest.event_id,
            "status": latest.span.status,
            "created_at": min(record.created_at for record in records).isoformat(),
            "updated_at": max(record.updated_at for record in records).isoformat(),
            "group": {
                "count": sum(record.span.count for record in records),
                "first_scheduled_at_utc": min(r.span.first_at for r in records).isoformat(),
                "last_scheduled_at_utc": latest.span.last_at.isoformat(),
            },
            "cause": latest.cause,
            "held_by": latest.held_by,
            "outage_id": latest.outage_id,
            "useful_until_utc": None if useful_until is None else useful_until.isoformat(),
            "changed_since": job.version != latest.job_version,
        }

    def _clip(self, record: MissedRecord) -> tuple[int, int]:
        """The part of the span that lies in the window; empty when the first is greater."""
        span = record.span
        return max(epoch(span.first_at), self._start), min(epoch(span.last_at), self._end - 1)

    def _schedule(self, record: MissedRecord) -> Schedule:
        return self._facts.specs[record.source_ref, record.job_version].schedule
