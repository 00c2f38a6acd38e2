"""What are the words of a phrase, and the small things said with them?

A phrase is cut into tokens, and the functions here read a length of time, a time of day or a
part of the day from the front of what is left. Each answers None, having read nothing, when
something else stands there; it raises InvalidPhrase when it is meant but cannot be ("25:00").
"""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from typing import TypeVar

from universal_agent.domain.schedule import LONGEST_INTERVAL
from universal_agent.errors import InvalidPhrase

LONGEST_PHRASE = 200

T = TypeVar("T")

_TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}\b)"
    r"|(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)"
    r"|(?P<minute>:\d{2})"
    r"|(?P<ordinal>\d{1,2}(?:st|nd|rd|th)\b)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<word>[ap]\.m\.|[a-z]+)"
    r"|(?P<mark>[,-])"
    r"|(?P<space> +)"
    r"|(?P<unknown>.)",
    re.ASCII | re.DOTALL,
)

_NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: number for number, word in enumerate(_NUMBER_WORDS, start=1)} | {"a": 1, "an": 1}

_SECOND = timedelta(seconds=1)
_UNITS = {
    timedelta(weeks=1): ("w", "wk", "wks", "week", "weeks"),
    timedelta(days=1): ("d", "day", "days"),
    timedelta(hours=1): ("h", "hr", "hrs", "hour", "hours"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes"),
    _SECOND: ("s", "sec", "secs", "second", "seconds"),
}
_UNIT_LENGTHS = {word: length for length, words in _UNITS.items() for word in words}

#: Hours at which a part of the day begins and ends; the night goes on until 05:00.
_DAY_PARTS = {
    "morning": (5, 12),
    "afternoon": (12, 18),
    "evening": (17, 24),
    "night": (17, 29),
}

_NAMED_TIMES = {"noon": time(12), "midday": time(12), "midnight": time(0)}
_HALVES = {"am": 0, "a.m.": 0, "pm": 12, "p.m.": 12}

_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_WEEKDAYS_PLURAL = {f"{name}s": number for name, number in _WEEKDAYS.items()}
_WEEKDAYS |= {name[:3]: number for name, number in _WEEKDAYS.items()}
_WEEKDAYS |= {"tues": 1, "weds": 2, "thur": 3, "thurs": 3}

# fmt: off
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)
# fmt: on
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"sept": 9}

