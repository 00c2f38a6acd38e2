"""What would Debian's crond run, and when? Found out the slow way, by being crond for a while.

Shares nothing with the product: its own reading of expressions, and the daemon's own loop, one
turn a minute, with a virtual clock that lags behind when the wall clock leaps and waits when it
is set back. As the product promises, and unlike the daemon, several lines' worth of missed minutes
come out as one slot, and a sixth field gives seconds.
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

#: "Local time changes of less than three hours ... are handled specially" (cron(8)).
CORRECTION = timedelta(hours=3)

#: How long before a range the daemon is started, for its virtual clock to settle.
WARM_UP = timedelta(hours=6)

_NAMES = {
    "month": ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    "weekday": ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
}
_BOUNDS = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31)}
_BOUNDS |= {"month": (1, 12), "weekday": (0, 7)}


def _number(kind: str, text: str) -> int:
    if kind in _NAMES and text.upper() in _NAMES[kind]:
        return _NAMES[kind].index(text.upper()) + (kind == "month")
    return int(text)


def _values(kind: str, field: str) -> set[int]:
    """The plain numbers that a field names; `L` and `#` terms are left out."""
    low, high = _BOUNDS[kind]
    values: set[int] = set()
    for term in field.split(","):
        if "L" in term.upper().replace("JUL", "") or "#" in term:
            continue
        base, _, step = term.partition("/")
        if base == "*":
            first, last = low, high
        elif "-" in base:
            first, last = (_number(kind, end) for end in base.split("-"))
        else:
            first = last = _number(kind, base)
            if step:
                last = high
        values.update(range(first, last + 1, int(step or 1)))
    return values


class CronLine:
    """One crontab line, with an optional field of seconds in front."""

    def __init__(self, expr: str) -> None:
        fields = expr.split()
        if len(fields) == 5:
            fields.insert(0, "0")
        second, minute, hour, day, month, weekday = fields
        self.seconds = sorted(_values("second", second))
        self.minutes = _values("minute", minute)
        self.hours = _values("hour", hour)
        self.months = _values("month", month)
        self.days = _values("day", day)
        self.weekdays = {number % 7 for number in _values("weekday", weekday)}
        self.day_terms = {term.upper().partition("/")[0] for term in day.split(",")} & {"L", "LW"}
        self.weekday_terms = [t.upper() for t in weekday.split(",") if "#" in t or t[-1] in "lL"]
        self.wild = minute.startswith("*") or hour.startswith("*")
        self.both_days = day.startswith("*") or weekday.startswith("*")
        self._dates: dict[date, bool] = {}

    def on(self, day: date) -> bool:
        """Whether the line's date fields match."""
        if day not in self._dates:
            self._dates[day] = self._matches(day)
        return self._dates[day]

    def at(self, wall: datetime) -> bool:
        """Whether the line matches a minute on the wall."""
        return wall.hour in self.hours and wall.minute in self.minutes and self.on(wall.date())

    def _matches(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = self._on_day(day), self._on_weekday(day)
        return (by_day and by_weekday) if self.both_days else (by_day or by_weekday)

    def _on_day(self, day: date) -> bool:
        last = calendar.monthrange(day.year, day.month)[1]
        working_days = [d for d in range(1, last + 1) if day.replace(day=d).weekday() < 5]
        return (
            day.day in self.days
            or ("L" in self.day_terms and day.day == last)
            or ("LW" in self.day_terms and day.day == working_days[-1])
        )

    def _on_weekday(self, day: date) -> bool:
        weekday = day.isoweekday() % 7
        if weekday in self.weekdays:
            return True
        last = calendar.monthrange(day.year, day.month)[1]
        same = [d for d in range(1, last + 1) if day.replace(day=d).isoweekday() % 7 == weekday]
        for term in self.weekday_terms:
            name, nth = term.split("#") if "#" in term else (term[:-1], "0")
            if _number("weekday", name) % 7 != weekday:
                continue
            place = int(nth) - 1
            if place < len(same) and same[place] == day.day:
                return True
        return False


def slots(expr: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Every slot in [start, end], found by walking through all its minutes."""
    line = CronLine(expr)
    walk = _walk(line, zone, start - WARM_UP, end)
    return sorted({slot for slot in walk if start <= slot <= end})


def first_slot_after(
    expr: str, zone: ZoneInfo, after: datetime, horizon: timedelta
) -> datetime | None:
    """The first slot after `after`; None when there is none within the horizon.

    Walks only through days near one that matches, for expressions that match seldom.
    """
    line = CronLine(expr)
    day = after.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= after + horizon:
        if any(line.on((day + DAY * near).date()) for near in (-1, 0, 1)):
            for slot in slots(expr, zone, day, day + DAY):
                if slot > after:
                    return slot
        day += DAY
    return None


def _walk(line: CronLine, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Be the daemon from `start` to `end`, one turn a minute."""
    minute = start.replace(second=0, microsecond=0)
    virtual = _wall(minute, zone) - MINUTE
    while minute <= end:
        wall = _wall(minute, zone)
        ahead = wall - virtual - MINUTE
        if ahead == timedelta(0) or abs(ahead) >= CORRECTION:
            virtual = wall
            if line.at(wall):
                yield from _seconds_of(line, minute)
        else:
            if line.wild and line.at(wall):
                yield from _seconds_of(line, minute)
            while virtual < wall:
                virtual += MINUTE
                if not line.wild and line.at(virtual):
                    yield from _seconds_of(line, minute) if virtual == wall else [minute]
        minute += MINUTE


def _seconds_of(line: CronLine, minute: datetime) -> Iterator[datetime]:
    return (minute + timedelta(seconds=second) for second in line.seconds)


def _wall(minute: datetime, zone: ZoneInfo) -> datetime:
    return minute.astimezone(UTC).astimezone(zone).replace(tzinfo=None)
