"""Which wall-clock times does a cron expression name?

A pattern knows the calendar and nothing of zones: it works on *wall seconds*, the seconds between
1970-01-01T00:00:00 and a reading of the clock on the wall, as if every day had 86,400 of them.
`schedule` lays those readings onto UTC. cronsim reads the expression and matches dates; the
search is ours, because it has to be exact on every side of a clock change (cronsim steps in local
time and, among others, loses half an hour of slots on Lord Howe Island twice a year).
"""

import re
from bisect import bisect_left, bisect_right
from calendar import isleap
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from cronsim import CronSim, CronSimError

from universal_agent.errors import InvalidSchedule

DAY = 86_400

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

#: The rarest date that comes again, a certain weekday's 29 February, returns within 40 years.
_SEARCH_YEARS = 41

_LAST_YEAR = 9998

_LONGEST = 200

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_ORDINAL_ENDING = {"1": "st", "2": "nd", "3": "rd"}

_RANGE_OF_ONE = re.compile(r"(^|[ ,])0*(\w+)-0*\2/0*[1-9][0-9]*(?=$|[ ,])", re.IGNORECASE)

_FIELDS = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L or LW",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT, 5L, MON#1",
}


class CronPattern:
    """The wall-clock times of one valid expression."""

    __slots__ = ("_cron", "_days", "_hours", "_minutes", "_seconds", "fixed")

    def __init__(self, cron: CronSim) -> None:
        self._cron = cron
        self._hours = tuple(sorted(cron.hours))
        self._minutes = tuple(sorted(cron.minutes))
        self._seconds = tuple(sorted(cron.seconds))
        self._days: dict[tuple[bool, int], Sequence[int]] = {}
        #: Whether it names times of day, rather than following the clock through `*`. Cron treats
        #: the two differently when the clock changes; like Debian's it looks at the first
        #: character of minute and hour.
        self.fixed = not (cron.parts[1].startswith("*") or cron.parts[2].startswith("*"))

    def at_or_after(self, wall: int) -> int | None:
        """The first matching wall second not before `wall`; None when there is none any more."""
        day, time = divmod(wall, DAY)
        matching_day = self._day_at_or_after(day)
        if matching_day == day:
            matching_time = self._time_at_or_after(time)
            if matching_time is not None:
                return day * DAY + matching_time
            matching_day = self._day_at_or_after(day + 1)
        if matching_day is None:
            return None
        return matching_day * DAY + _seconds(self._hours[0], self._minutes[0], self._seconds[0])

    def at_or_before(self, wall: int) -> int | None:
        """The last matching wall second not after `wall`; None when there never was one."""
        day, time = divmod(wall, DAY)
        matching_day = self._day_at_or_before(day)
        if matching_day == day:
            matching_time = self._time_at_or_before(time)
            if matching_time is not None:
                return day * DAY + matching_time
            matching_day = self._day_at_or_before(day - 1)
        if matching_day is None:
            return None
        return matching_day * DAY + _seconds(self._hours[-1], self._minutes[-1], self._seconds[-1])

    def count(self, start: int, stop: int) -> int:
        """How many matching wall seconds lie in [start, stop)."""
        first_day, first_time = divmod(start, DAY)
        last_day, last_time = divmod(stop, DAY)
        times_a_day = len(self._hours) * len(self._minutes) * len(self._seconds)
        count = self._count_days(first_day, last_day) * times_a_day
        if self._day_at_or_after(first_day) == first_day:
            count -= self._count_times_before(first_time)
        if self._day_at_or_after(last_day) == last_day:
            count += self._count_times_before(last_time)
        return count

    def _days_of(self, year: int) -> Sequence[int]:
        """The matching days of a year, counted from its 1 January.

        They depend on nothing but the weekday that the year begins with and on its being a leap
        year, so that fourteen lists serve for ever.
        """
        new_year = date(year, 1, 1)
        shape = (isleap(year), new_year.weekday())
        days = self._days.get(shape)
        if days is None:
            length = 366 if shape[0] else 365
            days = [
                d
                for d in range(length)
                if self._cron.match_day(new_year + timedelta(d))
                and (new_year + timedelta(d)).month in self._cron.months
            ]
            self._days[shape] = days = range(length) if len(days) == length else tuple(days)
        return days

    def _day_at_or_after(self, day: int) -> int | None:
        year, offset = _year_and_day(day)
        for candidate in range(year, min(year + _SEARCH_YEARS, _LAST_YEAR) + 1):
            days = self._days_of(candidate)
            index = bisect_left(days, offset) if candidate == year else 0
            if index < len(days):
                return _new_year(candidate) + days[index]
        return None

    def _day_at_or_before(self, day: int) -> int | None:
        year, offset = _year_and_day(day)
        for candidate in range(year, max(year - _SEARCH_YEARS, 1) - 1, -1):
            days = self._days_of(candidate)
            index = bisect_right(days, offset) if candidate == year else len(days)
            if index:
                return _new_year(candidate) + days[index - 1]
        return None

    def _count_days(self, start: int, stop: int) -> int:
        """How many matching days lie in [start, stop)."""
        first_year, first = _year_and_day(start)
        last_year, last = _year_and_day(stop)
        whole_years = sum(len(self._days_of(year)) for year in range(first_year, last_year))
        before = bisect_left(self._days_of(first_year), first)
        return whole_years - before + bisect_left(self._days_of(last_year), last)

    def _time_at_or_after(self, time: int) -> int | None:
        hour, minute, second = _split(time)
        h = bisect_left(self._hours, hour)
        if h == len(self._hours):
            return None
        if self._hours[h] > hour:
            return _seconds(self._hours[h], self._minutes[0], self._seconds[0])
        m = bisect_left(self._minutes, minute)
        if m < len(self._minutes):
            if self._minutes[m] > minute:
                return _seconds(hour, self._minutes[m], self._seconds[0])
            s = bisect_left(self._seconds, second)
            if s < len(self._seconds):
                return _seconds(hour, minute, self._seconds[s])
            if m + 1 < len(self._minutes):
                return _seconds(hour, self._minutes[m + 1], self._seconds[0])
        if h + 1 < len(self._hours):
            return _seconds(self._hours[h + 1], self._minutes[0], self._seconds[0])
        return None

    def _time_at_or_before(self, time: int) -> int | None:
        before = self._count_times_before(time + 1)
        return self._nth_time(before - 1) if before else None

    def _nth_time(self, n: int) -> int:
        rest, s = divmod(n, len(self._seconds))
        h, m = divmod(rest, len(self._minutes))
        return _seconds(self._hours[h], self._minutes[m], self._seconds[s])

    def _count_times_before(self, time: int) -> int:
        """How many matching times of day are earlier than `time`."""
        hour, minute, second = _split(time)
        h = bisect_left(self._hours, hour)
        count = h * len(self._minutes) * len(self._seconds)
        if h < len(self._hours) and self._hours[h] == hour:
            m = bisect_left(self._minutes, minute)
            count += m * len(self._seconds)
            if m < len(self._minutes) and self._minutes[m] == minute:
                count += bisect_left(self._seconds, second)
        return count


