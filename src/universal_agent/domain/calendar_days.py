"""Bounds of days, weeks and months in a zone, and its clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)


class View(StrEnum):
    """The span of a calendar page."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local date; where midnight is skipped, the moment after the gap."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def view_bounds(view: View, around: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """[start, end) of the day, week (from Sunday) or month that holds an instant."""
    day = around.astimezone(zone).date()
    match view:
        case View.DAY:
            first, after = day, day + _DAY
        case View.WEEK:
            first = day - timedelta(days=(day.weekday() + 1) % 7)
            after = first + timedelta(days=7)
        case View.MONTH:
            first = day.replace(day=1)
            after = (first + timedelta(days=32)).replace(day=1)
    return day_start(first, zone), day_start(after, zone)


def days_of(start: datetime, end: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The local days that touch [start, end), each with its bounds and clock changes."""
    days = []
    day = start.astimezone(zone).date()
    while (begins := day_start(day, zone)) < end:
        ends = day_start(day + _DAY, zone)
        if begins < ends:  # a date that the zone skipped has no length
            days.append(
                {
                    "date": day.isoformat(),
                    "start_utc": begins.isoformat(),
                    "end_utc": ends.isoformat(),
                    "transitions": list(_transitions(begins, ends, zone)),
                }
            )
        day += _DAY
    return days


def _transitions(start: datetime, end: datetime, zone: ZoneInfo) -> list[dict[str, Any]]:
    found = []
    at = start - _SECOND
    while at < end:
        after = min(at + _HOUR, end)
        if _offset(at, zone) != _offset(after, zone):
            change = _bisect(at, after, zone)
            if start <= change < end:
                before = change - _SECOND
                found.append(
                    {
                        "at_utc": change.isoformat(),
                        "offset_before_seconds": int(_offset(before, zone).total_seconds()),
                        "offset_after_seconds": int(_offset(change, zone).total_seconds()),
                        "name_before": before.astimezone(zone).tzname(),
                        "name_after": change.astimezone(zone).tzname(),
                    }
                )
        at = after
    return found


def _bisect(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first second at which the offset of `after` holds."""
    old = _offset(before, zone)
    while after - before > _SECOND:
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if _offset(middle, zone) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
