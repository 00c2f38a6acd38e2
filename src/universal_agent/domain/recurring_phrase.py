"""The grammar of recurring phrases: clauses in any order, each read once.

"every 30 minutes", "on weekdays", "at 9am", "from 9:00 to 17:00", "starting monday" are clauses;
`recurring_schedule` makes a schedule of what they say together, or says why there is none.
"""

import re
from datetime import datetime, timedelta

from universal_agent.domain.cron_fields import WeekDays
from universal_agent.domain.instant_phrase import read_moment
from universal_agent.domain.phrase_reader import (
    PhraseReader,
    read_duration,
    read_list,
    read_number,
    read_unit,
)
from universal_agent.domain.said_clauses import (
    DayClause,
    Said,
    read_clause,
    read_days,
    read_exception,
    read_named_days,
)
from universal_agent.domain.said_day import RANKS, read_weekday, read_weekdays, read_working_day
from universal_agent.domain.said_time import read_day_part, read_times, read_window

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_HOUR = timedelta(hours=1)

_ADVERBS = {
    "daily": "day",
    "everyday": "day",
    "nightly": "day",
    "weekly": "week",
    "monthly": "month",
    "quarterly": "quarter",
    "yearly": "year",
    "annually": "year",
}
_BASES = ("day", "week", "month", "quarter", "year")
_COUNTS = {"once": 1, "twice": 2}
#: Of these "every second" is every other one; of weekdays it may be the second in a month.
_COUNTED = (*_BASES, "hour", "minute")


def read_said(reader: PhraseReader, *, now: datetime, timezone: str) -> Said | None:
    """What a whole phrase says; None when a part of it is no clause of this grammar."""
    said = Said()

    def start(reader: PhraseReader, said: Said) -> bool:
        return _start(reader, said, now, timezone)

    clauses = (
        *(_window, start, _marker, _hourly, _every, _adverb, _fields, _past, _times),
        *(read_exception, read_days),
    )
    while not reader.at_end:
        here = reader.position
        if not any(read_clause(clause, reader, said) for clause in clauses) and not reader.take(
            ","
        ):
            return None
        if reader.position == here:
            return None
    return said


def _window(reader: PhraseReader, said: Said) -> bool:
    if said.window is not None or (window := read_window(reader)) is None:
        return False
    said.window = window
    return True


def _start(reader: PhraseReader, said: Said, now: datetime, timezone: str) -> bool:
    """ "starting tomorrow at 10", "from 2026-11-30"."""
    if said.start is not None or not reader.take("starting", "beginning", "from", "since"):
        return False
    reader.take("on")
    said.start = read_moment(reader, now=now, timezone=timezone)
    return said.start is not None


def _marker(reader: PhraseReader, said: Said) -> bool:
    if said.wild is not None:
        return False
    if reader.take_all("by|on", "the", "clock") or reader.take("synchronized", "synchronised"):
        said.wild = True
    elif reader.take_all("at", "set", "times"):
        said.wild = False
    return said.wild is not None


def _hourly(reader: PhraseReader, said: Said) -> bool:
    """ "hourly", and after it or "every hour": "at :15", "at 30", "on the hour"."""
    if said.interval is None and reader.take("hourly"):
        said.recurs, said.interval = True, _HOUR
        said.minutes = frozenset((0,)) if said.minutes is None else said.minutes
        return True
    if said.interval is None or said.interval % _HOUR or said.minutes not in (None, {0}):
        return False
    if reader.take_all("on", "the", "hour"):
        said.minutes = frozenset((0,))
        return True
    reader.take("at")
    minutes = read_list(reader, lambda r: r.take_sort("minute"))
    if not minutes and said.interval == _HOUR and reader.peek(-1).text == "at":
        number = reader.take_sort("number")
        is_minute = number is not None and number.isdigit() and reader.peek().sort != "word"
        minutes = [f":{number}"] if is_minute else []
    if not minutes:
        return False
    said.minutes = frozenset(int(minute[1:]) for minute in minutes)
    if max(said.minutes) > 59:
        raise reader.refusal("a minute is from :00 to :59")
    return True


def _past(reader: PhraseReader, said: Said) -> bool:
    """ "at 15 minutes past every hour", "at 15 past", "on the 30th second"."""
    if said.second is None and reader.take_all("on", "the"):
        ordinal = reader.take_sort("ordinal")
        if ordinal and reader.take("second", "sec"):
            said.second = int(ordinal[:-2])
            return said.second < 60
        return False
    reader.take("at")
    number = read_number(reader)
    reader.take("minutes", "minute", "min", "mins")
    if number is None or said.minutes is not None or not reader.take("past", "after"):
        return False
    if number > 59:
        raise reader.refusal("a minute is from :00 to :59")
    if reader.take_all("every|each", "hour"):
        said.recurs = True
    else:
        reader.take_all("the", "hour")
    said.interval = said.interval or _HOUR
    said.minutes = frozenset((number,))
    return True