def _seconds(hour: int, minute: int, second: int) -> int:
    return hour * 3600 + minute * 60 + second


def _split(time: int) -> tuple[int, int, int]:
    minutes, second = divmod(time, 60)
    hour, minute = divmod(minutes, 60)
    return hour, minute, second


@lru_cache(maxsize=512)
def _new_year(year: int) -> int:
    return date(year, 1, 1).toordinal() - _EPOCH_ORDINAL


@lru_cache(maxsize=4096)
def _year_and_day(day: int) -> tuple[int, int]:
    year = date.fromordinal(day + _EPOCH_ORDINAL).year
    return year, day - _new_year(year)


def normalised(expr: str) -> str:
    """The expression with single spaces; an `@alias` stays as it is, in lower case.

    Raises InvalidSchedule when it is too long or has characters that no expression has.
    """
    words = expr[: _LONGEST + 1].split() if expr.isascii() else []
    if not words or len(expr) > _LONGEST or not expr.isprintable():
        raise InvalidSchedule(
            "expected a cron expression such as '0 9 * * 1-5' of at most "
            f"{_LONGEST} characters, got {_shown(expr)}",
            field="cron_expr",
        )
    text = " ".join(words)
    return text.lower() if text.startswith("@") else text


@lru_cache(maxsize=1024)
def parse_cron(expr: str) -> CronPattern:
    """Read a normalised expression; raises InvalidSchedule when it is none, or no date fits it."""
    if expr.startswith("@") and expr not in _ALIASES:
        raise InvalidSchedule(_unknown_alias(expr), field="cron_expr")
    try:
        pattern = CronPattern(_read(_ALIASES.get(expr, expr)))
    except CronSimError as error:
        raise InvalidSchedule(_explain_refusal(expr, str(error)), field="cron_expr") from error
    if pattern.at_or_after(0) is None:
        raise InvalidSchedule(never_comes(expr), field="cron_expr")
    return pattern


def never_comes(expr: str) -> str:
    """The sentence that refuses an expression without slots."""
    return f"expected a cron expression that comes at some time, {_shown(expr)} never does"


def explain_cron(expr: str) -> str:
    """The expression in words, "at 09:00 on weekdays"."""
    text: str = _read(_ALIASES.get(expr, expr)).explain()
    text = text[0].lower() + text[1:]
    text = text.replace("on Monday through Friday", "on weekdays")
    text = text.replace("day of month", "day of the month")
    text = text.replace(" and on ", " or on ")
    return re.sub(r"([2-5])([123])th\b", lambda m: m[1] + m[2] + _ORDINAL_ENDING[m[2]], text)


def _read(expr: str) -> CronSim:
    """Let cronsim read an expression; raises its CronSimError.

    The one thing that it reads wrongly is rewritten before: it takes the step of a range of one,
    `9-9/2`, to go on to the end of the field, as in `9/2`.
    """
    expr = _RANGE_OF_ONE.sub(r"\1\2", expr)
    return CronSim(expr, datetime(1970, 1, 1, tzinfo=UTC))


def _is_cron(expr: str) -> bool:
    try:
        _read(expr)
    except CronSimError:
        return False
    return True


def _shown(expr: str) -> str:
    return repr(expr if len(expr) <= 60 else expr[:57] + "...")


def _unknown_alias(expr: str) -> str:
    if expr == "@reboot":
        return "@reboot has no time, so it has no slots; expected a cron expression or @daily"
    return f"expected one of {', '.join(_ALIASES)}, got {_shown(expr)}"


def _explain_refusal(expr: str, reason: str) -> str:
    fields = expr.split()
    if len(fields) not in (5, 6):
        return (
            "expected 5 fields (minute hour day-of-month month day-of-week), or 6 with seconds "
            f"first, got {len(fields)}: {_shown(expr)}"
        )
    names = list(_FIELDS)[6 - len(fields) :]
    name = reason.removeprefix("Bad ")
    value = fields[names.index(name)]
    if name == "day-of-month" and _is_cron(f"0 0 {value} * *"):
        return never_comes(expr)
    return (
        f"expected {name} to be {_FIELDS[name]}, a list, a range or a step, "
        f"got {_shown(value)} in {_shown(expr)}"
    )
