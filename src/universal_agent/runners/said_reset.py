"""The time from which a service can be used again, as its messages and documents say it."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

#: The upper limit of a wait that a service asks for.
LONGEST_WAIT = timedelta(days=35)

#: Numbers from here on are instants in seconds since 1970, and from here on in milliseconds.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e11

_UNITS = {
    "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
    "d": 86400, "day": 86400, "days": 86400,
    "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip
_PART = rf"(\d{{1,9}}(?:\.\d{{1,9}})?)\s*({'|'.join(sorted(_UNITS, key=len, reverse=True))})"
_PARTS = re.compile(_PART + r"(?![a-z])|" + _PART + r"(?=\d)", re.IGNORECASE)
_LENGTH = rf"(?:{_PART}(?![a-z])|{_PART}(?=\d))"
_DURATION = re.compile(rf"{_LENGTH}(?:(?:\s*,)?\s*(?:and\s+)?{_LENGTH})*", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{0,9})?")

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ]+(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
_CLOCK = r"(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?(?::\d\d)?\s*(?P<half>[ap]\.?m\b)?"
_ZONE = r"\s*(?:\(?(?P<zone>UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/]+)\)?)?"
_SPOKEN = re.compile(rf"(?:{_DAY}{_YEAR},?\s*(?:at\s+)?)?(?:{_CLOCK})?{_ZONE}", re.IGNORECASE)

#: Words that a time of return follows.
_LEADS = re.compile(
    r"(?:\bresets?\b|\bresetting\b|\b(?:try|retry|request|available)\s+again\b|\bretry(?:-after)?\b"
    r"|\bavailable\b|\brenews?\b|\brefresh(?:es)?\b|\bwait\b|\buntil\b)"
    r"(?:\s+(?:at|on|in|after|by|until|for|is|time|will\s+be))*\s*[:=]?\s*",
    re.IGNORECASE,
)
_AFTER_PIPE = re.compile(r"\|(\d{10})\b")


def reset_in_text(text: str, *, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """The latest time of return that a message names; None when it names none to come.

    A time without an offset is one of `zone`.
    """
    found = [datetime.fromtimestamp(int(at), UTC) for at in _AFTER_PIPE.findall(text)]
    for lead in _LEADS.finditer(text):
        at = _at(text[lead.end() :].lstrip("`'\"* "), now, zone)
        if at is not None:
            found.append(at)
    return _latest(found, now)


def reset_value(value: object, *, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """The instant of a field's value: seconds to wait, an instant, a duration, or a date."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            return reset_value(float(text), now=now)
        if (match := _DURATION.fullmatch(text)) is not None:
            return now + _length(match[0])
        if (match := _ISO.match(text)) is not None:
            return _iso(match, zone)
        try:
            date_value = parsedate_to_datetime(text)
        except ValueError:
            return None
        return date_value if date_value.tzinfo else date_value.replace(tzinfo=UTC)
    if not isinstance(value, int | float) or not 0 <= value < 1e15:
        return None
    if value >= _EPOCH_MILLISECONDS:
        return datetime.fromtimestamp(min(value / 1000, 2e11), UTC)
    if value >= _EPOCH_SECONDS:
        return datetime.fromtimestamp(value, UTC)
    return now + timedelta(seconds=value)


def bounded(at: datetime | None, *, now: datetime) -> datetime | None:
    """The instant, not before now and not later than LONGEST_WAIT from now."""
    return None if at is None else min(max(at, now), now + LONGEST_WAIT)


_SECONDS = frozenset(
    {
        "retryafter", "retryafterseconds", "retryaftersecs", "retryaftersec", "retryin",
        "retryinseconds", "retrydelay", "resetsin", "resetsinseconds", "resetin",
        "resetinseconds", "resetafter", "resetafterseconds", "secondsuntilreset",
        "quotaresetdelay", "waitseconds",
    }
)  # fmt: skip
_MILLISECONDS = frozenset({"retryafterms", "retryaftermilliseconds", "resetafterms", "retryinms"})
_INSTANTS = frozenset(
    {
        "resetat", "resetsat", "resettime", "resettimestamp", "nextresettime", "nextresetat",
        "quotaresettime", "quotaresettimestamp", "retryat", "availableat", "reset", "resets",
        "resetdate", "resetson",
    }
)  # fmt: skip
#: How deep a document is read, and how many of its values.
_DEPTH, _VALUES = 8, 500


