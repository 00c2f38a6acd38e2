"""Which schedule does a recurring phrase ask for?

"every 30 minutes" is an interval; "every weekday at 9am" is days and times, which together make a
cron expression. What cron cannot say in one expression is refused, never approximated.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from universal_agent.domain.phrase_reader import (
    PhraseReader,
    TimeOfDay,
    read_day_part,
    read_duration,
    read_list,
    read_month_day,
    read_time,
    read_weekday,
)
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    make_cron,
    make_interval,
)

_RANKS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
_RANKS |= {"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5}

#: Every month has days up to this one.
_SURE_DAY = 28


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a rhythm, as the last three fields of a cron expression."""

    day: str = "*"
    month: str = "*"
    weekday: str = "*"
    #: The part of the day that the times are in, when one was named.
    part: str | None = None
    #: What a person may not expect.
    note: str = ""


@dataclass(frozen=True, slots=True)
class Recurring:
    """A schedule, and what a person may not expect of it."""

    schedule: CronSchedule | IntervalSchedule
    note: str = ""


def read_recurring(reader: PhraseReader, *, now: datetime, timezone: str) -> Recurring | None:
    """The schedule of a whole recurring phrase; None when the phrase is not one.

    Raises InvalidPhrase when it is one but lacks its time of day, or needs several schedules.
    """
    every = read_every(reader)
    if every is not None and reader.at_end:
        return Recurring(make_interval(every, now))
    reader.rewind()
    fields = _read_hourly(reader)
    if fields is not None and reader.at_end:
        return Recurring(make_cron(f"{fields} * * *", timezone))
    reader.rewind()
    times = _read_times(reader)
    days = _read_days(reader)
    times = times or _read_times(reader)
    if days is None or not reader.at_end:
        reader.rewind()
        return None
    if not times:
        raise reader.refusal("this needs a time of day, as in 'every day at 9am'")
    clocks = {_meant(reader, said, days) for said in times}
    expr = f"{_time_fields(reader, clocks)} {days.day} {days.month} {days.weekday}"
    return Recurring(make_cron(expr, timezone), days.note)


def read_every(reader: PhraseReader) -> timedelta | None:
    """The interval of "every 30 minutes" or "every hour"."""
    here = reader.position
    if reader.take("every", "each"):
        if unit := reader.take("second", "minute", "hour"):
            return timedelta(**{f"{unit}s": 1})
        if every := read_duration(reader):
            return every
    reader.position = here
    return None


def _read_hourly(reader: PhraseReader) -> str | None:
    """Minute and hour fields of "hourly", "every hour at :15", "hourly at :00 and :30"."""
    if not (reader.take("hourly") or reader.take_all("every", "hour")):
        return None
    if not reader.take("at"):
        return "0 *"
    minutes = {int(minute[1:]) for minute in read_list(reader, lambda r: r.take_sort("minute"))}
    if any(minute > 59 for minute in minutes):
        raise reader.refusal("a minute is from :00 to :59")
    return f"{_listed(minutes)} *" if minutes else None


def _read_times(reader: PhraseReader) -> Sequence[TimeOfDay]:
    """Times of day, "at 9, 12 and 5pm": "at" announces the whole list."""
    announced = reader.peek().text == "at"
    return read_list(reader, lambda r: read_time(r, announced=announced))


def _meant(reader: PhraseReader, said: TimeOfDay, days: Days) -> time:
    """The time of day, as it is meant in the part of the day that was named."""
    if days.part is None:
        return said.clock
    clock = said.in_part(days.part)
    if clock is None:
        raise reader.refusal(f"{said.clock:%H:%M} is not in the {days.part}")
    if days.part == "night" and clock.hour < 12 and days.weekday != "*":
        raise reader.refusal(f"{clock:%H:%M} of that night is on the day after; name that day")
    return clock


def _time_fields(reader: PhraseReader, clocks: set[time]) -> str:
    """Cron's fields up to the hour; cron runs at each of its minutes in each of its hours.

    Raises InvalidPhrase when that would be more than these times.
    """
    hours = {clock.hour for clock in clocks}
    minutes = {clock.minute for clock in clocks}
    seconds = {clock.second for clock in clocks}
    if len(hours) * len(minutes) * len(seconds) > len(clocks):
        raise reader.refusal("times whose minutes differ need a schedule each")
    fields = f"{_listed(minutes)} {_listed(hours)}"
    return fields if seconds == {0} else f"{_listed(seconds)} {fields}"


