"""The wall-clock times that a cron expression names.

A pattern knows the calendar and nothing of zones: it works on *wall seconds*, the seconds between
1970-01-01T00:00:00 and a reading of the clock on the wall, as if every day had 86,400 of them.
`schedule` lays those readings onto UTC. The search is exact on every side of a clock change,
because it never steps through local time.
"""

from bisect import bisect_left, bisect_right
from calendar import isleap, monthrange
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Protocol

from universal_agent.domain.cron_fields import CronFields, MonthDays, Period, WeekDays

DAY = 86_400

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

#: The rarest date that comes again, a certain weekday's 29 February, returns within 40 years.
_SEARCH_YEARS = 41

_LAST_YEAR = 9998


class CronPattern:
    """The wall-clock times of one valid expression."""

    __slots__ = ("_dates", "_start", "_times", "fields", "fixed")

    def __init__(self, fields: CronFields) -> None:
        self._dates = _dates_of(
            fields.days, fields.months, fields.weekdays, fields.day_and, fields.period
        )
        self._times: _DayTimes = _Times(fields) if fields.listed is None else _Listed(fields.listed)
        self._start = fields.period.start if fields.period else -(10**15)
        #: Whether it names times of day, rather than following the clock through `*`. Cron treats
        #: the two differently when the clock changes.
        self.fixed = fields.fixed
        #: What it matches, however that is written: patterns with equal fields have equal times.
        self.fields = fields

    def at_or_after(self, wall: int) -> int | None:
        """The first matching wall second not before `wall`; None when there is none any more."""
        day, time = divmod(max(wall, self._start), DAY)
        matching_day = self._dates.at_or_after(day)
        if matching_day == day:
            matching_time = self._times.at_or_after(time)
            if matching_time is not None:
                return day * DAY + matching_time
            matching_day = self._dates.at_or_after(day + 1)
        return None if matching_day is None else matching_day * DAY + self._times.first

    def at_or_before(self, wall: int) -> int | None:
        """The last matching wall second not after `wall`; None when there never was one."""
        found = self._at_or_before(wall)
        return None if found is None or found < self._start else found

    def _at_or_before(self, wall: int) -> int | None:
        day, time = divmod(wall, DAY)
        matching_day = self._dates.at_or_before(day)
        if matching_day == day:
            earlier = self._times.count_before(time + 1)
            if earlier:
                return day * DAY + self._times.nth(earlier - 1)
            matching_day = self._dates.at_or_before(day - 1)
        return None if matching_day is None else matching_day * DAY + self._times.last

    def count(self, start: int, stop: int) -> int:
        """How many matching wall seconds lie in [start, stop)."""
        start = max(start, self._start)
        if start >= stop:
            return 0
        return self._count_before(stop, since=start) - self._count_before(start, since=start)

    def _count_before(self, wall: int, *, since: int) -> int:
        """How many lie between the beginning of the day of `since` and `wall`."""
        day, time = divmod(wall, DAY)
        count = self._dates.count(since // DAY, day) * self._times.a_day
        if self._dates.at_or_after(day) == day:
            count += self._times.count_before(time)
        return count


class _Dates:
    """The dates that match the last three fields, as days since 1970-01-01."""

    __slots__ = ("_day_and", "_days", "_lists", "_months", "_period", "_weekdays")

    def __init__(
        self,
        days: MonthDays,
        months: frozenset[int],
        weekdays: WeekDays,
        day_and: bool,
        period: Period | None,
    ) -> None:
        self._days = days
        self._months = months
        self._weekdays = weekdays
        self._day_and = day_and
        self._period = period if period is not None and period.every > 1 else None
        self._lists: dict[tuple[int, int], Sequence[int]] = {}

    def at_or_after(self, day: int) -> int | None:
        year, offset = _year_and_day(day)
        for candidate in range(year, min(year + _SEARCH_YEARS, _LAST_YEAR) + 1):
            days = self._days_of(candidate)
            index = bisect_left(days, offset) if candidate == year else 0
            if index < len(days):
                return _new_year(candidate) + days[index]
        return None

    def at_or_before(self, day: int) -> int | None:
        year, offset = _year_and_day(day)
        for candidate in range(year, max(year - _SEARCH_YEARS, 1) - 1, -1):
            days = self._days_of(candidate)
            index = bisect_right(days, offset) if candidate == year else len(days)
            if index:
                return _new_year(candidate) + days[index - 1]
        return None

    def count(self, start: int, stop: int) -> int:
        """How many lie in [start, stop)."""
        first_year, first = _year_and_day(start)
        last_year, last = _year_and_day(stop)
        whole_years = sum(len(self._days_of(year)) for year in range(first_year, last_year))
        before = bisect_left(self._days_of(first_year), first)
        return whole_years - before + bisect_left(self._days_of(last_year), last)

    def _days_of(self, year: int) -> Sequence[int]:
        """The matching days of a year, counted from its 1 January.

        They depend on the weekday that the year begins with and on its being a leap year, so
        fourteen lists are enough; with a period, on its phase too.
        """
        leap, weekday = _shape(year)
        phase = 0
        if self._period is not None:
            phase = _new_year(year) % (self._period.every * 7)
        key = (leap * 7 + weekday, phase)
        if key not in self._lists:
            self._lists[key] = self._list(year)
        return self._lists[key]

    def _list(self, year: int) -> Sequence[int]:
        every_day = range(366 if isleap(year) else 365)
        days = tuple(day for day in every_day if self._holds(year, day))
        return every_day if len(days) == len(every_day) else days

    def _holds(self, year: int, offset: int) -> bool:
        day = date(year, 1, 1) + timedelta(offset)
        if day.month not in self._months:
            return False
        if self._period is not None and not self._period.holds(_new_year(year) + offset):
            return False
        in_month, in_week = self._in_month(day), self._in_week(day)
        return (in_month and in_week) if self._day_and else (in_month or in_week)

    def _in_month(self, day: date) -> bool:
        named = self._days
        if day.day in named.numbers:
            return True
        last = monthrange(day.year, day.month)[1]
        if last - day.day in named.before_last:
            return True
        if day.weekday() > _FRIDAY:
            return False
        if named.last_weekday and day.day == _nearest_weekday(day, last):
            return True
        return any(
            wanted <= last and day.day == _nearest_weekday(day, wanted) for wanted in named.nearest
        )

    def _in_week(self, day: date) -> bool:
        named, weekday = self._weekdays, (day.weekday() + 1) % 7
        if weekday in named.numbers or (weekday, (day.day + 6) // 7) in named.nth:
            return True
        return weekday in named.last and day.day + 7 > monthrange(day.year, day.month)[1]


_FRIDAY = 4


def _nearest_weekday(month: date, wanted: int) -> int:
    """The day from Monday to Friday that is nearest to a day of the month, and in that month."""
    weekday = month.replace(day=wanted).weekday()
    if weekday == _FRIDAY + 1:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == _FRIDAY + 2:
        return wanted + 1 if wanted < monthrange(month.year, month.month)[1] else wanted - 2
    return wanted


class _DayTimes(Protocol):
    """The times of day that match, as seconds since midnight."""

    a_day: int
    first: int
    last: int

    def at_or_after(self, time: int) -> int | None: ...
    def nth(self, n: int) -> int: ...
    def count_before(self, time: int) -> int: ...


class _Listed:
    """Times of day that are listed one after the other."""

    __slots__ = ("_times", "a_day", "first", "last")

    def __init__(self, times: Sequence[int]) -> None:
        self._times = times
        self.a_day = len(times)
        self.first, self.last = times[0], times[-1]

    def at_or_after(self, time: int) -> int | None:
        earlier = self.count_before(time)
        return None if earlier == self.a_day else self._times[earlier]

    def nth(self, n: int) -> int:
        """The time with `n` earlier ones."""
        return self._times[n]

    def count_before(self, time: int) -> int:
        """How many are earlier than `time`."""
        return bisect_left(self._times, time)


class _Times:
    """Each of the hours at each of the minutes and seconds."""

    __slots__ = ("_hours", "_minutes", "_seconds", "a_day", "first", "last")

    def __init__(self, fields: CronFields) -> None:
        self._hours = tuple(sorted(fields.hours))
        self._minutes = tuple(sorted(fields.minutes))
        self._seconds = tuple(sorted(fields.seconds))
        self.a_day = len(self._hours) * len(self._minutes) * len(self._seconds)
        self.first = self.nth(0)
        self.last = self.nth(self.a_day - 1)

    def at_or_after(self, time: int) -> int | None:
        earlier = self.count_before(time)
        return None if earlier == self.a_day else self.nth(earlier)

    def nth(self, n: int) -> int:
        """The time with `n` earlier ones."""
        rest, s = divmod(n, len(self._seconds))
        h, m = divmod(rest, len(self._minutes))
        return self._hours[h] * 3600 + self._minutes[m] * 60 + self._seconds[s]

    def count_before(self, time: int) -> int:
        """How many are earlier than `time`."""
        minutes, second = divmod(time, 60)
        hour, minute = divmod(minutes, 60)
        h = bisect_left(self._hours, hour)
        m = s = 0
        if h < len(self._hours) and self._hours[h] == hour:
            m = bisect_left(self._minutes, minute)
            if m < len(self._minutes) and self._minutes[m] == minute:
                s = bisect_left(self._seconds, second)
        return (h * len(self._minutes) + m) * len(self._seconds) + s


@lru_cache(maxsize=1024)
def _dates_of(
    days: MonthDays,
    months: frozenset[int],
    weekdays: WeekDays,
    day_and: bool,
    period: Period | None,
) -> _Dates:
    """Shared by all expressions that differ in their times only: these lists are what costs."""
    return _Dates(days, months, weekdays, day_and, period)


@lru_cache(maxsize=512)
def _shape(year: int) -> tuple[bool, int]:
    """Whether it is a leap year, and the weekday it begins with."""
    return isleap(year), date(year, 1, 1).weekday()


@lru_cache(maxsize=512)
def _new_year(year: int) -> int:
    return date(year, 1, 1).toordinal() - _EPOCH_ORDINAL


@lru_cache(maxsize=4096)
def _year_and_day(day: int) -> tuple[int, int]:
    year = date.fromordinal(day + _EPOCH_ORDINAL).year
    return year, day - _new_year(year)
