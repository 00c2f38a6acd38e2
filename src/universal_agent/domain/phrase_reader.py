"""The tokens of a phrase, and a reader that takes them one after the other.

Each function that reads answers None, having read nothing, when something else stands there; it
raises InvalidPhrase when it is meant but cannot be ("25:00").
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from universal_agent.domain.schedule import LONGEST_INTERVAL
from universal_agent.errors import InvalidPhrase

LONGEST_PHRASE = 200

#: Descriptions of schedules list times and days, and are read back.
LONGEST_DESCRIPTION = 1000

T = TypeVar("T")

#: Typographic dashes and quotes.
_PLAIN = str.maketrans(
    {
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u2212": "-",
        "\u2019": "'",
    }
)

_TOKEN = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}(?!\d))"
    r"|(?P<slashed>\d{1,2}/\d{1,2}/\d{4}(?!\d))"
    r"|(?P<dotted>\d{1,2}\.\d{1,2}\.\d{4}(?!\d))"
    r"|(?P<clock>\d{1,2}:\d{2}(?::\d{2})?)"
    r"|(?P<minute>:\d{2})"
    r"|(?P<spelled>\d{1,2}h\d{2}\b)"
    r"|(?P<ordinal>\d{1,2}(?:st|nd|rd|th)\b)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<zone>(?:africa|america|antarctica|arctic|asia|atlantic|australia|brazil|canada|chile|etc"
    r"|europe|indian|mexico|pacific|us)/[a-z0-9_+-]+(?:/[a-z0-9_+-]+)?)"
    r"|(?P<word>[ap]\.m\.|[a-z]+(?:'[a-z]+)?)"
    r"|(?P<mark>[,/&+().-])"
    r"|(?P<space> +)"
    r"|(?P<unknown>.)",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)

# fmt: off
_NUMBER_WORDS = (
    "one", "two", "three", "four", "five", "six",
    "seven", "eight", "nine", "ten", "eleven", "twelve",
)
# fmt: on
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
_SINGLE_UNITS = ("week", "day", "hour", "minute", "second", "min", "hr", "sec")


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the phrase and what sort it is (a group's name in the token pattern)."""

    sort: str
    text: str
    #: As it was written, and where.
    written: str = ""
    start: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.written)


class PhraseReader:
    """A phrase, cut into tokens, and how far it has been read."""

    def __init__(self, text: str, *, field: str, examples: str) -> None:
        self.text = text
        self.field = field
        self.examples = examples
        self.position = 0
        self.tokens = [
            Token(match.lastgroup or "unknown", match[0].casefold(), match[0], match.start())
            for match in _TOKEN.finditer(text)
            if match.lastgroup != "space"
        ]

    @property
    def at_end(self) -> bool:
        return self.position == len(self.tokens)

    def peek(self, ahead: int = 0) -> Token:
        """A token before or after the position, or one of sort `end`."""
        position = self.position + ahead
        return self.tokens[position] if 0 <= position < len(self.tokens) else Token("end", "")

    def take(self, *words: str) -> str | None:
        """Read the next token if it is one of the words."""
        token = self.peek()
        if token.text in words:
            self.position += 1
            return token.text
        return None

    def take_all(self, *words: str) -> bool:
        """Read the words if they come next in this order; "of|in" is one of several."""
        if all(self.peek(ahead).text in word.split("|") for ahead, word in enumerate(words)):
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


def normalised(text: str, *, field: str, examples: str, most: int = LONGEST_PHRASE) -> str:
    """The phrase with single spaces and one form of each character; raises when empty or long."""
    if len(text) > most:
        reason = f"a phrase has at most {most} characters; expected {examples}"
        raise InvalidPhrase(f"{reason}, got {len(text)} of them", field=field)
    phrase = " ".join(unicodedata.normalize("NFKC", text).translate(_PLAIN).split())
    if not phrase:
        raise InvalidPhrase(f"expected {examples}, got nothing", field=field)
    return phrase


JOINERS = (",", "and", "&", "/", "+")


def read_list(reader: PhraseReader, read: Callable[[PhraseReader], T | None]) -> Sequence[T]:
    """One or more of what `read` reads, joined by commas, "and" or a slash; empty without one."""
    items: list[T] = []
    here = reader.position
    while (item := read(reader)) is not None:
        items.append(item)
        here = reader.position
        comma = reader.take(",", "/") is not None
        if not (reader.take("and", "&", "+") or comma):
            break
    reader.position = here
    return items


def read_number(reader: PhraseReader) -> int | None:
    """A whole number, in digits or as a word up to twelve."""
    here = reader.position
    text = reader.take_sort("number")
    if text is not None and text.isdigit():
        return int(text)
    reader.position = here
    word = reader.take(*_NUMBER_WORDS)
    return None if word is None else _NUMBERS[word]


def read_duration(reader: PhraseReader) -> timedelta | None:
    """A length of time, "1h30m", "90 minutes", "2 hours and 5 minutes", "half an hour".

    Units go from long to short, each once. Raises InvalidPhrase unless it comes to whole seconds,
    from 1 second to LONGEST_INTERVAL.
    """
    total = Decimal(0)
    shortest: timedelta | None = None
    while (part := _read_quantity(reader, shortest)) is not None:
        number, unit = part
        if shortest is not None and unit >= shortest:
            raise reader.refusal("the units of a length of time go from long to short, each once")
        total, shortest = total + number * (unit // _SECOND), unit
        if reader.take_all("and", "a", "half"):
            total += Decimal(unit // _SECOND) / 2
            break
    if shortest is None:
        return None
    if total != total.to_integral_value():
        raise reader.refusal("a length of time is a whole number of seconds")
    if not 1 <= total <= LONGEST_INTERVAL // _SECOND:
        longest = LONGEST_INTERVAL.days
        raise reader.refusal(f"a length of time is from 1 second to {longest} days")
    return timedelta(seconds=int(total))


def _read_quantity(
    reader: PhraseReader, longer: timedelta | None
) -> tuple[Decimal, timedelta] | None:
    """A number and its unit, joined to a `longer` one by nothing, a comma or "and"."""
    here = reader.position
    if longer is None and (spelled := reader.take_sort("spelled")):
        hours, minutes = (int(part) for part in spelled.split("h"))
        return Decimal(hours * 60 + minutes), timedelta(minutes=1)
    if longer is not None:
        reader.take(",")
        reader.take("and")
    number: Decimal | None = None
    if reader.take("half"):
        reader.take("a", "an")
        number = Decimal("0.5")
    elif reader.peek().text == "quarter" or reader.peek(1).text == "quarter":
        reader.take("a")
        reader.take("quarter")
        reader.take_all("of", "an|a")
        number = Decimal("0.25") if reader.peek().text == "hour" else None
    elif reader.take_all("a", "couple", "of"):
        number = Decimal(2)
    elif reader.peek().sort == "number":
        number = Decimal(reader.take_sort("number") or 0)
    elif reader.peek().text in _NUMBERS:
        number = Decimal(_NUMBERS[reader.take(*_NUMBERS) or ""])
    unit = reader.take(*_UNIT_LENGTHS)
    if number is None or unit is None:
        reader.position = here
        return None
    return number, _UNIT_LENGTHS[unit]


def read_unit(reader: PhraseReader) -> timedelta | None:
    """A unit in the singular, as in "every hour"."""
    unit = reader.take(*_SINGLE_UNITS)
    return None if unit is None else _UNIT_LENGTHS[unit]
