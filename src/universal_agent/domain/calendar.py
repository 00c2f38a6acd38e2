"""What stands in the calendar for a window of time?

Past slots are what was recorded, by slot identity; coming ones are the schedule from the job's
high-water mark on. Nothing depends on the clock, and nothing is capped: both feeds, the runtime
scan and the event projection, gather `CalendarFacts` and end in `build_feed`, so they cannot
differ in what they make of the same facts.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from universal_agent.domain.exceptions import MOVED
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord

LEGEND = {
    "heartbeat": "red",
    "cron": "blue",
    "missed": "amber",
    "success": "emerald",
    "failed": "rose",
    "disabled": "slate",
}

#: A job with more slots a day than this is one row with hourly counts, not a row a slot.
FREQUENT_SLOTS_A_DAY = 288

_SECOND = timedelta(seconds=1)
_HOUR = 3600

#: A week without clock changes in most zones, to tell how often a schedule comes.
_REFERENCE = datetime(2026, 1, 5, tzinfo=UTC)

_STATUS: Mapping[str, str] = {
    MOVED: "scheduled",
    RunStatus.QUEUED: "scheduled",
    RunStatus.RUNNING: "running",
    RunStatus.SUCCESS: "success",
    RunStatus.ERROR: "failed",
    RunStatus.TIMEOUT: "failed",
    RunStatus.CANCELLED: "failed",
    RunStatus.INTERRUPTED: "missed",
    RunStatus.SKIPPED: "disabled",
}

_MISSED_ACTIONS = ["approve_backfill_run", "reschedule", "delete_missed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFact:
    """A job as the calendar knows it."""

    job_id: str
    version: int
    spec: JobSpec
    #: The next slot not yet decided; None when none is expected.
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSlot:
    """A recorded slot and its last attempt."""

    source: str
    source_ref: str
    scheduled_at: int
    #: A RunStatus, or `missed` for a slot that was admitted and could not start.
    outcome: str
    reason: str | None
    run_id: str | None
    #: It is accounted for by a missed span.
    missed: bool
    duration_seconds: float | None
    #: When a slot that was moved is to start.
    moved_to: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HourCount:
    """How many recorded slots of a frequent job in one hour had an outcome."""

    source_ref: str
    hour: int
    outcome: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFacts:
    """Everything the calendar needs for one window, from one snapshot."""

    #: Jobs by id, deleted ones with recorded slots included (they expect no further slot).
    jobs: Mapping[str, JobFact]
    slots: Sequence[CalendarSlot]
    hours: Sequence[HourCount]
    #: Missed spans that touch the window, and every pending one.
    missed: Sequence[MissedRecord]
    #: Specs of the job versions that missed spans name.
    specs: Mapping[tuple[str, int], JobSpec]
    #: Calendar-changing events in the log up to the snapshot.
    version: int
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Half open: slots at `start` are in it, slots at `end` are not."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    #: Serve this one job's slots singly, however frequent it is.
    source_ref: str | None = None
    owner_id: str | None = None
    include_resolved: bool = False

    def holds(self, at: int) -> bool:
        """Whether an epoch lies in it."""
        return epoch(self.start) <= at < epoch(self.end)

    def clip(self, first: datetime, last: datetime) -> tuple[datetime, datetime]:
        """(after, until] of the part of [first, last] that lies in it."""
        return (
            max(first, self.start) - _SECOND,
            min(last, self.end - _SECOND),
        )


@dataclass(slots=True)
class Feed:
    """The three lists of the calendar feed."""

    events: list[dict[str, Any]] = field(default_factory=list)
    always_running: list[dict[str, Any]] = field(default_factory=list)
    stasis_queue: list[dict[str, Any]] = field(default_factory=list)


@lru_cache(maxsize=50_000)
def is_frequent(schedule: Schedule) -> bool:
    """Whether the schedule has more than 288 slots on the busiest day of a week."""
    days = (_REFERENCE + timedelta(days=n) for n in range(7))
    return any(
        schedule.count(day - _SECOND, day + timedelta(days=1) - _SECOND) > FREQUENT_SLOTS_A_DAY
        for day in days
    ) or _comes_later_but_often(schedule)


def _comes_later_but_often(schedule: Schedule) -> bool:
    """An interval anchored after the reference week has no slots in it to count."""
    first = schedule.next_after(_REFERENCE + timedelta(days=7))
    if first is None:
        return False
    return schedule.count(first - _SECOND, first + timedelta(days=1) - _SECOND) > (
        FREQUENT_SLOTS_A_DAY
    )


def status_of(outcome: str) -> str:
    """The calendar's status of a recorded outcome."""
    return _STATUS.get(outcome, "missed")


def build_feed(facts: CalendarFacts, window: Window) -> Feed:
    """The feed that the facts make."""
    return _Builder(facts, window).build()


