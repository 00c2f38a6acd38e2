"""The rules of change requests about the times of day and the days of a schedule."""

import re
from datetime import datetime, time, timedelta

from universal_agent.domain.caveats import caveats
from universal_agent.domain.change_terms import Asked, Operation, Understood, edit
from universal_agent.domain.cron_fields import DAY_SECONDS, clock_text, split_period
from universal_agent.domain.cron_text import ALIASES, parse_cron
from universal_agent.domain.cron_words import WEEKDAYS, joined
from universal_agent.domain.cron_writing import numbers_text, times_text
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.local_time import instant_at
from universal_agent.domain.phrases import SchedulePhrase, parse_schedule
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    make_cron,
)
from universal_agent.errors import InvalidInput

_DAY = timedelta(days=1)
_WEEK = frozenset(range(7))

#: More times of day than these follow the clock.
_FEW = 12


def read_phrase(asked: Asked, text: str, *, zone: str | None = None) -> SchedulePhrase | None:
    """A phrase as a schedule; None when it is none, or lacks something."""
    try:
        return parse_schedule(text, now=asked.now, timezone=zone or asked.timezone)
    except InvalidInput:
        return None


def times_said(asked: Asked, phrase: str) -> tuple[frozenset[int], str | None] | None:
    """Times of day alone, as seconds since midnight, and the zone in the words."""
    if re.fullmatch(r"[\d.]+[smhdw]?", phrase.strip(), re.IGNORECASE):
        return None
    text = phrase if not phrase[:1].isdigit() else f"at {phrase}"
    found = read_phrase(asked, f"every day {text}")
    if found is None or not isinstance(found.schedule, CronSchedule):
        return None
    fields = parse_cron(found.schedule.expr).fields
    is_daily = parts_of(found.schedule.expr)[1:] == ("* * *", "")
    if not is_daily or len(fields.times) > _FEW or re.search(r"\bevery\b|\bday\b", phrase.lower()):
        return None
    return frozenset(fields.times), found.timezone if found.names_zone else None


def weekdays_said(asked: Asked, phrase: str) -> frozenset[int] | None:
    """Weekdays as a rhythm, "fridays", "weekends"; None for other words, also "friday"."""
    phrase = re.sub(r" or ", " and ", phrase.strip())
    phrase = re.sub(r" any ?more$", "", phrase)
    found = read_phrase(asked, f"{phrase} at 00:00")
    if found is None or not isinstance(found.schedule, CronSchedule):
        return None
    times, dates, period = parts_of(found.schedule.expr)
    days, month, _ = dates.split()
    fields = parse_cron(found.schedule.expr).fields
    is_plain = (times, days, month, period) == ("0 0", "*", "*", "")
    return fields.weekdays.numbers if is_plain and not fields.weekdays.nth else None


def parts_of(expr: str) -> tuple[str, str, str]:
    """An expression's time fields, date fields and period."""
    fields, period = split_period(ALIASES.get(expr, expr))
    parts = fields.split()
    parts = parts[:6] if len(parts) > 6 else parts
    return " ".join(parts[:-3]), " ".join(parts[-3:]), period


def edit_cron(asked: Asked, times: str, dates: str, period: str, zone: str) -> Understood:
    """An edit that sets these fields."""
    expr = " ".join(part for part in (times, dates, period) if part)
    schedule = make_cron(expr, zone)
    notes = caveats(schedule)
    said = schedule.describe() + (f" ({'; '.join(notes)})" if notes else "")
    differs = zone != asked.timezone
    warning = f"The time is read in the job's zone, {zone}." if differs else ""
    draft = JobDraft(cron_expr=expr, timezone=zone)
    summary = f"Change the schedule to: {said} (cron {expr})."
    return edit(Operation.RESCHEDULE, draft, summary, warning)


