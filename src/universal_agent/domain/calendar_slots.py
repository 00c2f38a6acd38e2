"""How often does a schedule come, and when, within a window of the calendar?

What was worked out is kept: a calendar is looked at again and again, and its schedules rarely
change. Of frequent schedules nothing is kept but counts.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from universal_agent.domain.calendar_row import JobFact, Row
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import Source, epoch, from_epoch

#: A job with more slots a day than this is one row with hourly counts, not a row a slot.
FREQUENT_SLOTS_A_DAY = 288

HOUR = 3600

_SECOND = timedelta(seconds=1)
_DAY = 86_400

#: A week without clock changes in most zones, to tell how often a schedule comes.
_REFERENCE = datetime(2026, 1, 5, tzinfo=UTC)


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


def slots_within(schedule: Schedule, first: int, last: int) -> Sequence[int]:
    """The slots in [first, last], as epochs; worked out once for the days that it touches."""
    if first > last:
        return ()
    if is_frequent(schedule):
        return _expand(schedule, first, last)
    days = _slots_of_days(schedule, first // _DAY, last // _DAY)
    return days[bisect_left(days, first) : bisect_right(days, last)]


@lru_cache(maxsize=8192)
def _slots_of_days(schedule: Schedule, first: int, last: int) -> "array[int]":
    return _expand(schedule, first * _DAY, (last + 1) * _DAY - 1)


@lru_cache(maxsize=8192)
def _rows_of_days(
    source: Source, job_id: str, version: int, schedule: Schedule, first: int, last: int
) -> tuple["array[int]", list[Row]]:
    """Rows of slots to come: the same ones again while the job is not edited."""
    days = _slots_of_days(schedule, first, last)
    return days, [Row(at, source, job_id, version, False, "scheduled") for at in days]


def rows_to_come(job: JobFact, first: int, last: int) -> Sequence[Row]:
    """A row for each slot in [first, last] that the job expects."""
    source, schedule = job.spec.source, job.spec.schedule
    if is_frequent(schedule):
        expected = _expand(schedule, first, last)
        return [Row(at, source, job.job_id, job.version, False, "scheduled") for at in expected]
    days, rows = _rows_of_days(
        source, job.job_id, job.version, schedule, first // _DAY, last // _DAY
    )
    return rows[bisect_left(days, first) : bisect_right(days, last)]


def _expand(schedule: Schedule, first: int, last: int) -> "array[int]":
    return array("q", map(epoch, schedule.slots(from_epoch(first - 1), from_epoch(last))))


def slots_by_hour(schedule: Schedule, first: int, last: int) -> Iterable[tuple[int, int]]:
    """(hour, slots) of [first, last], hours as epochs of their beginning."""
    if first > last:
        return
    for hour in range(first - first % HOUR, last + 1, HOUR):
        yield hour, _count(schedule, max(first, hour) - 1, min(last, hour + HOUR - 1))


@lru_cache(maxsize=100_000)
def _count(schedule: Schedule, after: int, until: int) -> int:
    return schedule.count(from_epoch(after), from_epoch(until))
