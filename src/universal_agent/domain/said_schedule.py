"""The schedule that a request's fields say, with its zone and what a person may not expect."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.caveats import caveats, written_notes
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.phrases import (
    parse_duration,
    parse_schedule,
    read_instant,
)
from universal_agent.domain.schedule import (
    LONGEST_INTERVAL,
    Schedule,
    make_cron,
    make_interval,
    make_once,
)
from universal_agent.errors import InvalidInput, InvalidSchedule

#: Fields that say when: exactly one of them makes a schedule. `schedule` takes any kind in words.
SCHEDULE_FIELDS = ("every", "cron_expr", "run_at", "schedule")

#: Forms in a cron field other than expressions: a zone before it, robfig's and AWS's forms.
_NOT_PLAIN = re.compile(r"(CRON_TZ=|TZ=|@every |cron\(|rate\(|OnCalendar)", re.IGNORECASE)

#: Numbers below this one are repeated to the sender.
_SHOWN = 10**15


@dataclass(frozen=True, slots=True)
class SaidSchedule:
    """A schedule as a field says it."""

    schedule: Schedule
    #: The zone that its words were read in.
    timezone: str
    #: The field that it was given as.
    field: str
    #: Whether the words named their zone.
    names_zone: bool = False
    #: Whether it says from when on it counts, rather than from now.
    is_anchored: bool = False
    notes: tuple[str, ...] = ()


def read_schedule(field: str, value: Any, *, now: datetime, timezone: str) -> SaidSchedule:
    """The schedule that a field's value says; raises InvalidInput with the field's name."""
    match field:
        case "every":
            return SaidSchedule(make_interval(_interval(value), now), timezone, field)
        case "run_at":
            spoken = read_instant(value, now=now, timezone=timezone, field=field)
            once = make_once(spoken.instant)
            said = tuple(filter(None, (spoken.note,)))
            return SaidSchedule(once, spoken.timezone, field, spoken.names_zone, True, said)
        case "cron_expr" if not _NOT_PLAIN.match(str(value).lstrip()):
            schedule = make_cron(str(value), timezone)
            notes = (*caveats(schedule), *written_notes(schedule.expr))
            return SaidSchedule(schedule, timezone, field, is_anchored=True, notes=notes)
    phrase = parse_schedule(str(value), now=now, timezone=timezone, field=field)
    return SaidSchedule(
        phrase.schedule, phrase.timezone, field, phrase.names_zone, phrase.is_anchored, phrase.notes
    )


def said_in(draft: JobDraft, *, now: datetime, timezone: str) -> SaidSchedule | None:
    """The schedule that a draft says; None without one, or when it cannot be read any more."""
    for field in SCHEDULE_FIELDS:
        value = getattr(draft, field)
        if value is not None:
            try:
                return read_schedule(field, value, now=now, timezone=draft.timezone or timezone)
            except InvalidInput:  # a request that is answered again: "today at 5pm" has passed
                return None
    return None


def _interval(value: Any) -> timedelta:
    """An interval in words, or its seconds."""
    if isinstance(value, str):
        return parse_duration(value, field="every")
    longest = LONGEST_INTERVAL // timedelta(seconds=1)
    if isinstance(value, bool) or not 1 <= value <= longest or value != int(value):
        shown = f"{value:g}" if abs(value) < _SHOWN else "a number far beyond"
        raise InvalidSchedule(
            f"expected whole seconds from 1 to {longest}, or words such as '30m', got {shown}",
            field="every",
        )
    return timedelta(seconds=int(value))
