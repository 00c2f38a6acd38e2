"""The fields of a cron expression, read as sets of numbers.

In addition to crontab's five fields there are six with the seconds first, `L`, `LW`, `15W`, `L-3`,
`5L`, `MON#1`, ranges that go round (`22-6`, `fri-mon`), full names, and `?` for `*` in a day
field. Two forms are our own, for what crontab cannot say: times of day in the place of minute and
hour (`09:30,17:00 * * 1-5`, `09:00-17:00/30m * * *`), and a period after the fields (`0 9 * * 1
every 2 weeks from 2026-11-30`, `0 9 * * * from 2026-11-30T09:00`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

DAY_SECONDS = 86_400

_DAY_NAMES = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
# fmt: off
_MONTH_NAMES = (
    "JANUARY", "FEBRUARY", "MARCH", "APRIL", "MAY", "JUNE",
    "JULY", "AUGUST", "SEPTEMBER", "OCTOBER", "NOVEMBER", "DECEMBER",
)
# fmt: on
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES)}
_DAYS |= {name[:3]: number for name, number in _DAYS.items()}
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_MONTHS |= {name[:3]: number for name, number in _MONTHS.items()} | {"SEPT": 9}

_ITEM = re.compile(r"(?P<first>\*|\?|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_WINDOW = re.compile(r"([\d:]+)-([\d:]+)/(\d+)([hms])", re.ASCII)
_PERIOD = re.compile(
    r"(?P<fields>.+?)(?: every (?P<n>\d{1,3}) (?P<unit>days|weeks))?"
    r" from (?P<day>\d{4}-\d{2}-\d{2})(?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2})?))?",
    re.ASCII | re.IGNORECASE,
)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadField(ValueError):
    """A field that cannot be read; `reason` says why when there is more to say than its range."""

    def __init__(self, name: str, value: str, reason: str = "") -> None:
        super().__init__(reason)
        self.name = name
        self.value = value
        self.reason = reason


class BadCount(ValueError):
    """Too few or too many fields."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} fields")
        self.count = count


@dataclass(frozen=True, slots=True)
class FieldRange:
    """The numbers and names that a field may have."""

    name: str
    first: int
    last: int
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def every(self) -> frozenset[int]:
        return frozenset(range(self.first, self.last + 1))

    def number(self, text: str) -> int:
        """The number of a name or of digits; raises BadField outside the range."""
        number = int(text) if text.isdigit() else self.names.get(text)
        if number is None or not self.first <= number <= self.last:
            raise BadField(self.name, text)
        return number

    def item(self, text: str) -> frozenset[int]:
        """The numbers of `5`, `1-5`, `*/15`, `5/15`, `22-6` or `22-6/2`."""
        match = _ITEM.fullmatch(text)
        step = int(match["step"] or 1) if match else 0
        if match is None or not step or (match["first"] in "*?" and match["last"]):
            raise BadField(self.name, text)
        if match["first"] in "*?":
            return frozenset(range(self.first, self.last + 1, step))
        first = self.number(match["first"])
        if match["last"] is None:
            last = self.last if match["step"] else first
            return frozenset(range(first, last + 1, step))
        last = self.number(match["last"])
        if last >= first:
            return frozenset(range(first, last + 1, step))
        cycle = _SUNDAY if self is WEEKDAY else self.last - self.first + 1
        first = 0 if self is WEEKDAY and first == _SUNDAY else first
        last += cycle if last < first else 0
        around = (
            number if number <= self.last else number - cycle
            for number in range(first, last + 1, step)
        )
        return frozenset(around)


_SUNDAY = 7

SECOND = FieldRange("second", 0, 59)
MINUTE = FieldRange("minute", 0, 59)
HOUR = FieldRange("hour", 0, 23)
MONTH_DAY = FieldRange("day-of-month", 1, 31)
MONTH = FieldRange("month", 1, 12, _MONTHS)
WEEKDAY = FieldRange("day-of-week", 0, 7, _DAYS)

FIELDS = (SECOND, MINUTE, HOUR, MONTH_DAY, MONTH, WEEKDAY)