_A_LEAP_YEAR = 2024


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the phrase and what sort it is (a group's name in the token pattern)."""

    sort: str
    text: str


class PhraseReader:
    """A phrase, cut into tokens, and how far it has been read."""

    def __init__(self, text: str, *, field: str, examples: str) -> None:
        self.text = text
        self.field = field
        self.examples = examples
        self.position = 0
        self.tokens = [
            Token(match.lastgroup or "unknown", match[0])
            for match in _TOKEN.finditer(text.casefold())
            if match.lastgroup != "space"
        ]

    @property
    def at_end(self) -> bool:
        return self.position == len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one of sort `end`."""
        position = self.position + ahead
        return self.tokens[position] if position < len(self.tokens) else Token("end", "")

    def take(self, *words: str) -> str | None:
        """Read the next token if it is one of the words."""
        token = self.peek()
        if token.text in words:
            self.position += 1
            return token.text
        return None

    def take_all(self, *words: str) -> bool:
        """Read the words if they come next, one after the other."""
        if all(self.peek(ahead).text == word for ahead, word in enumerate(words)):
            self.position += len(words)
            return True
        return False

    def take_sort(self, sort: str) -> str | None:
        """Read the next token if it is of this sort."""
        token = self.peek()
        if token.sort == sort:
            self.position += 1
            return token.text
        return None

    def rewind(self) -> None:
        """Read from the beginning again."""
        self.position = 0

    def refusal(self, reason: str = "this was not understood") -> InvalidPhrase:
        """The error that says why, what was expected, and what came."""
        message = f"{reason}; expected {self.examples}, got {shown(self.text)}"
        return InvalidPhrase(message, field=self.field)


def shown(text: str) -> str:
    """What came, quoted, and cut when it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def normalised(text: str, *, field: str, examples: str) -> str:
    """The phrase with single spaces and one form of each character; raises when empty or long."""
    if len(text) > LONGEST_PHRASE:
        reason = f"a phrase has at most {LONGEST_PHRASE} characters; expected {examples}"
        raise InvalidPhrase(f"{reason}, got {len(text)} of them", field=field)
    phrase = " ".join(unicodedata.normalize("NFKC", text).split())
    if not phrase:
        raise InvalidPhrase(f"expected {examples}, got nothing", field=field)
    return phrase


def read_list(reader: PhraseReader, read: Callable[[PhraseReader], T | None]) -> Sequence[T]:
    """One or more of what `read` reads, joined by commas and "and"; empty when there is none."""
    items: list[T] = []
    here = reader.position
    while (item := read(reader)) is not None:
        items.append(item)
        here = reader.position
        if not any([reader.take(","), reader.take("and")]):
            break
    reader.position = here
    return items


def read_duration(reader: PhraseReader) -> timedelta | None:
    """A length of time, "1h30m", "90 minutes", "2 hours and 5 minutes", "half an hour".

    Units go from long to short, each once. Raises InvalidPhrase unless it comes to whole seconds,
    from 1 second to LONGEST_INTERVAL.
    """
    total = Decimal(0)
    shortest: timedelta | None = None
    while (part := _read_quantity(reader, joined=shortest is not None)) is not None:
        number, unit = part
        if shortest is not None and unit >= shortest:
            raise reader.refusal("the units of a length of time go from long to short, each once")
        total, shortest = total + number * (unit // _SECOND), unit
    if shortest is None:
        return None
    if total != total.to_integral_value():
        raise reader.refusal("a length of time is a whole number of seconds")
    if not 1 <= total <= LONGEST_INTERVAL // _SECOND:
        longest = LONGEST_INTERVAL.days
        raise reader.refusal(f"a length of time is from 1 second to {longest} days")
    return timedelta(seconds=int(total))


def _read_quantity(reader: PhraseReader, *, joined: bool) -> tuple[Decimal, timedelta] | None:
    """A number and its unit; `joined` to an earlier one by nothing, a comma or "and"."""
    here = reader.position
    if joined:
        reader.take(",")
        reader.take("and")
    number: Decimal | None = None
    if reader.take("half"):
        number = Decimal("0.5") if reader.take("a", "an") else None
    elif reader.peek().sort == "number":
        number = Decimal(reader.take_sort("number") or 0)
    elif reader.peek().text in _NUMBERS:
        number = Decimal(_NUMBERS[reader.take(*_NUMBERS) or ""])
    unit = reader.take(*_UNIT_LENGTHS)
    if number is None or unit is None:
        reader.position = here
        return None
    return number, _UNIT_LENGTHS[unit]


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day as it was said; `bare` when neither am nor pm was."""

    clock: time
    bare: bool = False

    def in_part(self, part: str) -> time | None:
        """The time as it is meant in a part of the day: "at 11" of the night is 23:00.

        None when it does not lie in it.
        """
        begin, end = _DAY_PARTS[part]
        hours = (self.clock.hour, self.clock.hour + 12) if self.bare else (self.clock.hour,)
        for hour in hours:
            if begin <= hour < end or begin <= hour + 24 < end:
                return self.clock.replace(hour=hour % 24)
        return None


def read_time(reader: PhraseReader, *, announced: bool = False) -> TimeOfDay | None:
    """A time of day, "9am", "9:15 pm", "13:30", "noon"; once announced by "at" also "7"."""
    here = reader.position
    announced = reader.take("at") is not None or announced
    if named := reader.take(*_NAMED_TIMES):
        return TimeOfDay(_NAMED_TIMES[named])
    if clock := reader.take_sort("clock"):
        return _time_of_day(reader, *(int(part) for part in clock.split(":")))
    hour = reader.take_sort("number")
    if hour is not None and hour.isdigit() and (announced or reader.peek().text in _HALVES):
        return _time_of_day(reader, int(hour))
    reader.position = here
    return None


def _time_of_day(reader: PhraseReader, hour: int, minute: int = 0, second: int = 0) -> TimeOfDay:
    half = reader.take(*_HALVES)
    if half is not None:
        if not 1 <= hour <= 12:
            raise reader.refusal(f"there is no {hour} {half}")
        hour = hour % 12 + _HALVES[half]
    if hour > 23 or minute > 59 or second > 59:
        raise reader.refusal("a time of day is from 00:00 to 23:59")
    return TimeOfDay(time(hour, minute, second), bare=half is None)


def read_day_part(reader: PhraseReader) -> str | None:
    """A part of the day, "morning"."""
    return reader.take(*_DAY_PARTS)


def read_weekday(reader: PhraseReader, *, plural: bool = False) -> int | None:
    """A weekday by name, Monday being 0; with `plural`, "mondays"."""
    names = _WEEKDAYS_PLURAL if plural else _WEEKDAYS
    name = reader.take(*names)
    return None if name is None else names[name]


def read_month_day(reader: PhraseReader) -> tuple[int, int] | None:
    """A day of a month, "24 december", "the 1st of may", "dec 24th", as (month, day)."""
    here = reader.position
    month = _MONTHS.get(reader.take(*_MONTHS) or "")
    reader.take("the")
    day = reader.take_sort("ordinal") or reader.take_sort("number") or ""
    reader.take("of")
    month = month or _MONTHS.get(reader.take(*_MONTHS) or "")
    number = re.sub(r"[a-z]+", "", day)
    if month is None or not number.isdigit():
        reader.position = here
        return None
    if not 1 <= int(number) <= monthrange(_A_LEAP_YEAR, month)[1]:
        raise reader.refusal("that month has no such day")
    return month, int(number)
