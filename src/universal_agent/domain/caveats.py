"""What a person may not expect of a schedule, in sentences for its echo."""

import re
from calendar import monthrange
from collections.abc import Iterator

from universal_agent.domain.cron_fields import FIELDS, CronFields, FieldRange, split_period
from universal_agent.domain.cron_text import ALIASES, parse_cron
from universal_agent.domain.cron_words import WEEKDAYS, joined, ordinal
from universal_agent.domain.schedule import CronSchedule, Schedule

#: Every month has days up to this one.
_SURE_DAY = 28
_A_LEAP_YEAR = 2024
_FEBRUARY = 2

_PLURALS = {"second": "minute", "minute": "hour", "hour": "day"}


def caveats(schedule: Schedule) -> tuple[str, ...]:
    """What follows from the slots of a schedule, however it was written."""
    if not isinstance(schedule, CronSchedule):
        return ()
    fields = parse_cron(ALIASES.get(schedule.expr, schedule.expr)).fields
    return tuple(
        note for note in (_rare_days(fields), _rare_weeks(fields), _either(fields)) if note
    )


def _names_month_days(fields: CronFields) -> bool:
    return not fields.days.is_every and (fields.day_and or not fields.weekdays.is_every)


def _rare_days(fields: CronFields) -> str:
    """ "only in months that have a day 31"."""
    if not _names_month_days(fields):
        return ""
    days = sorted(day for day in fields.days.numbers | fields.days.nearest if day > _SURE_DAY)
    if fields.months == {_FEBRUARY}:
        return "only in leap years" if 29 in days else ""
    rare = [
        day
        for day in days
        if any(day > monthrange(_A_LEAP_YEAR - 1, month)[1] for month in fields.months)
    ]
    if not rare:
        return ""
    if len(rare) == 1 and rare == sorted(fields.days.numbers | fields.days.nearest):
        return f"only in months that have a day {rare[0]}"
    return f"the {joined(ordinal(day) for day in rare)} only in months that have such a day"


def _rare_weeks(fields: CronFields) -> str:
    names = [f"a fifth {WEEKDAYS[day]}" for day, n in sorted(fields.weekdays.nth) if n == 5]
    return f"only in months that have {joined(names)}" if names else ""


def _either(fields: CronFields) -> str:
    if fields.days.is_every or fields.weekdays.is_every:
        return ""
    if fields.day_and:
        return "a day field begins with *, so a date has to match both of them"
    return (
        "a date has to match one of the day fields, not both "
        "(Temporal and APScheduler ask for both)"
    )


def written_notes(expr: str) -> tuple[str, ...]:
    """Where an expression means something else in programs that it commonly comes from."""
    plain = split_period(ALIASES.get(expr, expr))[0].upper()
    parts = plain.split()
    if expr.startswith("@") or ":" in parts[0]:
        return ()
    notes: list[str] = []
    if len(parts) > len(FIELDS):
        notes.append("the seventh field, the year, is any and left out")
        parts = parts[: len(FIELDS)]
    if len(parts) == len(FIELDS):
        notes.append(
            "the first of six fields is the seconds (Hermes and croniter have them last, Temporal "
            "has the year last)"
        )
    ranges = FIELDS[len(FIELDS) - len(parts) :]
    for of, text in zip(ranges, parts, strict=True):
        for item in text.split(","):
            notes += _item_notes(of, item)
    if "?" in plain:
        notes.append("? is read as *")
    weekday = re.sub(r"#\d|/\d+", "", parts[-1])
    if re.search(r"\d", weekday):
        notes.append(
            "weekday 1 is Monday and 0 or 7 is Sunday, as in crontab "
            "(APScheduler counts from 0 for Monday, Quartz from 1 for Sunday)"
        )
    return tuple(dict.fromkeys(notes))


def _item_notes(of: FieldRange, item: str) -> Iterator[str]:
    shown = item.lower() if of is FIELDS[-1] else item
    if match := re.fullmatch(r"\w+#[1-5]", item):
        yield (
            f"{shown} is one weekday of each month (Debian's cron and Temporal run "
            f"{shown.partition('#')[0]} every week)"
        )
    elif match := re.fullmatch(r"\*/(\d+)", item):
        yield from _step_notes(of, int(match[1]))
    elif re.fullmatch(r"\d+/\d+", item):
        yield f"{item} is {item.partition('/')[0]} and on by the step (crontab refuses it)"
    elif match := re.fullmatch(r"(\w+)-(\w+)(?:/\d+)?", item):
        first, last = (_number(of, text) for text in match.groups())
        if first is not None and last is not None and last < first:
            yield f"{shown} goes round the end of the field (Debian's cron never runs it)"


def _number(of: FieldRange, text: str) -> int | None:
    return int(text) if text.isdigit() else of.names.get(text)


def _step_notes(of: FieldRange, step: int) -> Iterator[str]:
    size = of.last - of.first + 1
    whole = _PLURALS.get(of.name)
    if step >= size and whole:
        how = {"minute": "each minute", "hour": "hourly", "day": "daily"}[whole]
        yield (
            f"*/{step} is longer than the {of.name} field and names {of.first} alone, so this runs "
            f"{how}; for an interval write 'every {step} {of.name}s'"
        )
    elif step >= size:
        yield f"*/{step} is longer than the {of.name} field and names {of.first} alone"
    elif whole and size % step:
        yield (
            f"*/{step} begins again each {whole}, so the last gap is shorter; "
            f"for an interval write 'every {step} {of.name}s'"
        )