EXPECTED = {
    "second": "0-59",
    "minute": "0-59",
    "hour": "0-23",
    "day-of-month": "1-31, L, LW, L-3 or 15W",
    "month": "1-12 or JAN-DEC",
    "day-of-week": "0-7 or SUN-SAT, 5L, MON#1",
}


@dataclass(frozen=True, slots=True)
class MonthDays:
    """The days of a month: by number, counted from its end, or the weekday nearest to a day."""

    numbers: frozenset[int] = frozenset()
    #: Days before the last one: 0 is `L`, 3 is `L-3`.
    before_last: frozenset[int] = frozenset()
    #: `15W`.
    nearest: frozenset[int] = frozenset()
    #: `LW`.
    last_weekday: bool = False

    @property
    def is_every(self) -> bool:
        return self.numbers == MONTH_DAY.every


@dataclass(frozen=True, slots=True)
class WeekDays:
    """Weekdays, 0 being Sunday: each of them, the n-th of a month, or the last one."""

    numbers: frozenset[int] = frozenset()
    #: (weekday, n): `MON#1`.
    nth: frozenset[tuple[int, int]] = frozenset()
    #: `5L`.
    last: frozenset[int] = frozenset()

    @property
    def is_every(self) -> bool:
        return len(self.numbers) == _SUNDAY


