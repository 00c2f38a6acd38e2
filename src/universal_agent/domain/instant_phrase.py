"""Instants in a person's words.

A length of time counts from now. Anything else is a date, a time of day, or both: the words give
the dates that could be meant, and the first of them whose instant is still to come is taken.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from universal_agent.domain.local_time import FIRST_YEAR, LAST_YEAR, instant_at, zone_of
from universal_agent.domain.phrase_reader import PhraseReader, read_duration
from universal_agent.domain.said_day import read_month_day, read_weekday
from universal_agent.domain.said_time import TimeOfDay, read_day_part, read_time

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)

_TONIGHT = time(20)

#: A 29 February comes again within this many years.
_LEAP_YEARS = 8

_NEAREST = {
    "next week": "'next monday at 9am' or 'in 7 days'",
    "next month": "'on the 1st of december at 9am' or 'in 4 weeks'",
    "end of day": "'today at 17:00' or 'today at 23:59'",
    "eod": "'today at 17:00' or 'today at 23:59'",
    "in a few minutes": "'in 5 minutes'",
    "in a bit": "'in 10 minutes'",
    "later": "'in 2 hours' or 'tonight'",
    "soon": "'in 10 minutes'",
}


@dataclass(frozen=True, slots=True)
class SpokenInstant:
    """An instant, and what a person may not expect of it."""

    instant: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class SpokenDay:
    """The dates that the words for a day may mean, earliest first."""

    dates: Sequence[date]
    #: What is said when it is not the first of them.
    later: str = ""
    #: The part of the day that the time is in, when one was named.
    part: str | None = None
    #: The time of day when none is named.
    default: time | None = None
    #: Whether an instant that has passed is refused, rather than left to the caller.
    coming: bool = False

    @property
    def is_tonight(self) -> bool:
        """Tonight's dates hold both sides of midnight."""
        return self.default == _TONIGHT


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, a time of day, or both, at which something starts."""

    dates: Sequence[date]
    clock: time | None

    @property
    def local(self) -> datetime:
        """The wall time; midnight when no time of day was said."""
        return datetime.combine(self.dates[0], self.clock or time(0))

    def instant(self, timezone: str) -> datetime | None:
        """The instant; None without a date or a time of day."""
        if not self.dates or self.clock is None:
            return None
        return instant_at(self.local, timezone)


def read_moment(reader: PhraseReader, *, now: datetime, timezone: str) -> Moment | None:
    """ "tomorrow at 10", "monday", "next week", "2026-11-30", "2026-11-30T09:00", "8am"."""
    today = now.astimezone(zone_of(timezone)).date()
    said = read_time(reader)
    day = _read_day(reader, today) or _read_next_period(reader, today)
    if day is not None and reader.peek().text == "t":
        reader.take("t")
    said = said or (read_time(reader) if day is not None else None)
    if said is None and day is None:
        said = read_time(reader, announced=True)
    if said is None and day is None:
        return None
    if day is None:
        assert said is not None
        return Moment((), said.clock)
    if said is None:
        coming = [on for on in day.dates if on >= today] or list(day.dates)
        return Moment(coming[:1], None)
    clock = _clock(reader, day, said)
    for on in day.dates:
        if instant_at(datetime.combine(on, clock), timezone) > now:
            return Moment((on,), clock)
    return Moment(day.dates[-1:], clock)


def _read_next_period(reader: PhraseReader, today: date) -> SpokenDay | None:
    """ "next week", "next month", "next year": its first day."""
    if reader.take_all("next", "week"):
        return SpokenDay((today + _DAY * (7 - today.weekday()),))
    if reader.take_all("next", "month"):
        return SpokenDay(((today.replace(day=1) + 32 * _DAY).replace(day=1),))
    if reader.take_all("next", "year"):
        return SpokenDay((date(today.year + 1, 1, 1),))
    return None


def read_spoken(
    reader: PhraseReader, *, now: datetime, timezone: str, past: bool = False
) -> SpokenInstant | None:
    """The instant of a whole phrase; None when it is not understood.

    `past`: the latest instant that fits is meant, rather than the next one.
    Raises InvalidPhrase when it is understood but lacks its time, or cannot be.
    """
    _refuse_vague(reader)
    if reader.take("once"):
        if reader.peek().text in ("a", "an", "per", "every", "each"):
            return None
        reader.take(",")
    if reader.take("now", "asap", "immediately") or reader.take_all("right", "now"):
        return SpokenInstant(now) if reader.at_end else None
    today = now.astimezone(zone_of(timezone)).date()
    begin = reader.position
    length = _read_length(reader, past=past)
    if length is not None and reader.at_end:
        return SpokenInstant(now + length)
    reader.position = begin
    said = read_time(reader)
    reader.take(",")
    day = _read_day(reader, today, past=past)
    reader.take(",")
    said = said or read_time(reader)
    if not reader.at_end or (said is None and day is None):
        return None
    if day is None:
        dates = (today,) if past else (today, today + _DAY)
        day = SpokenDay(dates, later="has passed today, so tomorrow")
    if past:
        return _looking_back(reader, day, said, now=now, timezone=timezone)
    return _resolve(reader, day, said, now=now, timezone=timezone)


def _refuse_vague(reader: PhraseReader) -> None:
    nearest = _NEAREST.get(" ".join(token.text for token in reader.tokens))
    if nearest:
        raise reader.refusal(f"this is not one instant: write {nearest}")


def _resolve(
    reader: PhraseReader, day: SpokenDay, said: TimeOfDay | None, *, now: datetime, timezone: str
) -> SpokenInstant:
    clock = _clock(reader, day, said)
    after_midnight = day.part == "night" and clock.hour < 12
    for on in day.dates:
        date_meant = on + _DAY if after_midnight and not day.is_tonight else on
        instant = instant_at(datetime.combine(date_meant, clock), timezone)
        if instant > now:
            is_later = on > day.dates[0] and not (after_midnight and day.is_tonight)
            return SpokenInstant(instant, f"{clock:%H:%M} {day.later}" if is_later else "")
    if day.coming:
        raise reader.refusal(f"{clock:%H:%M} has passed today")
    return SpokenInstant(instant)


def _looking_back(
    reader: PhraseReader, day: SpokenDay, said: TimeOfDay | None, *, now: datetime, timezone: str
) -> SpokenInstant:
    """The latest of the day's dates that is not to come; a day without a time is its 00:00."""
    clock = time(0) if said is None else _clock(reader, day, said)
    instants = [instant_at(datetime.combine(on, clock), timezone) for on in day.dates]
    passed = [instant for instant in instants if instant <= now]
    return SpokenInstant(passed[-1] if passed else instants[0])


