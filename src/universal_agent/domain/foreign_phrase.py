"""Schedules as systemd, AWS, robfig's cron, crontabs with a zone, and ISO 8601 write them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from universal_agent.domain.phrase_reader import PhraseReader, read_duration
from universal_agent.domain.schedule import Schedule, make_cron, make_interval

_ZONE_PREFIX = re.compile(r"(?:CRON_TZ|TZ)=(\S+)\s+(.+)", re.ASCII)
_ISO_LENGTH = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII | re.IGNORECASE
)
_ISO_REPEAT = re.compile(r"R/([^/]+)/(P[^/]+)", re.ASCII | re.IGNORECASE)
_AWS = re.compile(r"(cron|rate)\((.+)\)", re.ASCII | re.IGNORECASE)
_SYSTEMD = re.compile(
    r"(?P<days>[A-Za-z]{3,9}(?:(?:\.\.|,|-)[A-Za-z]{3,9})*,? )?"
    r"(?:(?P<date>(?:\*|\d{4})-[\d*,./]+-[\d*,./~]+) ?)?"
    r"(?P<clock>[\d*,./]+(?::[\d*,./]+){1,2})?",
    re.ASCII,
)
_SYSTEMD_NAMES = {
    "minutely": "* * * * *",
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * 1",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A schedule in another program's form, and what a person may not expect of it."""

    schedule: Schedule
    note: str = ""
    #: Whether the form says from when on it counts.
    is_anchored: bool = False


def split_zone(text: str) -> tuple[str, str | None]:
    """A line without its `CRON_TZ=` or `TZ=`, and the zone in it."""
    match = _ZONE_PREFIX.fullmatch(text)
    return (text, None) if match is None else (match[2], match[1])


def iso_length(text: str) -> timedelta | None:
    """The length of an ISO 8601 duration such as PT15M; None for other text."""
    match = _ISO_LENGTH.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int((part or "0")[:9]) for part in match.groups())
    return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)


def read_foreign(reader: PhraseReader, *, now: datetime, timezone: str) -> Foreign | None:
    """The schedule of a whole line in another program's form; None when it is in none.

    Raises InvalidPhrase for a form that is known and cannot be.
    """
    text = reader.text
    if text.lower().startswith("@every "):
        return _every(text[7:], reader, now)
    if match := _AWS.fullmatch(text):
        return _aws(match[1].lower(), match[2], reader, now, timezone)
    if match := _ISO_REPEAT.fullmatch(text):
        return _iso_repeat(match[1], match[2], reader)
    if (length := iso_length(text)) is not None:
        seconds = int(length.total_seconds())
        raise reader.refusal(
            f"an ISO duration has two readings: write 'every {seconds}s' or 'in {seconds}s'"
        )
    if text.upper().startswith("RRULE:"):
        raise reader.refusal(
            "iCalendar rules are not read; write the days and the time, as in 'every monday at 9am'"
        )
    named = re.fullmatch(r"OnCalendar\s*=\s*(.+)", text, re.ASCII | re.IGNORECASE)
    line = named[1] if named else text
    if named and line.lower() in _SYSTEMD_NAMES:
        return Foreign(make_cron(_SYSTEMD_NAMES[line.lower()], timezone))
    match = _SYSTEMD.fullmatch(line)
    if match is not None and (match["date"] or match["clock"]) and (named or _is_systemd(line)):
        return _systemd(match, reader, timezone)
    if named:
        raise reader.refusal("this OnCalendar form is not read; write a cron expression")
    return None


def _every(length: str, reader: PhraseReader, now: datetime) -> Foreign:
    inner = PhraseReader(length, field=reader.field, examples=reader.examples)
    every = read_duration(inner)
    if every is None or not inner.at_end:
        raise reader.refusal("a length of time follows @every, as in '@every 1h30m'")
    note = "counted from now, as robfig's cron does; Temporal counts from midnight UTC"
    return Foreign(make_interval(every, now), note)


def _aws(kind: str, inside: str, reader: PhraseReader, now: datetime, timezone: str) -> Foreign:
    if kind == "rate":
        inner = PhraseReader(inside, field=reader.field, examples=reader.examples)
        every = read_duration(inner)
        if every is None or not inner.at_end:
            raise reader.refusal("rate() has a length of time, as in rate(5 minutes)")
        return Foreign(make_interval(every, now))
    fields = inside.split()
    if len(fields) != 6 or fields[5] not in ("*", "?"):
        raise reader.refusal(
            "AWS's cron() has six fields, the last being the year; a year cannot be named here"
        )
    weekday = re.sub(r"(?<![#/\d])\d+", lambda n: _NAMES[(int(n[0]) - 1) % 7], fields[4])
    note = "AWS reads it in UTC unless its schedule names a zone, and 1 as Sunday"
    return Foreign(make_cron(" ".join([*fields[:4], weekday]), timezone), note)


def _iso_repeat(start: str, length: str, reader: PhraseReader) -> Foreign:
    every = iso_length(length)
    try:
        first = datetime.fromisoformat(start.upper())
    except ValueError:
        first = None
    if every is None or first is None or first.tzinfo is None:
        raise reader.refusal(
            "expected R/START/LENGTH with an offset, as in R/2027-01-01T00:00Z/PT1H"
        )
    return Foreign(make_interval(every, first - every), is_anchored=True)


def _is_systemd(line: str) -> bool:
    """Whether a calendar event has something that no other form has: `..` or a starred date."""
    return ".." in line or re.search(r"(\*|\d{4})-\S*\*|\*-\d", line) is not None


def _systemd(match: re.Match[str], reader: PhraseReader, timezone: str) -> Foreign:
    """A calendar event of systemd, "Mon..Fri *-*-* 08:00:00"."""
    days = (match["days"] or "*").strip(" ,")
    weekday = re.sub(r"[A-Za-z]+", lambda name: name[0][:3].upper(), days.replace("..", "-"))
    year, month, day = (match["date"] or "*-*-*").split("-")
    if year != "*":
        raise reader.refusal("a year cannot be named in a repeating schedule")
    if "~" in day:
        raise reader.refusal("days from the end of a month are written L or L-3 in cron")
    clock = [_systemd_field(part) for part in (match["clock"] or "00:00").split(":")]
    hour, minute, second = (*clock, "0")[:3]
    month, day = _systemd_field(month), _systemd_field(day)
    if day != "*" and weekday != "*":
        if day != "1":
            raise reader.refusal(
                "systemd runs on days that match both fields, and cron on either; this cannot be "
                "said in one expression"
            )
        day = "*/32"
    seconds = "" if second == "0" else f"{second} "
    expr = f"{seconds}{minute} {hour} {day} {month} {weekday}"
    note = "systemd leaves out a time that the clock leaps over; here it runs right after the leap"
    return Foreign(make_cron(expr, timezone), note)


def _systemd_field(text: str) -> str:
    """A part of a calendar event as a cron field."""
    items = [re.sub(r"(?<![\d*])0+(?=\d)", "", item) for item in text.split(",")]
    return ",".join(item.replace("..", "-") for item in items)
