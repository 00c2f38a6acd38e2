"""Times of day, parts of the day and windows, as people say them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from universal_agent.domain.phrase_reader import PhraseReader, read_list

#: Hours at which a part of the day begins and ends; the night goes on until 05:00.
DAY_PARTS = {
    "morning": (5, 12),
    "afternoon": (12, 18),
    "evening": (17, 24),
    "night": (17, 29),
}

_NAMED_TIMES = {"noon": time(12), "midday": time(12), "midnight": time(0)}
_HALVES = {"am": 0, "a.m.": 0, "pm": 12, "p.m.": 12}
_SHORT_HALVES = {"a": 0, "p": 12}

#: Beginnings and ends of a working day, which "from 9 to 5" is about.
_WORK_BEGINS, _WORK_ENDS = (7, 8, 9), (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """A time of day as it was said; `bare` when neither am nor pm was."""

    clock: time
    bare: bool = False
    #: Whether it is certainly of the 24-hour clock: "09:00", "0930", "17".
    certain: bool = False

    def in_part(self, part: str) -> time | None:
        """The time as it is meant in a part of the day: "at 11" of the night is 23:00.

        None when it does not lie in it.
        """
        begin, end = DAY_PARTS[part]
        hours = (self.clock.hour, self.clock.hour + 12) if self.bare else (self.clock.hour,)
        for hour in hours:
            if begin <= hour < end or begin <= hour + 24 < end:
                return self.clock.replace(hour=hour % 24)
        return None

    @property
    def second(self) -> int:
        """Seconds since midnight."""
        return self.clock.hour * 3600 + self.clock.minute * 60 + self.clock.second


def read_times(reader: PhraseReader) -> Sequence[TimeOfDay]:
    """Times of day, "at 9, 12 and 5pm": "at" announces the whole list.

    Raises InvalidPhrase when a bare hour may be meant with the am or pm of another.
    """
    announced = reader.peek().text == "at"
    times = read_list(reader, lambda r: read_time(r, announced=announced))
    for index, said in enumerate(times[:-1]):
        if not said.bare or said.certain or not said.clock.hour or times[index + 1].bare:
            continue
        later = said.clock.replace(hour=said.clock.hour + 12)
        following = times[index + 1].clock
        if following.hour >= 12 and later < following:
            raise reader.refusal(
                f"{said.clock:%H:%M} has two readings with {following:%H:%M}: write "
                f"'{said.clock:%H:%M}' or '{later:%H:%M}'"
            )
    for index, said in enumerate(times[1:], start=1):
        before = times[index - 1]
        if said.bare and not said.certain and not before.bare and said.clock < before.clock:
            later = said.clock.replace(hour=said.clock.hour + 12)
            raise reader.refusal(
                f"{said.clock:%H:%M} has two readings after {before.clock:%H:%M}: write "
                f"'{said.clock:%H:%M}' or '{later:%H:%M}'"
            )
    return times


def read_time(reader: PhraseReader, *, announced: bool = False) -> TimeOfDay | None:
    """A time of day, "9am", "9:15 pm", "13:30", "noon"; once announced by "at" also "7"."""
    here = reader.position
    announced = reader.take("at") is not None or announced
    said = _read_clock(reader, announced=announced)
    if said is None:
        reader.position = here
        return None
    reader.take("o'clock")
    if reader.take_all("in", "the", "morning|afternoon|evening"):
        part = reader.tokens[reader.position - 1].text
    elif reader.take_all("at", "night"):
        part = "night"
    else:
        return said
    clock = said.in_part(part)
    if clock is None:
        raise reader.refusal(f"{said.clock:%H:%M} is not in the {part}")
    return TimeOfDay(clock)


def _read_clock(reader: PhraseReader, *, announced: bool) -> TimeOfDay | None:
    if named := reader.take(*_NAMED_TIMES):
        return TimeOfDay(_NAMED_TIMES[named])
    if clock := reader.take_sort("clock"):
        parts = [int(part) for part in clock.split(":")]
        return _time_of_day(reader, *parts, certain=clock.index(":") == 2)
    if announced and (spelled := reader.take_sort("spelled")):
        return _time_of_day(reader, *(int(part) for part in spelled.split("h")))
    number = reader.take_sort("number")
    if number is None:
        return None
    half_follows = _half(reader, take=False) is not None
    if not (announced or half_follows or reader.peek().text == "o'clock"):
        return None
    hour, dot, minute = number.partition(".")
    if dot:
        return _time_of_day(reader, int(hour), int(minute)) if len(minute) == 2 else None
    if len(number) == 4 and not half_follows:
        reader.take("h", "hrs", "hours")
        return _time_of_day(reader, int(number[:2]), int(number[2:]), certain=True)
    if len(number) > 2:
        return None
    if not half_follows:
        reader.take("h")
    return _time_of_day(reader, int(number))


def _half(reader: PhraseReader, *, take: bool = True) -> int | None:
    """Hours that "am" or "pm" adds, also "3p" when it is written as one word."""
    token = reader.peek()
    half = _HALVES.get(token.text)
    if half is None and reader.position and reader.tokens[reader.position - 1].end == token.start:
        half = _SHORT_HALVES.get(token.text)
    if half is not None and take:
        reader.position += 1
    return half


def _time_of_day(
    reader: PhraseReader, hour: int, minute: int = 0, second: int = 0, *, certain: bool = False
) -> TimeOfDay:
    half = _half(reader)
    if half is not None:
        if not 1 <= hour <= 12:
            raise reader.refusal(f"there is no {hour} {'pm' if half else 'am'}")
        hour = hour % 12 + half
    if hour > 23 or minute > 59 or second > 59:
        raise reader.refusal("a time of day is from 00:00 to 23:59")
    certain = certain or not 1 <= hour < 12
    return TimeOfDay(time(hour, minute, second), bare=half is None, certain=certain)


def read_day_part(reader: PhraseReader) -> str | None:
    """A part of the day, "morning"."""
    return reader.take(*DAY_PARTS)


def read_window(reader: PhraseReader) -> tuple[int, int] | None:
    """ "from 9:00 to 17:00", "between 8am and 8pm", as seconds since midnight.

    Raises InvalidPhrase for bare hours with two readings.
    """
    here = reader.position
    begins = reader.peek().start
    opening = reader.take("from", "between")
    if opening is None:
        return None
    first = read_time(reader, announced=True)
    joined = reader.take(
        "to", "until", "till", "through", "-", "and" if opening == "between" else "-"
    )
    last = read_time(reader, announced=True) if first and joined else None
    if first is None or last is None:
        reader.position = here
        return None
    begin, end = first.second, last.second
    next_day = reader.take_all("of", "the", "next", "day")
    if end > begin or next_day or not last.bare or last.certain or first.clock.hour > 12:
        return begin, end
    later = last.clock.replace(hour=last.clock.hour + 12)
    if first.clock.hour not in _WORK_BEGINS or last.clock.hour not in _WORK_ENDS:
        before, after = reader.text[:begins], reader.text[reader.peek(-1).end :]
        forms = " or ".join(
            f"'{before}from {first.clock:%H:%M} to {end:%H:%M}{after}'"
            for end in (later, last.clock)
        )
        raise reader.refusal(f"this window has two readings: write {forms}")
    return begin, end + 12 * 3600
