"""Cron expressions in words, made from what they match rather than from how they are written.

`recurring_phrase` reads each of these descriptions back to the same slots.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from universal_agent.domain.cron_fields import (
    DAY_SECONDS,
    CronFields,
    MonthDays,
    WeekDays,
    clock_text,
    ranges,
)
from universal_agent.domain.cron_text import ALIASES, parse_cron
from universal_agent.domain.cron_writing import is_wild_window, period_text
from universal_agent.domain.wording import describe_seconds

WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
# fmt: off
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)
# fmt: on
_RANKS = ("", "first", "second", "third", "fourth", "fifth")

#: So many times of day are listed; more are said as a window or by their fields.
_LISTED = 6
_FEW = 3

_MINUTES = frozenset(range(60))
_HOURS = frozenset(range(24))
_ZERO = frozenset((0,))


@lru_cache(maxsize=4096)
def explain_cron(expr: str) -> str:
    """The expression in words, "at 09:00 on weekdays"."""
    times, dates, period = words_of(expr)
    begins_alone = dates == "every day" and times.startswith("every")
    return " ".join(part for part in (times, "" if begins_alone else dates, period) if part)


def words_of(expr: str) -> tuple[str, str, str]:
    """An expression's times, dates and period in words; the period is empty without one."""
    fields = parse_cron(ALIASES.get(expr, expr)).fields
    times, is_wild = _times(fields)
    if fields.fixed is is_wild:
        times += " at set times" if is_wild else " by the clock"
    return times, _dates(fields), period_text(fields.period) if fields.period else ""


def _times(fields: CronFields) -> tuple[str, bool]:
    """The times of day in words, and whether these words follow the clock."""
    if fields.listed is None:
        found = _whole_hours(fields.seconds, fields.minutes, fields.hours, fields.fixed)
        if found is not None:
            return found
    times = fields.times
    if len(times) <= _LISTED:
        return f"at {joined(clock_text(time) for time in times)}", False
    if (window := _window(times)) is not None:
        first, last, step = window
        length = describe_seconds(step, single=True)
        words = f"every {length} from {clock_text(first)} to {clock_text(last)}"
        return words, is_wild_window(frozenset(times))
    if fields.listed is not None:
        return f"at {joined(clock_text(time) for time in times)}", False
    return _by_fields(fields), False


def _whole_hours(
    seconds: frozenset[int], minutes: frozenset[int], hours: frozenset[int], fixed: bool
) -> tuple[str, bool] | None:
    """Times that come in every hour, or every so many hours from midnight."""
    if hours == _HOURS and minutes == _MINUTES and not fixed and (step := _grid(seconds, 60)):
        return f"every {describe_seconds(step, single=True)} by the clock", True
    if seconds != _ZERO:
        return None
    if hours == _HOURS:
        if not fixed and len(minutes) > 1 and (step := _grid(minutes, 60)):
            return f"every {describe_seconds(step * 60, single=True)} by the clock", True
        if minutes == _ZERO:
            return "every hour on the hour", True
        return f"every hour at {joined(f':{minute:02}' for minute in sorted(minutes))}", True
    step = _grid(hours, 24)
    if minutes == _ZERO and not fixed and step and step < 24:
        return f"every {step} hours by the clock", True
    return None


def _grid(numbers: frozenset[int], size: int) -> int | None:
    """The step when the numbers are each so many of the field's from 0 on, which they divide."""
    step = size // len(numbers)
    return step if numbers == frozenset(range(0, size, step)) and size % step == 0 else None


def _window(times: Sequence[int]) -> tuple[int, int, int] | None:
    """First, last and step when the times are evenly apart but for one gap; None otherwise."""
    gaps = [
        ((times[(index + 1) % len(times)] - time) % DAY_SECONDS, index)
        for index, time in enumerate(times)
    ]
    widest, at = max(gaps, key=lambda gap: (gap[0], gap[1]))
    others = {gap for gap, index in gaps if index != at}
    if len(others) != 1 or widest < (step := others.pop()):
        return None
    return times[(at + 1) % len(times)], times[at], step


def _by_fields(fields: CronFields) -> str:
    parts = []
    if fields.seconds != _ZERO:
        parts.append(_field("second", fields.seconds, 60))
    parts.append(_field("minute", fields.minutes, 60))
    parts.append(_field("hour", fields.hours, 24))
    return "at " + " of ".join(parts)