@dataclass(frozen=True, slots=True)
class Period:
    """Every n-th day or week, and the first moment of all, as wall seconds since 1970."""

    start: int
    #: Days between matching days, or weeks between matching weeks; 1 for all of them.
    every: int = 1
    unit: str = "days"

    def holds(self, day: int) -> bool:
        """Whether a day (days since 1970-01-01) is one of the period's."""
        first = self.start // DAY_SECONDS
        if self.unit == "weeks":  # 1970-01-01 was a Thursday; weeks begin on Monday.
            return ((day + 3) // 7 - (first + 3) // 7) % self.every == 0
        return (day - first) % self.every == 0


@dataclass(frozen=True, slots=True)
class CronFields:
    """What an expression names: times of day, dates, and from when on."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    #: Times of day that are not each of the hours at each of the minutes and seconds, as ascending
    #: seconds since midnight.
    listed: tuple[int, ...] | None
    days: MonthDays
    months: frozenset[int]
    weekdays: WeekDays
    #: Whether a date has to match both day fields, rather than one of them.
    day_and: bool
    #: Whether it names times of day, rather than following the clock through `*`.
    fixed: bool
    period: Period | None = None

    @property
    def times(self) -> tuple[int, ...]:
        """All times of day, as ascending seconds since midnight."""
        if self.listed is not None:
            return self.listed
        return tuple(
            hour * 3600 + minute * 60 + second
            for hour in sorted(self.hours)
            for minute in sorted(self.minutes)
            for second in sorted(self.seconds)
        )


def split_period(expr: str) -> tuple[str, str]:
    """An expression's fields, and what follows them: "every 2 weeks from 2026-11-30"."""
    match = _PERIOD.fullmatch(expr)
    return (expr, "") if match is None else (match["fields"], expr[len(match["fields"]) + 1 :])


def read_fields(expr: str) -> CronFields:
    """Read an expression with single spaces; raises BadField or BadCount."""
    fields, suffix = split_period(expr)
    parts = fields.upper().split()
    listed = None
    if ":" in parts[0]:
        listed = _times_of_day(parts[0])
        parts = ["0", "0", "0", *parts[1:]]
    elif len(parts) == 5:
        parts = ["0", *parts]
    elif len(parts) == len(FIELDS) + 1 and parts[-1] in ("*", "?") and "?" in fields:
        parts = parts[:-1]  # Quartz's year
    if len(parts) != len(FIELDS):
        raise BadCount(len(fields.split()))
    seconds, minutes, hours = (_numbers(*pair) for pair in zip(FIELDS, parts[:3], strict=False))
    # Like Debian's cron, which looks at the first character of minute and hour.
    fixed = listed is not None or not (parts[1].startswith("*") or parts[2].startswith("*"))
    return CronFields(
        seconds,
        minutes,
        hours,
        listed,
        _month_days(parts[3]),
        _numbers(MONTH, parts[4]),
        _week_days(parts[5]),
        day_and=parts[3][0] in "*?" or parts[5][0] in "*?",
        fixed=fixed,
        period=_period(expr) if suffix else None,
    )


def clock_text(second: int) -> str:
    """A time of day, "09:30", with its seconds when it has some."""
    minutes, seconds = divmod(second, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{seconds:02}" if seconds else text


def _numbers(of: FieldRange, items: str, text: str | None = None) -> frozenset[int]:
    """The numbers of a list of items; `text` is the whole field, for a refusal."""
    text = items if text is None else text
    if "?" in items and of not in (MONTH_DAY, WEEKDAY):
        raise BadField(of.name, text, "`?` stands for a day field only; write `*`")
    try:
        return frozenset[int]().union(*(of.item(item) for item in items.split(",")))
    except BadField:
        raise BadField(of.name, text) from None


def _times_of_day(text: str) -> tuple[int, ...]:
    times: set[int] = set()
    for item in text.lower().split(","):
        window = _WINDOW.fullmatch(item)
        if window is None:
            times.add(_time_of_day(item))
            continue
        first, last = _time_of_day(window[1]), _time_of_day(window[2])
        step = int(window[3][:6]) * _UNITS[window[4]]
        if not step:
            raise BadField("times", item)
        last += DAY_SECONDS if last < first else 0
        times.update(time % DAY_SECONDS for time in range(first, last + 1, step))
    return tuple(sorted(times))


def _time_of_day(text: str) -> int:
    match = _CLOCK.fullmatch(text)
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (24, 0, 0)
    if hour > 23 or minute > 59 or second > 59:
        raise BadField("times", text, "a time of day is from 00:00 to 23:59")
    return hour * 3600 + minute * 60 + second


def _month_days(text: str) -> MonthDays:
    numbers: set[int] = set()
    before_last: set[int] = set()
    nearest: set[int] = set()
    last_weekday = False
    for item in text.split(","):
        name = item.split("/")[0]
        if name == "LW":
            last_weekday = True
        elif match := re.fullmatch(r"L(?:-(\d{1,2}))?", name, re.ASCII):
            before_last.add(int(match[1] or 0))
            if max(before_last) > 30:
                raise BadField(MONTH_DAY.name, text)
        elif match := re.fullmatch(r"(\d{1,2})W", item, re.ASCII):
            nearest.add(MONTH_DAY.number(match[1]))
        else:
            numbers |= _numbers(MONTH_DAY, item, text)
    return MonthDays(frozenset(numbers), frozenset(before_last), frozenset(nearest), last_weekday)


def _week_days(text: str) -> WeekDays:
    numbers: set[int] = set()
    nth: set[tuple[int, int]] = set()
    last: set[int] = set()
    for item in text.split(","):
        if match := re.fullmatch(r"(\w+)#([1-5L])", item, re.ASCII):
            day = WEEKDAY.number(match[1]) % _SUNDAY
            if match[2] == "L":
                last.add(day)
            else:
                nth.add((day, int(match[2])))
        elif match := re.fullmatch(r"(\w+)L|L(\w+)", item, re.ASCII):
            last.add(WEEKDAY.number(match[1] or match[2]) % _SUNDAY)
        elif item == "L":
            raise BadField(WEEKDAY.name, item, "`L` alone is Saturday in Quartz; write SAT or SATL")
        elif item.startswith("+"):
            raise BadField(WEEKDAY.name, item, "`+` is croner's; there is no such form here")
        else:
            numbers |= {number % _SUNDAY for number in _numbers(WEEKDAY, item, text)}
    return WeekDays(frozenset(numbers), frozenset(nth), frozenset(last))


def _period(expr: str) -> Period:
    match = _PERIOD.fullmatch(expr)
    assert match is not None
    said = f"{match['day']}T{match['clock'] or '00:00'}"
    try:
        start = datetime.fromisoformat(said).replace(tzinfo=UTC)
    except ValueError:
        raise BadField("period", said, "there is no such date and time") from None
    every = int(match["n"] or 1)
    if every < 1 or not 1970 <= start.year <= 2200:
        raise BadField("period", said, "a period is 1 or more, from a date of 1970 to 2200")
    seconds = int((start - _EPOCH).total_seconds())
    return Period(seconds, every, (match["unit"] or "days").lower())


def ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of successive numbers in an ascending sequence, each by its first and last."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs
