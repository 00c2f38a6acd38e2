"""Slots of a schedule within a calendar window, and their number.

Results are cached, because calendars are read often and schedules rarely change. Only counts of
frequent schedules are cached.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from universal_agent.domain.bounded import BoundedCache
from universal_agent.domain.calendar_row import JobFact, Row
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import Source, epoch, from_epoch

#: A job with more slots a day than this is one row with hourly counts, not a row a slot.
FREQUENT_SLOTS_A_DAY = 288

HOUR = 3600

_SECOND = timedelta(seconds=1)
_DAY = 86_400

#: A week without clock changes in most zones, in which slots per day are counted.
_REFERENCE = datetime(2026, 1, 5, tzinfo=UTC)


#: A calendar program shows a job with more slots a day than this as one entry a day.
OFTEN_SLOTS_A_DAY = 96

#: Cached slots, as epochs, and cached rows of slots to come.
_slots_of_days: BoundedCache[tuple[Schedule, int, int], "array[int]"] = BoundedCache(300_000)
_rows_of_days: BoundedCache[
    tuple[Source, str, int, Schedule, int, int], tuple["array[int]", list[Row]]
] = BoundedCache(10_000)


def is_frequent(schedule: Schedule) -> bool:
    """Whether the schedule has more than 288 slots on the busiest day of a week."""
    return _busiest_day(schedule) > FREQUENT_SLOTS_A_DAY


def comes_often(schedule: Schedule, slots_a_day: int = OFTEN_SLOTS_A_DAY) -> bool:
    """Whether the schedule has more slots on the busiest day than a calendar program lists."""
    return _busiest_day(schedule) > slots_a_day


@lru_cache(maxsize=50_000)
def _busiest_day(schedule: Schedule) -> int:
    days = (_REFERENCE + timedelta(days=n) for n in range(7))
    most = max(schedule.count(day - _SECOND, day + timedelta(days=1) - _SECOND) for day in days)
    # An interval anchored after the reference week has no slots in it to count.
    first = schedule.next_after(_REFERENCE + timedelta(days=7))
    if first is None:
        return most
    return max(most, schedule.count(first - _SECOND, first + timedelta(days=1) - _SECOND))


def slots_within(schedule: Schedule, first: int, last: int) -> Sequence[int]:
    """The slots in [first, last], as epochs; computed once per day that it touches."""
    if first > last:
        return ()
    if is_frequent(schedule):
        return _expand(schedule, first, last)
    days = _expanded_days(schedule, first // _DAY, last // _DAY)
    return days[bisect_left(days, first) : bisect_right(days, last)]


def _expanded_days(schedule: Schedule, first: int, last: int) -> "array[int]":
    key = schedule, first, last
    days = _slots_of_days.get(key)
    if days is None:
        days = _expand(schedule, first * _DAY, (last + 1) * _DAY - 1)
        _slots_of_days.put(key, days, len(days) + 1)
    return days


def count_within(schedule: Schedule, first: int, last: int) -> int:
    """How many slots lie in [first, last], without going through them."""
    if first > last:
        return 0
    return schedule.count(from_epoch(first - 1), from_epoch(last))


def rows_to_come(job: JobFact, first: int, last: int) -> Sequence[Row]:
    """A row for each slot in [first, last] that the job expects."""
    source, schedule = job.spec.source, job.spec.schedule
    if is_frequent(schedule):
        expected = _expand(schedule, first, last)
        return [Row(at, source, job.job_id, job.version, False, "scheduled") for at in expected]
    key = source, job.job_id, job.version, schedule, first // _DAY, last // _DAY
    found = _rows_of_days.get(key)
    if found is None:
        # The same rows while the job is not edited, so that their serialized form is found.
        days = _expanded_days(schedule, first // _DAY, last // _DAY)
        found = days, [Row(at, source, job.job_id, job.version, False, "scheduled") for at in days]
        _rows_of_days.put(key, found, len(days) + 1)
    days, rows = found
    return rows[bisect_left(days, first) : bisect_right(days, last)]


def _expand(schedule: Schedule, first: int, last: int) -> "array[int]":
    return array("q", map(epoch, schedule.slots(from_epoch(first - 1), from_epoch(last))))


def slots_by_hour(schedule: Schedule, first: int, last: int) -> Iterable[tuple[int, int]]:
    """(hour, slots) of [first, last], hours as epochs of their beginning."""
    if first > last:
        return
    for hour in range(first - first % HOUR, last + 1, HOUR):
        yield hour, _count(schedule, max(first, hour) - 1, min(last, hour + HOUR - 1))


@lru_cache(maxsize=30_000)
def _count(schedule: Schedule, after: int, until: int) -> int:
    return schedule.count(from_epoch(after), from_epoch(until))