def _every(reader: PhraseReader, said: Said) -> bool:
    if said.every or not reader.take("every", "each", "ev"):
        return False
    reader.take(".")
    said.recurs = True
    nouns = (_other, _noun, _nth_unit, _length, _named)
    return any(read_clause(noun, reader, said) for noun in nouns)


def _noun(reader: PhraseReader, said: Said) -> bool:
    """ "day", "week", "morning", "weekday"."""
    if read_working_day(reader):
        return _weekday_noun(reader, said, frozenset(range(1, 6)))
    if reader.take("weekend"):
        return _weekday_noun(reader, said, frozenset((0, 6)))
    if reader.peek().text == "quarter" and reader.peek(1).text in ("hour", "of"):
        return False
    if base := reader.take(*_BASES):
        if base == "year" and said.days and said.base is None:
            return True
        if said.base is not None:
            return False
        said.base = base
        return True
    if unit := read_unit(reader):
        # "every second monday" is not every second.
        if reader.peek(-1).text == "second" and _day_follows(reader):
            return _two_seconds(reader)
        if reader.take_all("and", "a", "half"):
            unit = unit * 3 / 2
        return _set_interval(reader, said, unit)
    if part := read_day_part(reader):
        said.base, said.part = "day", part
        return True
    return False


def _weekday_noun(reader: PhraseReader, said: Said, days: frozenset[int]) -> bool:
    said.days.append(DayClause(weekdays=WeekDays(days)))
    said.part = read_day_part(reader)
    return True


def _day_follows(reader: PhraseReader) -> bool:
    here = reader.position
    found = read_weekday(reader) is not None
    reader.position = here
    return found


def _two_seconds(reader: PhraseReader) -> bool:
    """Whether "every second monday" is every second: raises unless "of the month" follows."""
    if reader.peek(1).text == "of":
        return False
    name = reader.peek().text
    rest = reader.text[reader.peek().end :]
    rest = rest if re.search(r"\d|noon|midnight", rest) else f"{rest} at 9am"
    raise reader.refusal(
        f"'every second {name}' has two readings: write 'every other {name}{rest}' or "
        f"'the second {name} of every month{rest}'"
    )


def _other(reader: PhraseReader, said: Said) -> bool:
    """ "other day", "other friday", "second week"."""
    is_second = reader.peek().text == "second" and reader.peek(1).text in _COUNTED
    if reader.peek(2).text in ("of", "in") or not reader.take("other", *(("second",) * is_second)):
        return False
    if unit := reader.take("day", "week", "month", "year"):
        said.step = (2, unit)
        return unit not in ("day", "week") or _set_interval(
            reader, said, 2 * (_DAY if unit == "day" else _WEEK)
        )
    if unit_length := read_unit(reader):
        return _set_interval(reader, said, 2 * unit_length)
    if (found := read_weekdays(reader)) is None:
        return False
    said.step = (2, "week")
    said.days.append(DayClause(weekdays=WeekDays(found[0])))
    return True


def _nth_unit(reader: PhraseReader, said: Said) -> bool:
    """ "4th day", "third week", "3 months"."""
    ordinal = reader.take_sort("ordinal") or reader.take("third", "fourth", "fifth")
    number = RANKS.get(ordinal) or int(ordinal[:-2]) if ordinal else read_number(reader)
    if not number:
        return False
    units = (
        ("day", "week", "month") if ordinal else ("months", "month", "years", "year", "quarters")
    )
    unit = reader.take(*units)
    if unit is None or (ordinal and reader.peek().text in ("of", "before", "in")):
        return False
    if ordinal and number == 1:
        rest = reader.text[reader.peek(-1).end :] or " at 9am"
        other = {"day": "the 1st of every month", "week": "every week on monday"}.get(unit, "")
        raise reader.refusal(
            f"this has two readings: write 'every {unit}{rest}'"
            + (f" or '{other}{rest}'" if other else "")
        )
    unit = unit.removesuffix("s")
    said.step = (number * 3, "month") if unit == "quarter" else (number, unit)
    if unit in ("day", "week"):
        return _set_interval(reader, said, number * (_DAY if unit == "day" else _WEEK))
    return True


