"""Instants and lengths of time in words."""

from datetime import datetime, timedelta

from universal_agent.domain.local_time import zone_of

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def describe_duration(delta: timedelta) -> str:
    """Whole seconds in words: "1 hour 30 minutes"."""
    parts = [f"{n} {unit}{'' if n == 1 else 's'}" for unit, n in _split(delta) if n]
    return " ".join(parts) or "0 seconds"


def describe_seconds(seconds: int, *, single: bool = False) -> str:
    """Seconds in words; with `single`, one unit goes without its number: "hour"."""
    words = describe_duration(timedelta(seconds=seconds))
    number, _, unit = words.partition(" ")
    return unit if single and number == "1" and " " not in unit else words


def describe_instant(instant: datetime, *, timezone: str, now: datetime) -> str:
    """Where an instant lies: "Tue 24 Nov 2026, 09:15 (Europe/Berlin), in 7 h 12 m".

    A reading that the clock shows twice is told apart by its offset.
    """
    local = instant.astimezone(zone_of(timezone))
    day = f"{_WEEKDAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"
    clock = local.strftime("%H:%M:%S" if local.second else "%H:%M")
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    zone = f"{timezone}, {local.isoformat()[-6:]}" if twice else timezone
    return f"{day}, {clock} ({zone}), {_distance(instant - now)}"


def _distance(ahead: timedelta) -> str:
    """How far off: "in 7 h 12 m", "3 m ago"; no more than two units."""
    parts = [f"{n} {unit[0]}" for unit, n in _split(abs(ahead)) if n]
    if not parts:
        return "now"
    distance = " ".join(parts[:2])
    return f"in {distance}" if ahead > timedelta(0) else f"{distance} ago"


def _split(delta: timedelta) -> list[tuple[str, int]]:
    seconds = delta // timedelta(seconds=1)
    numbers = []
    for unit, length in _UNITS:
        number, seconds = divmod(seconds, length)
        numbers.append((unit, number))
    return numbers