def _field(name: str, numbers: frozenset[int], size: int) -> str:
    if len(numbers) == size:
        return f"every {name}"
    return f"{name}{'s' if len(numbers) > 1 else ''} {_runs(sorted(numbers), str)}"


def _runs(numbers: Sequence[int], word: Callable[[int], str]) -> str:
    """Numbers in words; three or more in a row as "1 to 3"."""
    items: list[str] = []
    for first, last in ranges(numbers):
        if last - first + 1 >= _FEW:
            items.append(f"{word(first)} to {word(last)}")
        else:
            items += [word(number) for number in range(first, last + 1)]
    return joined(items)


def _dates(fields: CronFields) -> str:
    days, weekdays = fields.days, fields.weekdays
    months = _months(fields.months)
    if fields.day_and:
        named = not days.is_every, not weekdays.is_every
    elif days.is_every or weekdays.is_every:
        named = False, False
    else:
        named = True, True
    match named:
        case False, False:
            return f"every day in {months}" if months else "every day"
        case True, False:
            return _month_days(days, months)
        case False, True:
            return " or ".join(_week_days(weekdays, months))
        case _:
            in_week = " or ".join(_week_days(weekdays, months))
            if fields.day_and:
                return f"{in_week} that are also {_month_days(days, months)}"
            return f"{_month_days(days, months)} or {in_week}"


def _months(months: frozenset[int]) -> str:
    return "" if len(months) == 12 else _runs(sorted(months), lambda month: MONTHS[month - 1])


def _month_days(days: MonthDays, months: str) -> str:
    """ "on the 1st and 15th of every month"."""
    items = [
        f"{ordinal(first)} to {ordinal(last)}" if first != last else ordinal(first)
        for first, last in _short_runs(sorted(days.numbers))
    ]
    items += [f"weekday nearest the {ordinal(day)}" for day in sorted(days.nearest)]
    items += [
        f"{ordinal(distance)} day before the last day" if distance else "last day"
        for distance in sorted(days.before_last, reverse=True)
    ]
    items += ["last weekday"] if days.last_weekday else []
    return f"on the {joined(items)} {_of_months(months)}"


def _short_runs(numbers: Sequence[int]) -> Iterable[tuple[int, int]]:
    for first, last in ranges(numbers):
        if last - first + 1 >= _FEW:
            yield first, last
        else:
            yield from ((number, number) for number in range(first, last + 1))


def _week_days(weekdays: WeekDays, months: str) -> list[str]:
    """ "on Mondays and Fridays", "on the first Monday of every month", one for each kind."""
    parts = []
    if weekdays.numbers:
        inside = f" in {months}" if months else ""
        parts.append(f"on {_weekday_names(weekdays.numbers)}{inside}")
    ranked: dict[frozenset[int], list[str]] = {}
    for day in range(7):
        ranks = [n for weekday, n in sorted(weekdays.nth) if weekday == day]
        names = [_RANKS[n] for n in ranks] + (["last"] if day in weekdays.last else [])
        if names:
            key = frozenset([*ranks, *([0] if day in weekdays.last else [])])
            ranked.setdefault(key, [joined(names)]).append(WEEKDAYS[day])
    for ranks_said, *named in ranked.values():
        parts.append(f"on the {ranks_said} {joined(named)} {_of_months(months)}")
    return parts


def _of_months(months: str) -> str:
    return f"of {months} every year" if months else "of every month"


def _weekday_names(numbers: frozenset[int]) -> str:
    match sorted(numbers):
        case [1, 2, 3, 4, 5]:
            return "weekdays"
        case [0, 6]:
            return "weekends"
        case found:
            in_week = sorted(found, key=lambda day: (day - 1) % 7)
            return joined(f"{WEEKDAYS[day]}s" for day in in_week)


def ordinal(number: int) -> str:
    """ "1st", "22nd", "11th"."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 != 1 else 0, "th")
    return f"{number}{ending}"


def joined(items: Iterable[str]) -> str:
    """ "a, b and c"."""
    *others, last = items
    return f"{', '.join(others)} and {last}" if others else last
