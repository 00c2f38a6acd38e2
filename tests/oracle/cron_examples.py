"""Random cron expressions, zones and instants in which a scheduler may go wrong."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONES = (
    "Africa/Cairo",  # leaps at midnight, and is set back at midnight into the day before
    "Africa/Casablanca",  # set back for Ramadan
    "America/Havana",  # leaps at midnight
    "America/New_York",
    "America/Sao_Paulo",  # leapt at midnight until 2018
    "America/St_Johns",  # half an hour off; changed at 00:01 until 2011
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # changes by half an hour
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/London",
    "Pacific/Apia",  # had no 30 December 2011
    "Pacific/Chatham",
    "UTC",
)

#: From the first year of ordinary clock changes to well beyond any job's life.
YEARS = (1985, 2037)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def _field(rng: random.Random, low: int, high: int, wild: float) -> str:
    if rng.random() < wild:
        return "*" if rng.random() < 0.5 else f"*/{rng.randint(2, max(2, high // 2))}"
    match rng.randrange(5):
        case 0 | 1:
            return str(rng.randint(low, high))
        case 2:
            return ",".join(str(rng.randint(low, high)) for _ in range(rng.randint(2, 4)))
        case 3:
            first, last = sorted((rng.randint(low, high), rng.randint(low, high)))
            return f"{first}-{last}" + (f"/{rng.randint(1, 7)}" if rng.random() < 0.4 else "")
        case _:
            return f"{rng.randint(low, high)}/{rng.randint(1, 20)}"


def random_expr(rng: random.Random) -> str:
    """An expression; hours lean towards the night, when clocks are changed."""
    minute = _field(rng, 0, 59, 0.3)
    hour = _field(rng, 0, rng.choice((3, 3, 23)), 0.3)
    day = month = weekday = "*"
    if rng.random() < 0.3:
        day = rng.choice(("L", "LW", "1,L", "29-31", _field(rng, 1, 31, 0.2)))
    if rng.random() < 0.2:
        month = rng.choice((_field(rng, 1, 12, 0.2), rng.choice(_MONTHS), "2", "3,10"))
    if rng.random() < 0.3:
        name = rng.choice(_WEEKDAYS)
        forms = (_field(rng, 0, 7, 0.1), name, f"{name}#{rng.randint(1, 5)}", "5L", "0L,MON", "1-5")
        weekday = rng.choice(forms)
    expr = f"{minute} {hour} {day} {month} {weekday}"
    return f"{_field(rng, 0, 59, 0.2)} {expr}" if rng.random() < 0.15 else expr


@lru_cache(maxsize=1024)
def changes(timezone: str) -> Sequence[datetime]:
    """When the zone's clock is changed, to the hour."""
    zone = ZoneInfo(timezone)
    found = []
    at, end = (datetime(year, 1, 1, tzinfo=UTC) for year in YEARS)
    while at < end:
        later = at + timedelta(days=2)
        if at.astimezone(zone).utcoffset() != later.astimezone(zone).utcoffset():
            hours = (at + timedelta(hours=n) for n in range(49))
            offset = at.astimezone(zone).utcoffset()
            found.append(next(h for h in hours if h.astimezone(zone).utcoffset() != offset))
        at = later
    return found


def random_centre(rng: random.Random, timezone: str) -> datetime:
    """An instant worth looking around: mostly a clock change, else a year's or month's end."""
    if changes(timezone) and rng.random() < 0.7:
        return rng.choice(changes(timezone))
    year = rng.randint(YEARS[0] + 1, YEARS[1] - 1)
    special = rng.choice(((year, 1, 1), (year // 4 * 4, 2, 29), (year, 3, 1), None))
    if special is not None:
        return datetime(*special, tzinfo=UTC)
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(525_600))