def one_shot(asked: Asked, at: datetime) -> Understood:
    """Another instant of a job that runs once."""
    if at <= asked.now:
        raise asked.refused(f"expected an instant in the future, got {asked.local(at)}")
    draft = JobDraft(run_at=at.timestamp())
    return edit(Operation.RESCHEDULE, draft, f"Run it at {asked.local(at)}.")


# -- times of day


def set_times(
    asked: Asked,
    times: frozenset[int],
    zone: str | None,
    instead: str | None,
    *,
    is_only: bool = False,
) -> Understood:
    """Other times of day on the same days."""
    schedule = asked.spec.schedule
    if isinstance(schedule, OneShotSchedule):
        (second,) = times if len(times) == 1 else (None,)
        if second is None or zone is not None:
            raise asked.not_understood("The job runs once: say 'move it to tomorrow at 10am'.")
        day = asked.wall(schedule.run_at).replace(tzinfo=None).date()
        wall = datetime.combine(day, time()) + timedelta(seconds=second)
        return one_shot(asked, instant_at(wall, asked.timezone))
    if isinstance(schedule, IntervalSchedule):
        words = joined(clock_text(time) for time in sorted(times))
        raise asked.not_understood(f"The job repeats by an interval: say 'every day at {words}'.")
    _, dates, period = parts_of(schedule.expr)
    present = _present_times(asked)
    if not instead and not is_only and len(times) == 1 < len(present):
        shown = joined(clock_text(time) for time in times)
        raise asked.not_understood(
            f"The job runs at {len(present)} times of day: say 'only at {shown}' for this one "
            f"alone, or 'also at {shown}'."
        )
    if instead:
        times = _without_times(asked, instead) | times
    return edit_cron(asked, times_text(times), dates, period, zone or schedule.timezone)


def _present_times(asked: Asked) -> frozenset[int]:
    schedule = asked.spec.schedule
    assert isinstance(schedule, CronSchedule)
    return frozenset(parse_cron(ALIASES.get(schedule.expr, schedule.expr)).fields.times)


def _without_times(asked: Asked, instead: str) -> frozenset[int]:
    """The present times of day but those that "instead of" names; raises when it has no such."""
    given_up = times_said(asked, instead if instead.startswith("at ") else f"at {instead}")
    present = _present_times(asked)
    if given_up is None or not given_up[0] <= present:
        shown = joined(clock_text(time) for time in sorted(present)[:_FEW])
        raise asked.refused(f"the job runs at {shown}, not at {instead.removeprefix('at ')}")
    return present - given_up[0]


