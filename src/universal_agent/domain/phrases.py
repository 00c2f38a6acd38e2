"""A person's words about time: schedules, instants and lengths of time.

A small strict grammar: what it understands it echoes in full (`understood_as`), and everything
else is refused with the nearest form that would do. Nothing is guessed, since a misread phrase
would run at the wrong time in silence. The rules:

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
- A length of time alone is once, "30m" as "in 30 minutes"; "every 30m" repeats. A weekday alone is
  once, "monday 9am"; two of them, a plural or a range repeat. A date alone is once.
- "every 30 minutes" counts from now. With days or a window it follows the clock from 00:00.
- A zone in the words goes before any other.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from universal_agent.domain.caveats import caveats, written_notes
from universal_agent.domain.foreign_phrase import iso_length, read_foreign, split_zone
from universal_agent.domain.instant_phrase import SpokenInstant, read_spoken
from universal_agent.domain.local_time import (
    EPOCH,
    FIRST_YEAR,
    LAST_SECOND,
    LAST_YEAR,
    instant_at,
    rounded_up,
    zone_of,
)
from universal_agent.domain.phrase_reader import (
    LONGEST_DESCRIPTION,
    LONGEST_PHRASE,
    PhraseReader,
    normalised,
    read_duration,
    read_unit,
)
from universal_agent.domain.recurring_schedule import read_recurring
from universal_agent.domain.said_zone import take_zone
from universal_agent.domain.schedule import (
    CronSchedule,
    OneShotSchedule,
    Schedule,
    make_cron,
    make_once,
)
from universal_agent.domain.wording import describe_duration, describe_instant
from universal_agent.errors import InvalidInput, InvalidPhrase

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

#: An expression has a star or `?`, or no letter in its first two fields.
_CRON = re.compile(
    r"@.*|.*[*?].*|[\d,/~-]+ [\d,/~-]+( [\w,/#~+-]+){3,5}|H(\(\S*\))?(/\d+)? .*"
    r"|[\d:,/smh-]*\d:\d\d\S*( \S+){3}( every \d+ (days|weeks))?( from \d{4}-\S+)?"
    r"|[\d,/-]+ [\d,/-]+( [\w,/#-]+){3,4}( every \d+ (days|weeks))? from \d{4}-\S+",
    re.ASCII,
)

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class InstantPhrase:
    """An instant, and the words in which it is echoed."""

    instant: datetime
    understood_as: str
    #: The zone that its words were read in, and whether they named it themselves.
    timezone: str = "UTC"
    names_zone: bool = False
    #: What a person may not expect of it.
    note: str = ""


@dataclass(frozen=True, slots=True)
class SchedulePhrase:
    """A schedule, and the words in which it is echoed."""

    schedule: Schedule
    understood_as: str
    #: The zone that its words were read in, and whether they named it themselves.
    timezone: str = "UTC"
    names_zone: bool = False
    #: What a person may not expect of it.
    notes: tuple[str, ...] = ()
    #: Whether the words say from when on it counts.
    is_anchored: bool = False


@lru_cache(maxsize=1024)
def parse_duration(text: str, *, field: str = "every") -> timedelta:
    """The length of time that is said, "1h30m" or "every 2 hours".

    Raises InvalidPhrase unless it is whole seconds, from 1 second to 3650 days.
    """
    phrase = normalised(text, field=field, examples=_DURATIONS)
    reader = PhraseReader(phrase, field=field, examples=_DURATIONS)
    if _NUMBER.fullmatch(phrase):
        raise reader.refusal(f"a number needs a unit, as in '{phrase}s' or '{phrase}m'")
    if (iso := iso_length(phrase)) is not None:
        phrase = describe_duration(iso)
        reader = PhraseReader(phrase, field=field, examples=_DURATIONS)
    reader.take("@")
    repeats = reader.take("every", "each")
    duration = (read_unit(reader) if repeats else None) or read_duration(reader)
    if duration is not None and reader.at_end:
        return duration
    raise reader.refusal()


def parse_instant(
    text: str | float, *, now: datetime, timezone: str, field: str = "run_at", past: bool = False
) -> datetime:
    """The instant that is said, rounded up to the whole second; a naive time is in `timezone`.

    `past`: the latest instant that fits is meant ("monday" is the last one), not the next.
    Raises InvalidPhrase when it is not understood or is a recurring phrase, and InvalidSchedule
    for an unknown zone.
    """
    return read_instant(text, now=now, timezone=timezone, field=field, past=past).instant


def read_instant(
    text: str | float, *, now: datetime, timezone: str, field: str = "run_at", past: bool = False
) -> InstantPhrase:
    """The instant that is said, with its echo; raises as `parse_instant` does."""
    zone_of(timezone)
    zone = None
    if not isinstance(text, str):
        written = repr(text) if abs(text) <= LAST_SECOND else "a number beyond all years"
        spoken = _from_epoch(text, PhraseReader(written, field=field, examples=_INSTANTS))
    else:
        reader, zone = _opened(text, field, _INSTANTS)
        timezone = zone or timezone
        found = _instant(reader, now=now, timezone=timezone, past=past)
        if found is None:
            raise _no_instant(reader, now=now, timezone=timezone)
        spoken = found
    instant = rounded_up(spoken.instant)
    echo = describe_instant(instant, timezone=timezone, now=now)
    understood_as = f"{echo} ({spoken.note})" if spoken.note else echo
    return InstantPhrase(instant, understood_as, timezone, zone is not None, spoken.note)


def parse_schedule(
    text: str, *, now: datetime, timezone: str, field: str = "schedule"
) -> SchedulePhrase:
    """The schedule that is said: recurring, a cron expression, or any instant as a one-shot.

    Raises InvalidPhrase when it is not understood, and InvalidSchedule for a bad cron expression
    or zone.
    """
    zone_of(timezone)
    reader, zone = _opened(text, field, _SCHEDULES)
    timezone = zone or timezone
    schedule, note, is_anchored = _schedule(reader, now=now, timezone=timezone)
    echo = schedule.describe()
    if isinstance(schedule, OneShotSchedule):
        when = describe_instant(schedule.run_at, timezone=timezone, now=now)
        echo = f"once, on {when}"
    notes = tuple(filter(None, (note, *caveats(schedule))))
    understood_as = f"{echo} ({'; '.join(notes)})" if notes else echo
    if isinstance(schedule, CronSchedule) and schedule.expr == reader.text:
        notes, understood_as = (*notes, *written_notes(schedule.expr)), echo
    return SchedulePhrase(schedule, understood_as, timezone, zone is not None, notes, is_anchored)


def _opened(text: str, field: str, examples: str) -> tuple[PhraseReader, str | None]:
    """A reader of the phrase without its zone, and the zone."""
    most = LONGEST_DESCRIPTION if examples is _SCHEDULES else LONGEST_PHRASE
    phrase = normalised(text, field=field, examples=examples, most=most)
    phrase, prefix = split_zone(phrase)
    if prefix is not None:
        zone_of(prefix)
    if not re.search(r"\b[ap]\.m\.$", phrase, re.IGNORECASE):
        phrase = phrase.rstrip(".!") or phrase
    reader = PhraseReader(phrase, field=field, examples=examples)
    return reader, prefix or (take_zone(reader) if " " in phrase else None)


def _schedule(reader: PhraseReader, *, now: datetime, timezone: str) -> tuple[Schedule, str, bool]:
    phrase = reader.text
    foreign = read_foreign(reader, now=now, timezone=timezone)
    if foreign is not None:
        return foreign.schedule, foreign.note, foreign.is_anchored
    if _CRON.fullmatch(phrase):
        return make_cron(phrase, timezone), "", True
    recurring = read_recurring(reader, now=now, timezone=timezone)
    if recurring is not None:
        return recurring.schedule, recurring.note, recurring.is_anchored
    spoken = _instant(reader, now=now, timezone=timezone)
    if spoken is None:
        raise _not_understood(reader, now=now, timezone=timezone)
    return make_once(spoken.instant), spoken.note, True


def _instant(
    reader: PhraseReader, *, now: datetime, timezone: str, past: bool = False
) -> SpokenInstant | None:
    reader.rewind()
    written = _read_written(reader, timezone)
    return written or read_spoken(reader, now=now, timezone=timezone, past=past)


def _no_instant(reader: PhraseReader, *, now: datetime, timezone: str) -> InvalidPhrase:
    """Why a phrase is no instant, and what is to be given instead."""
    if _CRON.fullmatch(reader.text):
        return reader.refusal("this is a cron expression, which is to be given as `cron_expr`")
    reader.rewind()
    recurring = read_recurring(reader, now=now, timezone=timezone)
    if recurring is None:
        return reader.refusal()
    if isinstance(recurring.schedule, CronSchedule):
        instead = f"`cron_expr` {recurring.schedule.expr!r}"
    else:
        instead = f"`every` {describe_duration(recurring.schedule.every)!r}"
    return reader.refusal(f"this is a recurring phrase, which is to be given as {instead}")


_EXCEPT = re.compile(r"\b(except|but|excluding|without|not)\b(.*)", re.IGNORECASE)
_NIGHT = re.compile(r"\b(night|evening|morning|lunch|noon|hours?|\d{1,2}(:\d\d)?( ?[ap]m)?)\b")
_RHYTHM = re.compile(r"\b(every|each|\w+ly|\w+days)\b", re.IGNORECASE)

#: Phrases with more words are refused without a search for the nearest form.
_MOST_WORDS = 14


def _not_understood(reader: PhraseReader, *, now: datetime, timezone: str) -> InvalidPhrase:
    """A refusal that names the longest part of the phrase which is understood."""
    words = reader.text.split(" ")
    if negation := _EXCEPT.search(reader.text):
        return reader.refusal(_what_remains(negation))
    if both := _two_schedules(reader, now=now, timezone=timezone):
        return reader.refusal(both)
    lengths = range(len(words) - 1, 0, -1) if len(words) <= _MOST_WORDS else ()
    for length in lengths:
        for begin in range(len(words) - length + 1):
            part = " ".join(words[begin : begin + length])
            if nearest := _nearest(part, reader, now=now, timezone=timezone):
                rest = " ".join([*words[:begin], *words[begin + length :]])
                return reader.refusal(f"{rest!r} was not understood; without it: '{nearest}'")
    return reader.refusal()


def _what_remains(negation: re.Match[str]) -> str:
    """What to write in place of an exception other than weekdays."""
    if _NIGHT.search(negation[2].lower()):
        what = "the hours that remain, as in 'every hour from 6:00 to 22:00'"
    else:
        what = "the days that remain, as in 'every day except sunday at 9am'"
    return f"{negation[1]!r} was not understood there; name {what}"


def _two_schedules(reader: PhraseReader, *, now: datetime, timezone: str) -> str:
    """The refusal of "mondays at 9am and thursdays at 4pm"; empty for other phrases."""
    for match in re.finditer(r",? and |, ", reader.text):
        parts = [reader.text[: match.start()], reader.text[match.end() :]]
        if all(_nearest(part, reader, now=now, timezone=timezone) == part for part in parts):
            return f"this is two schedules, a job each: write '{parts[0]}' and '{parts[1]}'"
    return ""


def _nearest(part: str, reader: PhraseReader, *, now: datetime, timezone: str) -> str | None:
    """The part of a phrase if it is understood, with a time of day where it lacks one."""
    if not re.search(r"[a-z]{2}", part, re.IGNORECASE) or part.lower() in ("every", "each"):
        return None
    has_time = re.search(r"\d|noon|midnight", part)
    for phrase in (part,) if has_time else (part, f"{part} at 9am"):
        inner = PhraseReader(phrase, field=reader.field, examples=reader.examples)
        try:
            found = read_recurring(inner, now=now, timezone=timezone)
            spoken = found or _instant(inner, now=now, timezone=timezone)
        except InvalidInput:
            continue
        if found is not None or (spoken is not None and not _RHYTHM.search(reader.text)):
            return phrase
    return None


def _read_written(reader: PhraseReader, timezone: str) -> SpokenInstant | None:
    """An instant in figures: epoch seconds or ISO 8601; None when the phrase is in words."""
    phrase = re.sub(r"^(once,? )?((at|on) )?(?=\d{4}-)", "", reader.text, flags=re.IGNORECASE)
    if _NUMBER.fullmatch(phrase):
        return _from_epoch(float(phrase), reader)
    if iso := _ISO.fullmatch(phrase):
        return _from_iso(iso, reader, timezone)
    return None


def _from_epoch(seconds: float, reader: PhraseReader) -> SpokenInstant:
    if isinstance(seconds, bool) or not _FIRST_EPOCH <= seconds <= LAST_SECOND:
        raise reader.refusal(
            "a bare number is an instant in epoch seconds, "
            f"which run from {_FIRST_EPOCH} (year 1973) to {LAST_SECOND} (year {LAST_YEAR + 1}); "
            "a length of time needs a unit, as in '90s'"
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
