"""Which wall-clock times does a cron expression name?

A pattern knows the calendar and nothing of zones: it works on *wall seconds*, the seconds between
1970-01-01T00:00:00 and a reading of the clock on the wall, as if every day had 86,400 of them.
`schedule` lays those readings onto UTC. cronsim reads the expression and matches dates; the
search is ours, because it has to be exact on every side of a clock change. cronsim steps in local
time: it loses slots where the clock changes by less than an hour, and in St. John's, where it was
once set back at 00:01, it gives the same slots for ever.
"""

from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim

DAY = 86_400

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

#: The rarest date that comes again, a certain weekday's 29 February, returns within 40 years.
_SEARCH_YEARS = 41

_LAST_YEAR = 9998


def read_fields(expr: str) -> CronSim:
    """The fields of an expression as cronsim reads them; raises CronSimError when it cannot."""
    return CronSim(expr, datetime(1970, 1, 1, tzinfo=UTC))


class CronPattern:
    """The wall-clock times of one valid expression."""

    __slots__ = ("_dates", "_times", "fields", "fixed")

    def __init__(self, cron: CronSim) -> None:
        self._dates = _dates_of(" ".join(cron.parts[3:]))
        self._times = _Times(cron)
        #: Whether it names times of day, rather than following the clock through `*`. Cron treats
        #: the two differently when the clock changes; like Debian's it looks at the first
        #: character of minute and hour.
        self.fixed = not (cron.parts[1].startswith("*") or cron.parts[2].startswith("*"))
        #: What it matches, however that is written: patterns with equal fields have equal times.
        named = (cron.seconds, cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays)
        self.fields = (*(frozenset[object](values) for values in named), cron.day_and, self.fixed)

    def at_or_after(self, wall: int) -> int | None:
        """The first matching wall second not before `wall`; None when there is none any more."""
        day, time = divmod(wall, DAY)
        matching_day = self._dates.at_or_after(day)
        if matching_day == day:
            matching_time = self._times.at_or_after(time)
            if matching_time is not None:
                return day * DAY + matching_time
            matching_day = self._dates.at_or_after(day + 1)
        return None if matching_day is None else matching_day * DAY + self._times.first

    def at_or_before(self, wall: int) -> int | None:
        """The last matching wall second not after `wall`; None when there never was one."""
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

    __slots__ = ("_cron", "_days")

    def __init__(self, cron: CronSim) -> None:
        self._cron = cron
        self._days: dict[tuple[bool, int], Sequence[int]] = {}

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

        They depend on nothing but the weekday that the year begins with and on its being a leap
        year, so that fourteen lists serve for ever.
        """
        shape = _shape(year)
        if shape not in self._days:
            new_year = date(year, 1, 1)
            every_day = range(366 if shape[0] else 365)
            days = tuple(day for day in every_day if self._holds(new_year + timedelta(day)))
            self._days[shape] = every_day if len(days) == len(every_day) else days
        return self._days[shape]

    def _holds(self, day: date) -> bool:
        return day.month in self._cron.months and self._cron.match_day(day)


class _Times:
    """The times of day that match the first three fields, as seconds since midnight."""

    __slots__ = ("_hours", "_minutes", "_seconds", "a_day", "first", "last")

    def __init__(self, cron: CronSim) -> None:
        self._hours = tuple(sorted(cron.hours))
        self._minutes = tuple(sorted(cron.minutes))
        self._seconds = tuple(sorted(cron.seconds))
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
def _dates_of(fields: str) -> _Dates:
    """Shared by all expressions that differ in their times only: these lists are what costs."""
    return _Dates(read_fields(f"0 0 {fields}"))


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