class _Builder:
    """One feed in the making."""

    def __init__(self, facts: CalendarFacts, window: Window) -> None:
        self._facts = facts
        self._window = window
        self._parts: dict[str, dict[str, Any]] = {}
        self._spans: dict[str, list[MissedRecord]] = {}
        for record in facts.missed:
            self._spans.setdefault(record.source_ref, []).append(record)

    def build(self) -> Feed:
        feed = Feed()
        recorded = {(slot.source_ref, slot.scheduled_at) for slot in self._facts.slots}
        rows = [*self._recorded(), *self._missed(recorded), *self._coming(recorded)]
        rows.sort(key=lambda row: (row["scheduled_at_epoch"], row["source"], row["source_ref"]))
        feed.events = rows
        feed.always_running = [
            self._frequent_row(job)
            for job in sorted(self._facts.jobs.values(), key=lambda job: job.job_id)
            if self._is_summed(job) and self._is_shown(job)
        ]
        feed.stasis_queue = self._stasis()
        return feed

    # -- which jobs

    def _is_shown(self, job: JobFact) -> bool:
        window = self._window
        if window.source_ref is not None and job.job_id != window.source_ref:
            return False
        return window.owner_id is None or job.spec.user_id == window.owner_id

    def _is_summed(self, job: JobFact) -> bool:
        """Whether its slots are counted by the hour instead of listed."""
        return self._window.source_ref is None and is_frequent(job.spec.schedule)

    def _listed(self, source_ref: str) -> JobFact | None:
        job = self._facts.jobs.get(source_ref)
        if job is None or not self._is_shown(job) or self._is_summed(job):
            return None
        return job

    # -- rows

    def _recorded(self) -> Iterator[dict[str, Any]]:
        for slot in self._facts.slots:
            job = self._listed(slot.source_ref)
            if job is None or not self._window.holds(slot.scheduled_at):
                continue
            unrun = slot.outcome in (RunStatus.INTERRUPTED, "missed")
            if slot.missed and unrun:
                span = self._span_of(slot.source_ref, slot.scheduled_at)
                if span is not None and not self._shows(span):
                    continue
            status = status_of(slot.outcome)
            yield self._row(
                job,
                slot.scheduled_at,
                status,
                run_id=slot.run_id,
                run_status=slot.outcome,
                reason=slot.reason,
                duration_seconds=slot.duration_seconds,
                moved_to=slot.moved_to,
            )

    def _missed(self, recorded: Container[tuple[str, int]]) -> Iterator[dict[str, Any]]:
        for record in self._facts.missed:
            job = self._listed(record.source_ref)
            if job is None or not self._shows(record):
                continue
            schedule = self._schedule(record)
            for slot in schedule.slots(*self._window.clip(*_ends(record))):
                at = epoch(slot)
                if (record.source_ref, at) not in recorded:
                    skipped = record.span.status is MissedStatus.SKIPPED
                    yield self._row(
                        job,
                        at,
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
        return self._window.include_resolved or status in (
            MissedStatus.PENDING,
            MissedStatus.SKIPPED,
        )

    def _coming(self, recorded: Container[tuple[str, int]]) -> Iterator[dict[str, Any]]:
        for job in self._facts.jobs.values():
            if job.next_run_at is None or self._listed(job.job_id) is None:
                continue
            after, until = self._window.clip(job.next_run_at, self._window.end)
            for slot in job.spec.schedule.slots(after, until):
                at = epoch(slot)
                if (job.job_id, at) not in recorded:  # skipped, moved or run early
                    yield self._row(job, at, "scheduled")

    def _row(
        self,
        job: JobFact,
        at: int,
        status: str,
        *,
        run_id: str | None = None,
        run_status: str | None = None,
        reason: str | None = None,
        duration_seconds: float | None = None,
        resolution: str | None = None,
        moved_to: float | None = None,
    ) -> dict[str, Any]:
        utc = from_epoch(at)
        part = self._parts.get(job.job_id)
        if part is None:
            part = self._parts[job.job_id] = _job_part(job.spec, self._window.zone)
        row = {
            "event_id": f"cron|{job.job_id}|{at}",
            "source": "cron",
            "source_ref": job.job_id,
            **part,
            "color_key": status if status in LEGEND else "cron",
            "status": status,
            "scheduled_at_epoch": at,
            "scheduled_at_utc": utc.isoformat(),
            "scheduled_at_local": utc.astimezone(self._window.zone).isoformat(),
            "always_running": False,
            "running": status == "running",
            "actions": _actions(job, status, run_id),
            "run_id": run_id,
            "run_status": run_status,
            "reason": reason,
            "duration_seconds": duration_seconds,
        }
        if resolution is not None:
            row["resolution"] = resolution
        if moved_to is not None:
            row["moved_to_utc"] = from_epoch(moved_to).isoformat()
        return row

    # -- frequent jobs

    def _frequent_row(self, job: JobFact) -> dict[str, Any]:
        next_run_at = job.next_run_at
        counts = self._hours_of(job)
        return {
            "source": "cron",
            "source_ref": job.job_id,
            **_job_part(job.spec, self._window.zone),
            "color_key": "cron",
            "status": "scheduled" if job.spec.enabled else "disabled",
            "always_running": True,
            "actions": _actions(job, "scheduled", None),
            "next_run_at_utc": None if next_run_at is None else next_run_at.isoformat(),
            "hourly": [
                {"start_utc": from_epoch(hour).isoformat(), "counts": dict(sorted(found.items()))}
                for hour, found in sorted(counts.items())
            ],
        }

    def _hours_of(self, job: JobFact) -> dict[int, Counter[str]]:
        hours: dict[int, Counter[str]] = {}

        def add(hour: int, status: str, count: int) -> None:
            if count:
                hours.setdefault(hour, Counter())[status] += count

        for fact in self._facts.hours:
            if fact.source_ref == job.job_id:
                add(fact.hour, status_of(fact.outcome), fact.count)
        for record in self._spans.get(job.job_id, ()):
            if self._shows(record) and record.cause != "interrupted":
                schedule = self._schedule(record)
                for hour, count in _by_hour(schedule, *self._window.clip(*_ends(record))):
                    add(hour, "missed", count)
        if job.next_run_at is not None:
            clip = self._window.clip(job.next_run_at, self._window.end)
            for hour, count in _by_hour(job.spec.schedule, *clip):
                add(hour, "scheduled", count)
        return hours

    # -- stasis

    def _stasis(self) -> list[dict[str, Any]]:
        groups: dict[tuple[str, str], list[MissedRecord]] = {}
        for record in self._facts.missed:
            job = self._facts.jobs.get(record.source_ref)
            if (
                record.span.status is MissedStatus.PENDING
                and job is not None
                and self._is_shown(job)
            ):
                groups.setdefault((record.source_ref, record.outage_id), []).append(record)
        items = [self._item(records) for records in groups.values()]
        return sorted(items, key=lambda item: (item["created_at"], item["event_id"]))

    def _item(self, records: list[MissedRecord]) -> dict[str, Any]:
        latest = max(records, key=lambda record: record.span.last_at)
        job = self._facts.jobs[latest.source_ref]
        useful_until = latest.useful_until
        run_status = "interrupted" if latest.cause == "interrupted" else None
        return {
            "event_id": latest.event_id,
            "status": latest.span.status,
            "created_at": min(record.created_at for record in records).isoformat(),
            "updated_at": max(record.updated_at for record in records).isoformat(),
            "event": self._row(
                job,
                epoch(latest.span.last_at),
                "missed",
                run_status=run_status,
                reason=latest.cause,
            ),
            "group": {
                "count": sum(record.span.count for record in records),
                "first_scheduled_at_utc": min(r.span.first_at for r in records).isoformat(),
                "last_scheduled_at_utc": latest.span.last_at.isoformat(),
            },
            "cause": latest.cause,
            "outage_id": latest.outage_id,
            "useful_until_utc": None if useful_until is None else useful_until.isoformat(),
            "changed_since": job.version != latest.job_version,
        }

    def _span_of(self, source_ref: str, at: int) -> MissedRecord | None:
        slot = from_epoch(at)
        return next((r for r in self._spans.get(source_ref, ()) if r.holds(slot)), None)

    def _schedule(self, record: MissedRecord) -> Schedule:
        return self._facts.specs[record.source_ref, record.job_version].schedule


def _ends(record: MissedRecord) -> tuple[datetime, datetime]:
    return record.span.first_at, record.span.last_at


def _job_part(spec: JobSpec, zone: ZoneInfo) -> dict[str, Any]:
    """What every row of a job has in common."""
    return {
        "owner_id": spec.user_id,
        "session_id": spec.session_id,
        "channel": spec.metadata.get("channel"),
        "title": spec.display_title,
        "description": spec.schedule.describe(),
        "category": spec.priority,
        "timezone_display": zone.key,
    }


def _actions(job: JobFact, status: str, run_id: str | None) -> list[str]:
    if status == "missed":
        actions = list(_MISSED_ACTIONS)
    else:
        actions = ["run_now", "pause" if job.spec.enabled else "resume", "disable"]
    if run_id is not None or status == "missed":
        actions.append("open_logs")
    if job.spec.session_id is not None:
        actions.append("open_session")
    return actions


def _by_hour(schedule: Schedule, after: datetime, until: datetime) -> Iterable[tuple[int, int]]:
    """(hour, slots) of (after, until], hours as epochs of their beginning."""
    first, last = epoch(after) + 1, epoch(until)
    for hour in range(first - first % _HOUR, last + 1, _HOUR):
        start, end = max(first, hour), min(last, hour + _HOUR - 1)
        yield hour, _count(schedule, start - 1, end)


@lru_cache(maxsize=200_000)
def _count(schedule: Schedule, after: int, until: int) -> int:
    return schedule.count(from_epoch(after), from_epoch(until))
