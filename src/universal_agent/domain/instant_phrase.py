"""Which instant do a person's words mean?

A length of time counts from now. Anything else is a date, a time of day, or both: the words give
the dates that could be meant, and the first of them whose instant is still to come is taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from universal_agent.domain.local_time import FIRST_YEAR, LAST_YEAR, instant_at, load_zone
from universal_agent.domain.phrase_reader import (
    PhraseReader,
    TimeOfDay,
    read_day_part,
    read_duration,
    read_month_day,
    read_time,
    read_weekday,
)

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)

_TONIGHT = time(20)

#: A 29 February comes again within this many years.
_LEAP_YEARS = 8


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
        return self.default is not None


def read_spoken(reader: PhraseReader, *, now: datetime, timezone: str) -> SpokenInstant | None:
    """The instant of a whole phrase; None when it is not understood.

    Raises InvalidPhrase when it is understood but lacks its time, or cannot be.
    """
    if reader.take("now"):
        return SpokenInstant(now) if reader.at_end else None
    today = now.astimezone(load_zone(timezone)).date()
    length = _read_length(reader)
    if length is not None and reader.at_end:
        return SpokenInstant(now + length)
    reader.rewind()
    said = read_time(reader)
    day = _read_day(reader, today)
    said = said or read_time(reader)
    if not reader.at_end or (said is None and day is None):
        return None
    if day is None:
        day = SpokenDay((today, today + _DAY), later="has passed today, so tomorrow")
    return _resolve(reader, day, said, now=now, timezone=timezone)


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


def _clock(reader: PhraseReader, day: SpokenDay, said: TimeOfDay | None) -> time:
    """The time of day that is meant."""
    if said is None:
        if day.default is None:
            raise reader.refusal("this needs a time of day, as in 'tomorrow at 9am'")
        return day.default
    clock = said.clock if day.part is None else said.in_part(day.part)
    if clock is None:
        raise reader.refusal(f"{said.clock:%H:%M} is not in the {day.part}")
    return clock


def _read_length(reader: PhraseReader) -> timedelta | None:
    """ "20m", "in 90 minutes", "2 hours from now"."""
    reader.take("in")
    length = read_duration(reader)
    if length is not None:
        reader.take_all("from", "now")
    return length


def _read_day(reader: PhraseReader, today: date) -> SpokenDay | None:
    here = reader.position
    for read in (_read_near_day, _read_weekday, _read_days_ahead, _read_date):
        day = read(reader, today)
        if day is not None:
            return day
        reader.position = here
    return None


def _read_near_day(reader: PhraseReader, today: date) -> SpokenDay | None:
    """ "today", "tomorrow", "tonight", "this evening", "tomorrow morning"."""
    if reader.take("tonight"):
        dates = (today, today + _DAY)
        later = "has passed today, so tomorrow"
        return SpokenDay(dates, later, part="night", default=_TONIGHT)
    if reader.take("today"):
        return SpokenDay((today,), part=read_day_part(reader), coming=True)
    if reader.take("tomorrow"):
        return SpokenDay((today + _DAY,), part=read_day_part(reader))
    part = read_day_part(reader) if reader.take("this") else None
    return None if part is None else SpokenDay((today,), part=part, coming=True)


def _read_weekday(reader: PhraseReader, today: date) -> SpokenDay | None:
    """ "monday", "on friday", "next tuesday", "friday night"."""
    reader.take("on")
    following = reader.take("next") is not None
    weekday = read_weekday(reader)
    if weekday is None:
        return None
    ahead = (weekday - today.weekday()) % 7
    if following:
        return SpokenDay((today + _DAY * (ahead or 7),), part=read_day_part(reader))
    first = today + _DAY * ahead
    later = "has passed today, so next week"
    return SpokenDay((first, first + _WEEK), later, part=read_day_part(reader))


def _read_days_ahead(reader: PhraseReader, today: date) -> SpokenDay | None:
    """ "in 2 days", "in a week"; whole days only."""
    length = read_duration(reader) if reader.take("in") else None
    return None if length is None or length % _DAY else SpokenDay((today + length,))


def _read_date(reader: PhraseReader, today: date) -> SpokenDay | None:
    """ "2027-01-31", "24 december", "dec 24, 2027"."""
    reader.take("on")
    if iso := reader.take_sort("date"):
        year, month, day = (int(part) for part in iso.split("-"))
        return SpokenDay(_dates(reader, [year], month, day))
    found = read_month_day(reader)
    if found is None:
        return None
    comma = reader.take(",") is not None
    year_said = reader.peek().text
    if len(year_said) == 4 and reader.take_sort("number"):
        return SpokenDay(_dates(reader, [int(year_said)], *found))
    if comma:
        return None
    years = range(today.year, today.year + _LEAP_YEARS + 1)
    return SpokenDay(_dates(reader, years, *found), later="has passed this year, so the next")


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
