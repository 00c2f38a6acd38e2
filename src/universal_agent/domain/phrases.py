"""What do a person's words about time mean?

A small strict grammar: what it understands it echoes in full (`understood_as`), and everything
else is refused with examples. Nothing is guessed, since a misread phrase would run at the wrong
time in silence. How the choices fall:

- "20m" and "in 2 days" are lengths of time from now; "in 2 days at 9am" is a date and a time.
- A time of day without a date is its next one: once 13:30 has passed, tomorrow's.
- "monday 9am" is the next such instant; "next monday" is never today.
- A bare hour is an hour of the 24-hour clock, "at 7" is 07:00. In a part of the day it is the one
  that lies in it, and the night goes from 17:00 to 05:00: "tonight at 11" is 23:00, "tonight at 1"
  is the next 01:00. "tonight" by itself is 20:00.
- "midnight" begins the date it is said with, but tonight's midnight ends it.
- A date without a year is the next one. An ISO date without a time is its 00:00.
- A bare number is epoch seconds, and refused where it cannot be; it is never a length of time.
- A local time that the clock leaps over is taken as the end of the leap, one that it shows twice
  as the first.
- An instant said in full may lie in the past; what that means is for the caller to say.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from universal_agent.domain.instant_phrase import SpokenInstant, read_spoken
from universal_agent.domain.local_time import (
    EPOCH,
    FIRST_YEAR,
    LAST_SECOND,
    LAST_YEAR,
    instant_at,
    load_zone,
    rounded_up,
)
from universal_agent.domain.phrase_reader import PhraseReader, normalised, read_duration
from universal_agent.domain.recurring_phrase import Recurring, read_every, read_recurring
from universal_agent.domain.schedule import CronSchedule, Schedule, make_cron, make_once
from universal_agent.domain.wording import describe_duration, describe_instant

__all__ = [
    "InstantPhrase",
    "SchedulePhrase",
    "describe_duration",
    "describe_instant",
    "parse_duration",
    "parse_instant",
    "parse_schedule",
    "read_instant",
]

_DURATIONS = "a length of time such as '30m', '1h30m', '90s' or '2 hours'"
_INSTANTS = "an instant such as '20m', 'tomorrow 9:15am', 'next monday at 7' or '2027-01-31T09:15'"
_SCHEDULES = (
    "a schedule such as 'every 30 minutes', 'every weekday at 9am', '0 9 * * 1-5' "
    "or 'tomorrow 9:15am'"
)

#: Smaller numbers are not instants of 1970 but lengths of time without a unit.
_FIRST_EPOCH = 100_000_000

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)

_ISO = re.compile(
    r"(\d{4})-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?( ?Z| ?[+-]\d{2}(:?\d{2})?)?)?",
    re.ASCII | re.IGNORECASE,
)

#: An expression has a star, or no letter in its first two fields.
_CRON = re.compile(r"@.*|.*\*.*|[\d,/-]+ [\d,/-]+( [\w,/#-]+){3,4}", re.ASCII)

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class InstantPhrase:
    """An instant, and the words in which it is echoed."""

    instant: datetime
    understood_as: str


@dataclass(frozen=True, slots=True)
class SchedulePhrase:
    """A schedule, and the words in which it is echoed."""

    schedule: Schedule
    understood_as: str


@lru_cache(maxsize=1024)
def parse_duration(text: str, *, field: str = "every") -> timedelta:
    """The length of time that is said, "1h30m" or "every 2 hours".

    Raises InvalidPhrase unless it is whole seconds, from 1 second to 3650 days.
    """
    phrase = normalised(text, field=field, examples=_DURATIONS)
    reader = PhraseReader(phrase, field=field, examples=_DURATIONS)
    if _NUMBER.fullmatch(phrase):
        raise reader.refusal("a number needs a unit")
    duration = read_every(reader) or read_duration(reader)
    if duration is None or not reader.at_end:
        raise reader.refusal()
    return duration


def parse_instant(
    text: str | float, *, now: datetime, timezone: str, field: str = "run_at"
) -> datetime:
    """The instant that is said, rounded up to the whole second; a naive time is in `timezone`.

    Raises InvalidPhrase when it is not understood or is a recurring phrase, and InvalidSchedule
    for an unknown zone.
    """
    return read_instant(text, now=now, timezone=timezone, field=field).instant


def read_instant(
    text: str | float, *, now: datetime, timezone: str, field: str = "run_at"
) -> InstantPhrase:
    """The instant that is said, with its echo; raises as `parse_instant` does."""
    load_zone(timezone)
    spoken = _read(text, now=now, timezone=timezone, field=field)
    instant = rounded_up(spoken.instant)
    echo = describe_instant(instant, timezone=timezone, now=now)
    return InstantPhrase(instant, f"{echo} ({spoken.note})" if spoken.note else echo)


def parse_schedule(
    text: str, *, now: datetime, timezone: str, field: str = "schedule"
) -> SchedulePhrase:
    """The schedule that is said: recurring, a cron expression, or any instant as a one-shot.

    Raises InvalidPhrase when it is not understood, and InvalidSchedule for a bad cron expression
    or zone.
    """
    load_zone(timezone)
    phrase = normalised(text, field=field, examples=_SCHEDULES)
    if _CRON.fullmatch(phrase):
        return _echoed(Recurring(make_cron(phrase, timezone)))
    reader = PhraseReader(phrase, field=field, examples=_SCHEDULES)
    recurring = read_recurring(reader, now=now, timezone=timezone)
    if recurring is not None:
        return _echoed(recurring)
    spoken = _read_written(phrase, reader, timezone)
    spoken = spoken or read_spoken(reader, now=now, timezone=timezone)
    if spoken is None:
        raise reader.refusal()
    once = make_once(spoken.instant)
    echo = describe_instant(once.run_at, timezone=timezone, now=now)
    note = f" ({spoken.note})" if spoken.note else ""
    return SchedulePhrase(once, f"once, on {echo}{note}")


def _echoed(recurring: Recurring) -> SchedulePhrase:
    note = f" ({recurring.note})" if recurring.note else ""
    return SchedulePhrase(recurring.schedule, recurring.schedule.describe() + note)


def _read(text: str | float, *, now: datetime, timezone: str, field: str) -> SpokenInstant:
    if not isinstance(text, str):
        written = repr(text) if abs(text) <= LAST_SECOND else "a number beyond all years"
        return _from_epoch(text, PhraseReader(written, field=field, examples=_INSTANTS))
    phrase = normalised(text, field=field, examples=_INSTANTS)
    reader = PhraseReader(phrase, field=field, examples=_INSTANTS)
    spoken = _read_written(phrase, reader, timezone)
    spoken = spoken or read_spoken(reader, now=now, timezone=timezone)
    if spoken is not None:
        return spoken
    if _CRON.fullmatch(phrase):
        raise reader.refusal("this is a cron expression, which is to be given as `cron_expr`")
    reader.rewind()
    recurring = read_recurring(reader, now=now, timezone=timezone)
    if recurring is None:
        raise reader.refusal()
    if isinstance(recurring.schedule, CronSchedule):
        instead = f"`cron_expr` {recurring.schedule.expr!r}"
    else:
        instead = f"`every` {describe_duration(recurring.schedule.every)!r}"
    raise reader.refusal(f"this is a recurring phrase, which is to be given as {instead}")


def _read_written(phrase: str, reader: PhraseReader, timezone: str) -> SpokenInstant | None:
    """An instant in figures: epoch seconds or ISO 8601; None when the phrase is in words."""
    if _NUMBER.fullmatch(phrase):
        return _from_epoch(float(phrase), reader)
    iso = _ISO.fullmatch(phrase)
    return None if iso is None else _from_iso(iso, reader, timezone)


def _from_epoch(seconds: float, reader: PhraseReader) -> SpokenInstant:
    if isinstance(seconds, bool) or not _FIRST_EPOCH <= seconds <= LAST_SECOND:
        raise reader.refusal(
            "a bare number is an instant in epoch seconds, "
            f"which run from {_FIRST_EPOCH} (year 1973) to {LAST_SECOND} (year {LAST_YEAR + 1})"
        )
    return SpokenInstant(EPOCH + timedelta(seconds=seconds))


def _from_iso(iso: re.Match[str], reader: PhraseReader, timezone: str) -> SpokenInstant:
    if not FIRST_YEAR <= int(iso[1]) <= LAST_YEAR:
        raise reader.refusal(f"a year is from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        said = datetime.fromisoformat(iso[0].upper().replace(" Z", "Z"))
    except ValueError as error:
        raise reader.refusal(f"there is no such date and time ({error})") from error
    if said.tzinfo is not None:
        return SpokenInstant(said.astimezone(EPOCH.tzinfo))
    whole = said.replace(microsecond=0)
    return SpokenInstant(instant_at(whole if whole == said else whole + _SECOND, timezone))
