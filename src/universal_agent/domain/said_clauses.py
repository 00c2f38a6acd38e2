"""What the clauses of a recurring phrase say, and the clauses that name days."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from universal_agent.domain.cron_fields import MonthDays, WeekDays
from universal_agent.domain.instant_phrase import Moment
from universal_agent.domain.phrase_reader import PhraseReader, read_list, read_number
from universal_agent.domain.said_day import (
    read_month_day,
    read_month_days,
    read_months,
    read_nth_weekdays,
    read_weekdays,
)
from universal_agent.domain.said_time import TimeOfDay, read_day_part

_PARTS = {
    "mornings": "morning",
    "afternoons": "afternoon",
    "evenings": "evening",
    "nights": "night",
}


@dataclass(frozen=True, slots=True)
class DayClause:
    """Days that were said: of the month, of the week, or of the year."""

    month_days: MonthDays | None = None
    weekdays: WeekDays | None = None
    months: frozenset[int] | None = None
    #: Whether a day has to be one of the clause before as well ("that are also").
    also: bool = False


@dataclass(slots=True)
class Said:
    """What the clauses of a phrase say."""

    #: Whether anything says that it comes again.
    recurs: bool = False
    #: "every week", "monthly".
    base: str | None = None
    #: "twice a day".
    count: int | None = None
    #: "every 30 minutes".
    interval: timedelta | None = None
    #: "every 2 weeks", "every other day", "every 3 months".
    step: tuple[int, str] | None = None
    days: list[DayClause] = field(default_factory=list)
    months: frozenset[int] | None = None
    #: "except sunday".
    without: frozenset[int] = frozenset()
    #: "every morning".
    part: str | None = None
    times: list[TimeOfDay] = field(default_factory=list)
    #: Minutes of each hour.
    minutes: frozenset[int] | None = None
    #: Second of each minute.
    second: int | None = None
    #: "at minutes 0 and 30 of hours 9 to 12", as seconds, minutes and hours.
    fields: tuple[frozenset[int], frozenset[int], frozenset[int]] | None = None
    window: tuple[int, int] | None = None
    start: Moment | None = None
    #: "by the clock" is True, "at set times" False.
    wild: bool | None = None
    #: "every" whose noun is still to come.
    every: bool = False


def read_clause(
    clause: Callable[[PhraseReader, Said], bool], reader: PhraseReader, said: Said
) -> bool:
    """Whether the clause stands next; nothing is read when it does not."""
    here = reader.position
    if clause(reader, said):
        return True
    reader.position = here
    return False


def read_days(reader: PhraseReader, said: Said) -> bool:
    """ "on weekdays", "the 1st of every month", "in january", "or on fridays"."""
    also = bool(said.days) and reader.take_all("that", "are", "also")
    if said.days and not also and not reader.take("or") and reader.peek().text != "in":
        return False
    if reader.take("in"):
        said.months = None if said.months is not None else read_months(reader)
        return said.months is not None
    reader.take("on")
    if not read_named_days(reader, said):
        return False
    if also:
        said.days[-1] = replace(said.days[-1], also=True)
    return True


def read_exception(reader: PhraseReader, said: Said) -> bool:
    """ "except sunday", "but not on weekends"."""
    if said.without or not reader.take("except", "excluding", "but"):
        return False
    reader.take("not")
    reader.take("for", "on")
    if reader.take("weekend"):
        said.without = frozenset((0, 6))
        return True
    found = read_weekdays(reader)
    said.without = frozenset() if found is None else found[0]
    return bool(said.without)


def read_named_days(reader: PhraseReader, said: Said) -> bool:
    """Days by rank, date or name."""
    return any(read_clause(clause, reader, said) for clause in (_ranked, _day_of_year, _weekdays))


def _ranked(reader: PhraseReader, said: Said) -> bool:
    """ "the first monday of every month", "1st and 15th", "end of each month"."""
    after_every = reader.peek(-1).text in ("every", "each")
    reader.take("the")
    here = reader.position
    if reader.take("end") and _of_months(reader, said) == frozenset():
        said.days.append(DayClause(month_days=MonthDays(before_last=frozenset((0,)))))
        return True
    reader.position = here
    weekdays = read_nth_weekdays(reader)
    days = None if weekdays else read_month_days(reader)
    if days is None and weekdays is None and said.base == "month":
        numbers = [n for n in read_list(reader, read_number) if 1 <= n <= 31]
        days = MonthDays(frozenset(numbers)) if numbers else None
    if days is None and weekdays is None:
        return False
    says_day = reader.peek(-1).text == "day"
    months = _of_months(reader, said)
    if _count(days, weekdays) > 1:
        said.recurs = True
    if not said.recurs and not months:
        raise reader.refusal(
            "this is once or every month: write "
            f"'every month on {reader.text.removeprefix('on ')}', or a date"
        )
    if says_day and months:
        said.recurs = True  # "the 11th day of november", where a date is "11 november"
    is_second = weekdays is not None and {n for _, n in weekdays.nth} == {2}
    if after_every and is_second and months is None and said.base is None:
        rest = re.sub(r"^(every|each) (2nd|second) ", "", reader.text, flags=re.IGNORECASE)
        day, _, times = rest.partition(" ")
        times = times or "at 9am"
        raise reader.refusal(
            f"'every 2nd {day}' has two readings: write 'every other {day} {times}' or "
            f"'the second {day} of every month {times}'"
        )
    said.days.append(DayClause(days, weekdays, months or None))
    return True


def _count(days: MonthDays | None, weekdays: WeekDays | None) -> int:
    in_month = len(days.numbers) + len(days.before_last) if days else 0
    return in_month + (len(weekdays.nth) + len(weekdays.last) if weekdays else 0)


def _of_months(reader: PhraseReader, said: Said) -> frozenset[int] | None:
    """The months that are said after days; empty for all of them, None when none are said."""
    here = reader.position
    linked = reader.take("of", "in")
    if reader.take("every", "each", "the", "a"):
        if reader.take("month"):
            said.recurs = True
            return frozenset()
    elif linked and reader.take("month"):
        said.recurs = True
        return frozenset()
    else:
        months = read_months(reader)
        if months is not None:
            return months
    reader.position = here
    return None


def _day_of_year(reader: PhraseReader, said: Said) -> bool:
    """ "july 4th", "25 december"."""
    found = read_month_day(reader)
    if found is None or reader.peek().text == "," or reader.peek().sort == "number":
        return False
    month, day = found
    said.days.append(DayClause(MonthDays(frozenset((day,))), None, frozenset((month,))))
    return True


def _weekdays(reader: PhraseReader, said: Said) -> bool:
    if reader.peek().text in ("weekday", "weekend") and reader.peek(1).text in _PARTS:
        is_weekend = reader.take("weekend") is not None
        reader.take("weekday")
        days = frozenset((0, 6)) if is_weekend else frozenset(range(1, 6))
        said.recurs, said.part = True, _PARTS[reader.take(*_PARTS) or ""]
        said.days.append(DayClause(weekdays=WeekDays(days)))
        return True
    found = read_weekdays(reader)
    if found is None:
        return False
    numbers, is_rhythm = found
    said.recurs = said.recurs or is_rhythm
    said.days.append(DayClause(weekdays=WeekDays(numbers)))
    part = read_day_part(reader) or _PARTS.get(reader.take(*_PARTS) or "")
    said.part = part or said.part
    return True
