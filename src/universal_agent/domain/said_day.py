"""Weekdays, days of a month and days of a year, as people say them."""

import re
from calendar import monthrange
from collections.abc import Sequence

from universal_agent.domain.cron_fields import MonthDays, WeekDays
from universal_agent.domain.phrase_reader import PhraseReader, read_list

_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_WEEKDAYS_PLURAL = {f"{name}s": number for name, number in _WEEKDAYS.items()}
_SHORT = {name[:3]: number for name, number in _WEEKDAYS.items()}
_SHORT |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}
_WEEKDAYS |= _SHORT

# fmt: off
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)
# fmt: on
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}

RANKS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}

#: Days of the year that have a name, as (month, day).
_NAMED_DAYS = {
    ("new", "year's", "eve"): (12, 31),
    ("new", "years", "eve"): (12, 31),
    ("new", "year's", "day"): (1, 1),
    ("new", "years", "day"): (1, 1),
    ("christmas", "eve"): (12, 24),
    ("christmas", "day"): (12, 25),
    ("christmas",): (12, 25),
    ("leap", "day"): (2, 29),
}

_TO = ("-", "to", "through", "thru", "until")
_A_LEAP_YEAR = 2024
_WEEK = 7


def read_weekday(reader: PhraseReader, *, plural: bool = False) -> int | None:
    """A weekday by name, Monday being 0; with `plural`, "mondays" alone."""
    name = reader.take(*(_WEEKDAYS_PLURAL if plural else _WEEKDAYS))
    if name is None:
        return None
    if name in _SHORT:
        reader.take(".")
    return _WEEKDAYS_PLURAL[name] if plural else _WEEKDAYS[name]


def read_weekdays(reader: PhraseReader) -> tuple[frozenset[int], bool] | None:
    """Weekdays with Sunday as 0, and whether they are said as a rhythm: in the plural, or several.

    "weekdays", "mondays", "mon-fri", "monday and thursday", "M-F", "weekends".
    """
    if reader.take_all("m", "-", "f"):
        return frozenset(range(1, 6)), True
    spans = read_list(reader, _read_span)
    if not spans:
        return None
    days = frozenset((day + 1) % _WEEK for span, _ in spans for day in span)
    return days, len(days) > 1 or any(plural for _, plural in spans)


def _read_span(reader: PhraseReader) -> tuple[Sequence[int], bool] | None:
    """A weekday or a row of them, "mondays", "mon-fri", "friday to sunday"; Monday is 0."""
    if reader.take("weekdays", "workdays") or reader.take_all("business|working|work|week", "days"):
        return range(5), True
    if reader.take("weekends"):
        return (5, 6), True
    here = reader.position
    plural = read_weekday(reader, plural=True)
    first = plural if plural is not None else read_weekday(reader)
    if first is None:
        return None
    after_first = reader.position
    if reader.take(*_TO) and (
        (last := read_weekday(reader)) is not None
        or (last := read_weekday(reader, plural=True)) is not None
    ):
        return [(first + n) % _WEEK for n in range((last - first) % _WEEK + 1)], True
    reader.position = max(here, after_first)
    return [first], plural is not None


def read_working_day(reader: PhraseReader) -> bool:
    """ "weekday", "workday", "business day"."""
    return reader.take("weekday", "workday") is not None or reader.take_all(
        "business|working|work|week", "day"
    )


def read_rank(reader: PhraseReader) -> int | None:
    """ "first" or "1st" to the fifth; 0 for "last"."""
    if reader.take("last"):
        return 0
    if word := reader.take(*RANKS):
        return RANKS[word]
    here = reader.position
    ordinal = reader.take_sort("ordinal")
    if ordinal is not None and 1 <= int(ordinal[:-2]) <= len(RANKS):
        return int(ordinal[:-2])
    reader.position = here
    return None


