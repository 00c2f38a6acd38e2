"""The facts of a calendar window, and the window itself."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from universal_agent.domain.calendar_row import JobFact
from universal_agent.domain.calendar_slots import comes_often, is_frequent
from universal_agent.domain.job import JobSpec
from universal_agent.domain.slot import Source, epoch
from universal_agent.domain.stasis import MissedRecord

#: Later than every slot.
FOREVER = 2**53


class CalendarSlot(NamedTuple):
    """A recorded slot and its last attempt."""

    source: str
    source_ref: str
    scheduled_at: int
    #: A RunStatus, `moved`, or `missed` for a slot that was admitted and could not start.
    outcome: str
    reason: str | None
    run_id: str | None
    duration_seconds: float | None
    #: When a slot that was moved is to start.
    moved_to: float | None = None
    #: It is counted by the hour: its version is frequent.
    summed: bool = False


@dataclass(frozen=True, slots=True)
class HourCount:
    """Recorded slots of a job with one outcome, in one hour of the window."""

    source_ref: str
    hour: int
    outcome: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarFacts:
    """Everything the calendar needs for one window, from one snapshot."""

    #: Jobs that may expect slots in the window, the frequent ones, and all that others name.
    jobs: Mapping[str, JobFact]
    #: Recorded slots in the window; of frequent versions only where the window names the job.
    slots: Sequence[CalendarSlot]
    hours: Sequence[HourCount]
    #: Missed spans that touch the window, and every pending one.
    missed: Sequence[MissedRecord]
    #: Specs of the job versions that missed spans name.
    specs: Mapping[tuple[str, int], JobSpec]
    #: Recorded slots within `taken_ranges`.
    taken: Sequence[CalendarSlot]
    #: The seq of the newest event that the facts are made of.
    version: int
    last_event_at: datetime | None


class Detail(StrEnum):
    """What is listed slot by slot. The rest is counted by the hour."""

    #: Everything but jobs with more than 288 slots a day.
    ALL = "all"
    #: Jobs that come at most every quarter of an hour.
    SUMMARY = "summary"
    #: Jobs that come at most once a day.
    DAILY = "daily"
    #: Nothing.
    COUNTS = "counts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Half open: slots at `start` are in it, slots at `end` are not."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    #: List this one job's slots one by one, however frequent it is.
    source_ref: str | None = None
    owner_id: str | None = None
    source: Source | None = None
    include_resolved: bool = False
    detail: Detail = Detail.ALL


def is_counted(spec: JobSpec, window: Window) -> bool:
    """Whether a job's slots are counted by the hour instead of listed."""
    if window.source_ref is not None:
        return False
    match window.detail:
        case Detail.ALL:
            return is_frequent(spec.schedule)
        case Detail.SUMMARY:
            return spec.source is Source.HEARTBEAT or comes_often(spec.schedule)
        case Detail.DAILY:
            return spec.source is Source.HEARTBEAT or comes_often(spec.schedule, 1)
        case Detail.COUNTS:
            return True


def taken_ranges(
    jobs: Iterable[JobFact],
    missed: Iterable[MissedRecord],
    specs: Mapping[tuple[str, int], JobSpec],
    counted: Container[str],
) -> list[tuple[str, int, int]]:
    """(job, first, last] of where recorded slots may be that arithmetic on a schedule also has.

    There are few: a slot skipped in advance, one admitted before it was missed, one that another
    version of the job ran early. Only jobs whose slots are counted by the hour, now or (`counted`)
    formerly, matter.
    """
    ranges = [
        (job.job_id, epoch(job.next_run_at), FOREVER)
        for job in jobs
        if job.next_run_at is not None and (job.job_id in counted or is_frequent(job.spec.schedule))
    ]
    ranges += [
        (record.source_ref, epoch(record.span.first_at), epoch(record.span.last_at))
        for record in missed
        if record.source_ref in counted
        or is_frequent(specs[record.source_ref, record.job_version].schedule)
    ]
    return ranges