def _read_days(reader: PhraseReader) -> Days | None:
    here = reader.position
    for read in (_read_every_day, _read_weekdays, _read_days_of_month, _read_day_of_year):
        days = read(reader)
        if days is not None:
            return days
        reader.position = here
    return None


def _read_every_day(reader: PhraseReader) -> Days | None:
    """ "every day", "daily", "nightly", "every morning"."""
    if reader.take("daily") or reader.take_all("every", "day"):
        return Days()
    if reader.take("nightly"):
        return Days(part="night")
    part = read_day_part(reader) if reader.take("every", "each") else None
    return None if part is None else Days(part=part)


def _read_weekdays(reader: PhraseReader) -> Days | None:
    """ "every weekday", "on weekends", "every mon and fri", "mondays", "every friday night"."""
    every = reader.take("every", "each") is not None
    if not every:
        reader.take("on")
    if reader.take("weekdays") or (every and reader.take("weekday")):
        return Days(weekday="1-5", part=read_day_part(reader))
    if reader.take("weekends") or (every and reader.take("weekend")):
        return Days(weekday="0,6", part=read_day_part(reader))
    spans = read_list(reader, lambda r: _read_weekday_span(r, plural=not every))
    if not spans:
        return None
    numbers = {(weekday + 1) % 7 for span in spans for weekday in span}
    listed = "1-5" if numbers == {1, 2, 3, 4, 5} else _listed(numbers)
    return Days(weekday=listed, part=read_day_part(reader))


def _read_weekday_span(reader: PhraseReader, *, plural: bool) -> Sequence[int] | None:
    """A weekday or a row of them, "monday", "mon-fri", "friday to sunday"; Monday is 0."""
    first = read_weekday(reader, plural=plural)
    if first is None or not reader.take("-", "to", "through"):
        return None if first is None else [first]
    last = read_weekday(reader, plural=plural)
    return None if last is None else [(first + n) % 7 for n in range((last - first) % 7 + 1)]


def _read_days_of_month(reader: PhraseReader) -> Days | None:
    """ "the 1st of every month", "every first monday of the month", "monthly on the last day"."""
    if reader.take("monthly") or reader.take_all("every", "month"):
        return _read_nth_days(reader) if reader.take_all("on", "the") else None
    every = reader.take("every", "each") is not None
    if not every:
        reader.take("on")
        reader.take("the")
    days = _read_nth_days(reader)
    of_months = (
        reader.take_all("of", "every", "month")
        or reader.take_all("of", "each", "month")
        or (every and reader.take_all("of", "the", "month"))
    )
    return days if of_months else None


def _read_nth_days(reader: PhraseReader) -> Days | None:
    """ "1st and 15th", "last day", "last weekday", "last friday", "first monday"."""
    here = reader.position
    rank = 0 if reader.take("last") else _RANKS.get(reader.take(*_RANKS) or "")
    if rank is not None:
        if reader.take("day"):
            return Days(day=str(rank or "L"))
        if rank == 0 and reader.take("weekday"):
            return Days(day="LW")
        if (weekday := read_weekday(reader)) is not None:
            return Days(weekday=f"{(weekday + 1) % 7}{f'#{rank}' if rank else 'L'}")
    reader.position = here
    ordinals = read_list(reader, lambda r: r.take_sort("ordinal"))
    numbers = {int(ordinal[:-2]) for ordinal in ordinals}
    if not numbers:
        return None
    if not 1 <= min(numbers) <= max(numbers) <= 31:
        raise reader.refusal("a day of the month is from the 1st to the 31st")
    return Days(day=_listed(numbers), note=_rare(max(numbers)))


def _read_day_of_year(reader: PhraseReader) -> Days | None:
    """ "every 24 december", "yearly on the 1st of may"."""
    if reader.take("yearly", "annually") or reader.take_all("every", "year"):
        if not reader.take("on"):
            return None
    elif not reader.take("every", "each"):
        return None
    found = read_month_day(reader)
    if found is None:
        return None
    month, day = found
    note = "only in leap years" if (month, day) == (2, 29) else ""
    return Days(day=str(day), month=str(month), note=note)


def _rare(day: int) -> str:
    return f"only in months that have a day {day}" if day > _SURE_DAY else ""


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(str(number) for number in sorted(numbers))