def replace_time(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "change 9am to 10am"."""
    new = times_said(asked, match["new"])
    if new is None or times_said(asked, match["old"]) is None:
        return None
    if not isinstance(asked.spec.schedule, CronSchedule):
        return set_times(asked, *new, None)
    return set_times(asked, *new, match["old"])


def add_to_schedule(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "also at 5pm", "on saturdays too"."""
    schedule, phrase = asked.spec.schedule, match["more"]
    if not isinstance(schedule, CronSchedule) or asked.said.instead is not None:
        return None
    times, dates, period = parts_of(schedule.expr)
    if (more := times_said(asked, phrase)) is not None and more[1] is None:
        present = _present_times(asked)
        if len(present) > _FEW or more[0] <= present:
            raise asked.refused("the job runs then already")
        return edit_cron(asked, times_text(present | more[0]), dates, period, schedule.timezone)
    days = weekdays_said(asked, phrase)
    present_days = plain_weekdays(asked)
    if days is None or present_days is None or period.startswith("every"):
        return None
    if days <= present_days:
        raise asked.refused("the job runs on these days already")
    dates = _with_weekdays(dates, present_days | days)
    return edit_cron(asked, times, dates, period, schedule.timezone)


def shows_clock(asked: Asked, *, every_day: bool) -> bool:
    """Whether the job runs at a few times of day, every day if that is asked."""
    schedule = asked.spec.schedule
    if not isinstance(schedule, CronSchedule) or len(_present_times(asked)) > _FEW:
        return False
    return not every_day or parts_of(schedule.expr)[1:] == ("* * *", "")


def shift_schedule(asked: Asked, by: timedelta) -> Understood:
    """All times of day, earlier or later."""
    schedule = asked.spec.schedule
    if isinstance(schedule, OneShotSchedule):
        return one_shot(asked, schedule.run_at + by)
    if not shows_clock(asked, every_day=False):
        raise asked.not_understood("Say the schedule as a whole, as in 'every day at 9am'.")
    assert isinstance(schedule, CronSchedule)
    times = {time + int(by.total_seconds()) for time in _present_times(asked)}
    if min(times) < 0 or max(times) >= DAY_SECONDS:
        shown = clock_text(min(times) % DAY_SECONDS)
        raise asked.refused(f"that is on another day: say the time, as in 'at {shown}'")
    _, dates, period = parts_of(schedule.expr)
    return edit_cron(asked, times_text(frozenset(times)), dates, period, schedule.timezone)


# -- days


def plain_weekdays(asked: Asked) -> frozenset[int] | None:
    """The weekdays of a schedule that has no other rule for its days."""
    schedule = asked.spec.schedule
    if not isinstance(schedule, CronSchedule):
        return _WEEK if isinstance(schedule, IntervalSchedule) else None
    _, dates, _ = parts_of(schedule.expr)
    fields = parse_cron(ALIASES.get(schedule.expr, schedule.expr)).fields
    is_plain = fields.days.is_every and not fields.weekdays.nth and not fields.weekdays.last
    return fields.weekdays.numbers if is_plain and dates.split()[0] in ("*", "?") else None


def _with_weekdays(dates: str, weekdays: frozenset[int]) -> str:
    day, month, _ = dates.split()
    return f"{day} {month} {'*' if weekdays >= _WEEK else numbers_text(sorted(weekdays))}"


def without_days(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "not on fridays", "every day except sunday"."""
    phrase = re.sub(r"^on ", "", match["days"], flags=re.IGNORECASE)
    plural = " and ".join(_plurals(phrase)) if "base" in match.groupdict() else phrase
    days = weekdays_said(asked, plural)
    is_rhythm = re.search(r"\b(?:every|each)\b", phrase, re.IGNORECASE) is None and all(
        word.endswith("s") for word in _words(plural)
    )
    if days is None or not is_rhythm:
        return None
    present = plain_weekdays(asked)
    if match.groupdict().get("base"):
        present = (
            _WEEK if match["base"].lower().endswith(" day") else weekdays_said(asked, match["base"])
        )
    named = joined(f"{WEEKDAYS[day]}s" for day in sorted(days))
    if present is None:
        raise asked.refused(
            f"the job's days are not weekdays alone: say its schedule without {named}, as in "
            "'every weekday at 9am'"
        )
    rest = present - days
    if not rest or not days & present:
        has = "would not run at all" if not rest else "does not run then"
        instead = "; say 'disable it' to stop it" if not rest else ""
        raise asked.refused(f"without {named} the job {has}{instead}")
    schedule = asked.spec.schedule
    if isinstance(schedule, OneShotSchedule):
        return None
    if isinstance(schedule, CronSchedule):
        times, dates, period = parts_of(schedule.expr)
        return edit_cron(asked, times, _with_weekdays(dates, rest), period, schedule.timezone)
    listed = joined(WEEKDAYS[day] for day in sorted(rest))
    found = read_phrase(asked, f"{schedule.describe()} on {listed}", zone=asked.spec.timezone)
    if found is None or not isinstance(found.schedule, CronSchedule):
        return None
    return edit_cron(asked, *parts_of(found.schedule.expr), asked.spec.timezone)


def _words(phrase: str) -> list[str]:
    return re.split(r",? (?:and|or|&) |, ", re.sub(r" any ?more$", "", phrase))


def _plurals(phrase: str) -> list[str]:
    return [word if word.endswith("s") else f"{word}s" for word in _words(phrase)]