def reset_in_document(answer: object, *, now: datetime, zone: tzinfo = UTC) -> datetime | None:
    """The latest time of return that the fields and messages of an error document name."""
    found: list[datetime] = []
    for number, (key, value) in enumerate(_values(answer, "", _DEPTH)):
        if number > _VALUES:
            break
        name = re.sub(r"[^a-z]", "", key.lower())
        at = None
        if name in _MILLISECONDS and isinstance(value, int | float | str):
            at = reset_value(_thousandth(value), now=now)
        elif name in _SECONDS or name in _INSTANTS:
            at = reset_value(value, now=now, zone=zone)
        if at is None and isinstance(value, str):
            at = reset_in_text(value, now=now, zone=zone)
        if at is not None:
            found.append(at)
    return _latest(found, now)


def _thousandth(value: float | str) -> float | None:
    try:
        return float(value) / 1000
    except ValueError:
        return None


def _values(value: object, key: str, depth: int) -> Iterator[tuple[str, object]]:
    """The fields of a document, without those that a response's own headers would say."""
    if isinstance(value, Mapping):
        if depth and key.lower() != "headers":
            for name, inner in value.items():
                yield from _values(inner, str(name), depth - 1)
    elif isinstance(value, list):
        if depth:
            for inner in value:
                yield from _values(inner, key, depth - 1)
    else:
        yield key, value


def _at(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The instant that a text begins with."""
    if (match := _DURATION.match(text)) is not None:
        return now + _length(match[0])
    if (match := _ISO.match(text)) is not None:
        return _iso(match, zone)
    if (match := re.match(r"\d{10}(?:\d{3})?\b", text)) is not None:
        return reset_value(match[0], now=now)
    return _spoken(_SPOKEN.match(text), now, zone)


def _length(text: str) -> timedelta:
    seconds = 0.0
    for match in _PARTS.finditer(text):
        number, unit = match[1] or match[3], match[2] or match[4]
        seconds += float(number) * _UNITS[unit.lower()]
    return min(timedelta(seconds=min(seconds, 1e9)), 2 * LONGEST_WAIT)


def _iso(match: re.Match[str], zone: tzinfo) -> datetime | None:
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        day_of = date(int(year), int(month), int(day))
        at = datetime.combine(
            day_of, time(int(hour or 0), int(minute or 0), int(second or 0)), zone
        )
        if offset is None:
            return at.astimezone(UTC)
        shown = "+00:00" if offset.upper() in ("Z", "UTC", "GMT") else offset
        return datetime.fromisoformat(f"{at.replace(tzinfo=None).isoformat()}{shown}")
    except (ValueError, OverflowError):
        return None


def _spoken(match: re.Match[str] | None, now: datetime, zone: tzinfo) -> datetime | None:
    """ "3pm (America/New_York)", "Oct 9 at 5pm", "Oct 9th, 2025 3:12 PM"."""
    if match is None or (
        match["day"] is None and match["half"] is None and match["minute"] is None
    ):
        return None
    try:
        named = match["zone"]
        if named is not None:
            zone = UTC if named.upper() in ("UTC", "GMT") else ZoneInfo(named)
        hour, minute = int(match["hour"] or 0), int(match["minute"] or 0)
        if match["half"] is not None:
            hour = hour % 12 + (12 if match["half"][0].lower() == "p" else 0)
        today = now.astimezone(zone).date()
        if match["day"] is None:
            at = datetime.combine(today, time(hour, minute), zone)
            return at if at > now else at + timedelta(days=1)
        month = _MONTHS.index(match["month"].lower()) + 1
        on = date(int(match["year"] or today.year), month, int(match["day"]))
        if match["year"] is None and on < today:
            on = on.replace(year=on.year + 1)
        return datetime.combine(on, time(hour, minute), zone)
    except (ValueError, KeyError, OSError):
        return None


def _latest(found: list[datetime], now: datetime) -> datetime | None:
    return bounded(max((at for at in found if at > now), default=None), now=now)