def _clock(reader: PhraseReader, day: SpokenDay, said: TimeOfDay | None) -> time:
    """The time of day that is meant."""
    if said is None:
        if day.default is None:
            text = reader.text.rstrip(" .,")
            raise reader.refusal(f"this needs a time of day, as in '{text} at 9am'")
        return day.default
    clock = said.clock if day.part is None else said.in_part(day.part)
    if clock is None:
        raise reader.refusal(f"{said.clock:%H:%M} is not in the {day.part}")
    return clock


def _read_length(reader: PhraseReader, *, past: bool) -> timedelta | None:
    """ "20m", "in 90 minutes", "2 hours from now", "1 hour ago"."""
    inside = reader.take("in")
    length = read_duration(reader)
    if length is None:
        return None
    if not inside and reader.take("ago"):
        return -length
    if not reader.take_all("from", "now") and not inside and past and reader.at_end:
        raise reader.refusal(
            f"a length of time has two readings here: write '{reader.text} ago' or "
            f"'in {reader.text}'"
        )
    return length


def _read_day(reader: PhraseReader, today: date, *, past: bool = False) -> SpokenDay | None:
    here = reader.position
    for read in (_read_near_day, _read_dated, _read_weekday, _read_days_ahead):
        day = read(reader, today, past)
        if day is not None:
            return day
        reader.position = here
    return None


def _read_near_day(reader: PhraseReader, today: date, _past: bool) -> SpokenDay | None:
    """ "today", "tomorrow", "tonight", "this evening", "yesterday", "the day after tomorrow"."""
    if reader.take("tonight"):
        dates = (today, today + _DAY)
        later = "has passed today, so tomorrow"
        return SpokenDay(dates, later, part="night", default=_TONIGHT)
    if reader.take("today"):
        return SpokenDay((today,), part=read_day_part(reader), coming=True)
    if reader.take("tomorrow", "tmrw"):
        return SpokenDay((today + _DAY,), part=read_day_part(reader))
    if reader.take("yesterday"):
        return SpokenDay((today - _DAY,), part=read_day_part(reader))
    if reader.take_all("last", "night"):
        return SpokenDay((today - _DAY,), part="night")
    reader.take("the")
    if reader.take_all("day", "after", "tomorrow"):
        return SpokenDay((today + 2 * _DAY,), part=read_day_part(reader))
    if reader.take_all("day", "before", "yesterday"):
        return SpokenDay((today - 2 * _DAY,), part=read_day_part(reader))
    part = read_day_part(reader) if reader.take("this") else None
    return None if part is None else SpokenDay((today,), part=part, coming=True)