def _length(reader: PhraseReader, said: Said) -> bool:
    """ "30 minutes", "2 weeks"."""
    begin = reader.position
    if (least := read_number(reader)) and reader.take("to", "-") and read_duration(reader):
        unit = reader.peek(-1).text
        raise reader.refusal(
            f"an interval is one length: write 'every {least} {unit}', and spread the starts with "
            "jitter_seconds"
        )
    reader.position = begin
    length = read_duration(reader)
    if length is None:
        return False
    if reader.position - begin == 2 and not length % _DAY:
        unit = "week" if reader.peek(-1).text.startswith("w") else "day"
        said.step = (length // (_WEEK if unit == "week" else _DAY), unit)
    return _set_interval(reader, said, length)


def _set_interval(reader: PhraseReader, said: Said, length: timedelta) -> bool:
    if said.interval is not None:
        return False
    if length < _HOUR and reader.take("past", "after"):
        raise reader.refusal(
            "this has two readings: write 'every 15 minutes' or 'every hour at :15'"
        )
    said.interval = length
    return True


def _named(reader: PhraseReader, said: Said) -> bool:
    """ "every mon and fri", "every 15th", "every july 4th", "every 9am"."""
    if read_named_days(reader, said):
        return True
    here = reader.position
    if not read_times(reader):
        return False
    reader.position = here
    said.base = said.base or "day"
    return True


def _adverb(reader: PhraseReader, said: Said) -> bool:
    """ "daily", "once a week", "twice daily", "fortnightly"."""
    count = _COUNTS.get(reader.take(*_COUNTS) or "")
    if count is None and (number := read_number(reader)) is not None:
        count = number if reader.take("times") else None
        if count is None:
            return False
    if reader.peek().text in ("biweekly", "bimonthly"):
        unit = reader.peek().text[2:-2]
        one, two = {
            "week": ("on monday at 9am", "on monday and thursday at 9am"),
            "month": ("on the 1st at 9am", "on the 1st and 15th at 9am"),
        }[unit]
        raise reader.refusal(
            f"this has two readings: write 'every 2 {unit}s {one}' or 'twice a {unit} {two}'"
        )
    if reader.take("fortnightly"):
        said.recurs, said.step, said.interval = True, (2, "week"), 2 * _WEEK
        return True
    adverb = reader.take(*_ADVERBS)
    base = _ADVERBS.get(adverb or "")
    if base is None and count is not None and reader.take("a", "an", "per", "each", "every"):
        if reader.take("hour"):
            raise reader.refusal(_times_an_hour(count))
        if short := reader.take("minute", "second"):
            raise reader.refusal(f"an interval is a length of time: write 'every {short}'")
        base = reader.take(*_BASES)
    if base is None or said.base is not None:
        return False
    said.recurs, said.base, said.count = True, base, count
    said.part = "night" if adverb == "nightly" else said.part
    return True


def _times_an_hour(count: int) -> str:
    if count == 1 or 60 % count:
        return "this has two readings: write 'hourly' or 'every hour'"
    step = 60 // count
    minutes = [f":{minute:02}" for minute in range(0, 60, step)]
    listed = f"{', '.join(minutes[:-1])} and {minutes[-1]}"
    return f"this has two readings: write 'every {step} minutes' or 'every hour at {listed}'"


def _fields(reader: PhraseReader, said: Said) -> bool:
    """ "at minutes 0 and 30 of hours 9 to 12"."""
    if said.fields is not None or not reader.take("at"):
        return False
    seconds = _numbers(reader, "second", 60)
    if seconds is not None and not reader.take("of"):
        return False
    minutes = _numbers(reader, "minute", 60)
    hours = _numbers(reader, "hour", 24) if minutes is not None and reader.take("of") else None
    if minutes is None or hours is None:
        return False
    said.recurs, said.fields = True, (seconds or frozenset((0,)), minutes, hours)
    return True


def _numbers(reader: PhraseReader, name: str, size: int) -> frozenset[int] | None:
    if reader.take_all("every", name):
        return frozenset(range(size))
    if not reader.take(name, f"{name}s"):
        return None
    spans = read_list(reader, _number_span)
    numbers = frozenset(number for span in spans for number in span)
    return numbers if numbers and max(numbers) < size else None


def _number_span(reader: PhraseReader) -> range | None:
    first = read_number(reader)
    if first is None:
        return None
    last = read_number(reader) if reader.take("to", "-") else first
    return None if last is None else range(first, last + 1)


def _times(reader: PhraseReader, said: Said) -> bool:
    if said.times:
        return False
    said.times = list(read_times(reader))
    return bool(said.times)