def read_nth_weekdays(reader: PhraseReader) -> WeekDays | None:
    """ "first monday", "first and third friday", "last friday", "2nd,third mon,wed"."""
    here = reader.position
    ranks = read_list(reader, read_rank)
    days = read_list(reader, read_weekday) if ranks else []
    if not days:
        reader.position = here
        return None
    numbers = [(day + 1) % _WEEK for day in days]
    nth = frozenset((day, rank) for day in numbers for rank in ranks if rank)
    return WeekDays(nth=nth, last=frozenset(numbers if 0 in ranks else ()))


def read_month_days(reader: PhraseReader) -> MonthDays | None:
    """ "1st and 15th", "last day", "last weekday", "weekday nearest the 15th", "1st to 7th"."""
    items = read_list(reader, _read_month_day_item)
    if not items:
        return None
    return MonthDays(
        frozenset().union(*(item.numbers for item in items)),
        frozenset().union(*(item.before_last for item in items)),
        frozenset().union(*(item.nearest for item in items)),
        any(item.last_weekday for item in items),
    )


def _read_month_day_item(reader: PhraseReader) -> MonthDays | None:
    here = reader.position
    reader.take("the")
    if reader.take_all("last", "day"):
        return MonthDays(before_last=frozenset((0,)))
    if reader.take("last") and read_working_day(reader):
        return MonthDays(last_weekday=True)
    reader.position = here
    reader.take("the")
    if reader.take_all("weekday", "nearest", "the"):
        return MonthDays(nearest=frozenset((_ordinal(reader),)))
    first = _ordinal_or_first(reader)
    if first is None:
        reader.position = here
        return None
    if first == 1 and read_working_day(reader):
        return MonthDays(nearest=frozenset((1,)))
    if reader.take_all("day", "before", "the", "last", "day"):
        return MonthDays(before_last=frozenset((first,)))
    after_first = reader.position
    if reader.take(*_TO):
        reader.take("the")
        if (last := _ordinal_or_first(reader)) is not None and last > first:
            return MonthDays(frozenset(range(first, last + 1)))
        reader.position = after_first
    reader.take("day")
    return MonthDays(frozenset((first,)))


def _ordinal_or_first(reader: PhraseReader) -> int | None:
    if reader.peek().sort == "ordinal":
        return _ordinal(reader)
    word = reader.take(*RANKS)
    return None if word is None else RANKS[word]


def _ordinal(reader: PhraseReader) -> int:
    number = int((reader.take_sort("ordinal") or "0th")[:-2])
    if not 1 <= number <= 31:
        raise reader.refusal("a day of the month is from the 1st to the 31st")
    return number


def read_months(reader: PhraseReader) -> frozenset[int] | None:
    """Months by name, "january and july", "march to may"."""
    spans = read_list(reader, _read_month_span)
    return frozenset(month for span in spans for month in span) if spans else None


def _read_month_span(reader: PhraseReader) -> Sequence[int] | None:
    first = _MONTHS.get(reader.take(*_MONTHS) or "")
    if first is None:
        return None
    reader.take(".")
    here = reader.position
    if reader.take(*_TO) and (last := _MONTHS.get(reader.take(*_MONTHS) or "")):
        return [(first - 1 + n) % 12 + 1 for n in range((last - first) % 12 + 1)]
    reader.position = here
    return [first]


def read_month_day(reader: PhraseReader) -> tuple[int, int] | None:
    """A day of a month, "24 december", "the 1st of may", "dec 24th", as (month, day)."""
    here = reader.position
    reader.take("the")
    for words, day_of_year in _NAMED_DAYS.items():
        if reader.take_all(*words):
            return day_of_year
    month = _read_month(reader)
    reader.take("the")
    day = reader.take_sort("ordinal") or reader.take_sort("number") or ""
    reader.take("of")
    month = month or _read_month(reader)
    number = re.sub(r"[a-z]+", "", day)
    if month is None or not number.isdigit() or len(number) > 2:
        reader.position = here
        return None
    if not 1 <= int(number) <= monthrange(_A_LEAP_YEAR, month)[1]:
        raise reader.refusal("that month has no such day")
    return month, int(number)


def _read_month(reader: PhraseReader) -> int | None:
    month = _MONTHS.get(reader.take(*_MONTHS) or "")
    if month is not None:
        reader.take(".")
    return month