def _read_weekday(reader: PhraseReader, today: date, past: bool) -> SpokenDay | None:
    """ "monday", "on friday", "next tuesday", "last friday", "friday night"."""
    reader.take("on")
    which = reader.take("next", "last", "this", "coming")
    weekday = read_weekday(reader)
    if weekday is None:
        return None
    ahead = (weekday - today.weekday()) % 7
    part = read_day_part(reader)
    if which == "next":
        return SpokenDay((today + _DAY * (ahead or 7),), part=part)
    if which == "last":
        return SpokenDay((today - _DAY * ((7 - ahead) % 7 or 7),), part=part)
    first = today + _DAY * ahead
    if past:
        return SpokenDay((first - _WEEK, first), part=part)
    later = "has passed today, so next week"
    return SpokenDay((first, first + _WEEK), later, part=part)


def _read_days_ahead(reader: PhraseReader, today: date, _past: bool) -> SpokenDay | None:
    """ "in 2 days", "in a week", "a week from now", "3 days ago"; whole days only."""
    inside = reader.take("in")
    length = read_duration(reader)
    if length is None or length % _DAY:
        return None
    if reader.take("ago"):
        return SpokenDay((today - length,))
    if not inside and not reader.take_all("from", "now|today"):
        return None
    return SpokenDay((today + length,))


def _read_dated(reader: PhraseReader, today: date, past: bool) -> SpokenDay | None:
    """A date, with its weekday before it or not: "Sat, 2 Jan 2027"; both have to agree."""
    reader.take("on")
    here = reader.position
    weekday = read_weekday(reader)
    reader.take(",")
    day = _read_date(reader, today, past)
    if day is None:
        reader.position = here
        return None
    if weekday is None:
        return day
    fitting = [on for on in day.dates if on.weekday() == weekday]
    if not fitting or (len(day.dates) > 1 and fitting[0] > day.dates[1]):
        raise reader.refusal("that date is on another day of the week")
    return SpokenDay(fitting[:1])


def _read_date(reader: PhraseReader, today: date, past: bool) -> SpokenDay | None:
    """ "2027-01-31", "24 december", "dec 24, 2027", "12/31/2026", "31.12.2026"."""
    if iso := reader.take_sort("date"):
        year, month, day = (int(part) for part in iso.split("-"))
        return SpokenDay(_dates(reader, [year], month, day))
    if dotted := reader.take_sort("dotted"):
        day, month, year = (int(part) for part in dotted.split("."))
        return SpokenDay(_dates(reader, [year], month, day))
    if slashed := reader.take_sort("slashed"):
        return SpokenDay(_slashed(reader, *(int(part) for part in slashed.split("/"))))
    found = read_month_day(reader)
    if found is None:
        return None
    comma = reader.take(",") is not None
    year_said = reader.peek().text
    if re.fullmatch(r"\d{4}", year_said) and reader.take_sort("number"):
        return SpokenDay(_dates(reader, [int(year_said)], *found))
    if comma:
        reader.position -= 1
    if past:
        years = range(today.year - _LEAP_YEARS, today.year + 1)
        return SpokenDay(_dates(reader, years, *found))
    years = range(today.year, today.year + _LEAP_YEARS + 1)
    return SpokenDay(_dates(reader, years, *found), later="has passed this year, so the next")


def _slashed(reader: PhraseReader, first: int, second: int, year: int) -> Sequence[date]:
    """The date of "12/31/2026", where only one of the numbers can be the month."""
    if first != second and max(first, second) <= 12:
        raise reader.refusal(
            f"this date has two readings: write '{year}-{first:02}-{second:02}' or "
            f"'{year}-{second:02}-{first:02}'"
        )
    month, day = (first, second) if second >= first else (second, first)
    return _dates(reader, [year], month, day)


def _dates(reader: PhraseReader, years: Sequence[int], month: int, day: int) -> Sequence[date]:
    """The dates of the years that have that day; raises InvalidPhrase when none has."""
    if not FIRST_YEAR <= years[0] <= years[-1] <= LAST_YEAR:
        raise reader.refusal(f"a year is from {FIRST_YEAR} to {LAST_YEAR}")
    dates = []
    for year in years:
        try:
            dates.append(date(year, month, day))
        except ValueError:
            continue
    if not dates:
        raise reader.refusal("there is no such date")
    return dates
