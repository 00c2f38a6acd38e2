"""The rule of change requests that sets another schedule, or other days at the same times."""

import re
from datetime import datetime, timedelta

from universal_agent.domain.change_slots import instants_of, one_of
from universal_agent.domain.change_terms import Asked, Operation, Understood, edit
from universal_agent.domain.change_times import (
    edit_cron,
    one_shot,
    parts_of,
    plain_weekdays,
    read_phrase,
    set_times,
    times_said,
    weekdays_said,
)
from universal_agent.domain.cron_text import parse_cron
from universal_agent.domain.cron_words import words_of
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.local_time import instant_at
from universal_agent.domain.phrases import SchedulePhrase, parse_schedule
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
)
from universal_agent.domain.wording import describe_duration
from universal_agent.errors import InvalidInput, InvalidPhrase

_DAY = timedelta(days=1)
_WEEK = frozenset(range(7))
_HOURS = 24


def set_schedule(asked: Asked, phrase: str) -> Understood:
    """Another schedule, another time of day on the same days, or other days at the same times."""
    said = asked.said
    phrase = phrase.strip(" ,")
    if said.is_once:
        raise asked.not_understood("For one run, say 'move it to tomorrow at 10am'.")
    days = re.sub(r"^only |^just | only$", "", phrase, flags=re.IGNORECASE)
    if (times := times_said(asked, days)) is not None:
        return set_times(asked, *times, said.instead, is_only=days != phrase)
    if re.fullmatch(r"\d{1,2}", phrase) and int(phrase) < _HOURS:
        raise asked.not_understood(f"A bare number is no time: say 'at {phrase}:00'.")
    if said.instead:
        _check_given_up(asked, days, said.instead)
    if (kept := _kept(asked, days)) is not None:
        return kept
    if (once := re.fullmatch(r"(?:only|just) once,? (.+)", phrase, re.IGNORECASE)) is not None:
        return _once(asked, once[1])
    return _other(asked, phrase)


def _check_given_up(asked: Asked, phrase: str, instead: str) -> None:
    """Refuse "instead of" for days or an interval that are not the whole of the schedule."""
    schedule = asked.spec.schedule
    before = re.sub(r"^on ", "", instead.lower())
    if isinstance(schedule, CronSchedule):
        days = weekdays_said(asked, before)
        present = plain_weekdays(asked)
        is_daily = before in ("every day", "daily", "each day") and present == _WEEK
        if is_daily or (days is not None and days == present):
            return
        shown = words_of(schedule.expr)[1]
    else:
        every = read_phrase(asked, before) or read_phrase(asked, f"{before} minutes")
        if every is not None and getattr(every.schedule, "every", None) == getattr(
            schedule, "every", ()
        ):
            return
        shown = schedule.describe()
    raise asked.refused(f"the job runs {shown}, not {instead}; say the new schedule alone")


def _kept(asked: Asked, phrase: str) -> Understood | None:
    """Other days, a window or a rhythm, with the times or the days that the schedule has."""
    schedule, zone = asked.spec.schedule, asked.spec.timezone
    if isinstance(schedule, OneShotSchedule):
        return _one_shot_on(asked, phrase, schedule)
    alone = read_phrase(asked, phrase)
    if isinstance(schedule, IntervalSchedule):
        is_window = re.match(r"(?:from|between) \d", phrase) is not None
        if alone is not None or not (
            is_window or weekdays_said(asked, phrase) not in (None, _WEEK)
        ):
            return None
        every = describe_duration(schedule.every)
        found = read_phrase(asked, f"every {every} {phrase}", zone=zone)
        if found is None or not isinstance(found.schedule, CronSchedule):
            return None
        return edit_cron(asked, *parts_of(found.schedule.expr), zone)
    times, dates, period = words_of(schedule.expr)
    step = alone.schedule.every if alone and isinstance(alone.schedule, IntervalSchedule) else None
    is_step = step is not None and not step % _DAY
    if alone is not None and (not is_step or alone.is_anchored):
        return None
    if alone is None and not _lacks(asked, phrase, ("a time of day", "a day of the")):
        return None
    is_weekly = _lacks(asked, phrase, ("a day of the week",))
    if period and not is_step and not (is_weekly and period.startswith("every")):
        return _days_in_period(asked, schedule, phrase)
    candidates = [f"{times} {phrase}"]
    counts_weeks = step is not None and not step % (7 * _DAY)
    if dates != "every day" and (counts_weeks or _lacks(asked, phrase, ("a day of the",))):
        candidates = [f"{phrase} {dates} {times}", *candidates]
    for text in candidates:
        found = read_phrase(asked, text, zone=zone)
        if found is not None and isinstance(found.schedule, CronSchedule):
            _check_start(asked, found, phrase)
            return edit_cron(asked, *parts_of(found.schedule.expr), zone)
    return None


def _days_in_period(asked: Asked, schedule: CronSchedule, phrase: str) -> Understood | None:
    """Other days of a schedule that starts later, or counts weeks."""
    times, _, period = parts_of(schedule.expr)
    found = read_phrase(asked, f"{phrase} at 00:00")
    if found is None or not isinstance(found.schedule, CronSchedule):
        return None
    if period.startswith("every"):
        words = words_of(schedule.expr)[0]
        every = " ".join(period.split()[:3])
        raise asked.not_understood(
            f"It has two readings: say '{phrase} {words}' for every one, or "
            f"'{every} {phrase} {words}'."
        )
    return edit_cron(asked, times, parts_of(found.schedule.expr)[1], period, schedule.timezone)


def _lacks(asked: Asked, phrase: str, what: tuple[str, ...]) -> bool:
    """Whether a phrase is refused because it needs one of these."""
    try:
        parse_schedule(phrase, now=asked.now, timezone=asked.timezone)
    except InvalidInput as refusal:
        return any(f"needs {part}" in refusal.message for part in what)
    return False


def _one_shot_on(asked: Asked, phrase: str, schedule: OneShotSchedule) -> Understood | None:
    """Another day of a job that runs once, at its time."""
    clock = f"{asked.wall(schedule.run_at):%H:%M:%S}"
    if not _lacks(asked, phrase, ("a time of day",)):
        return None
    found = read_phrase(asked, f"{phrase} at {clock}")
    if found is None:
        return None
    if isinstance(found.schedule, OneShotSchedule):
        instants = instants_of(asked, schedule.run_at, phrase.lower())
        return one_shot(asked, one_of(asked, instants or [found.schedule.run_at]))
    return _other(asked, f"{phrase} at {clock}")


def _once(asked: Asked, phrase: str) -> Understood:
    """One instant in place of the schedule, where that is said."""
    at = asked.instant(phrase)
    if at <= asked.now:
        raise asked.refused(f"expected an instant in the future, got {asked.local(at)}")
    repeats = not isinstance(asked.spec.schedule, OneShotSchedule)
    warning = "The job will run once, and no longer repeat." if repeats else ""
    summary = f"Run it once, at {asked.local(at)}, and no longer as before."
    return edit(Operation.RESCHEDULE, JobDraft(run_at=at.timestamp()), summary, warning)


def _other(asked: Asked, phrase: str) -> Understood:
    """A whole schedule in words."""
    spec, zone = asked.spec, asked.timezone
    try:
        understood = parse_schedule(phrase, now=asked.now, timezone=zone)
    except InvalidPhrase as refusal:
        raise asked.not_understood(refusal.message.partition("; expected")[0] + ".") from None
    found, present = understood.schedule, spec.schedule
    if isinstance(found, OneShotSchedule):
        if isinstance(present, OneShotSchedule):
            return one_shot(asked, found.run_at)
        raise _two_kinds(asked, phrase, found.run_at)
    _check_start(asked, understood, phrase)
    draft = JobDraft(schedule=phrase, timezone=understood.timezone)
    warnings = [_zone_warning(asked, understood), _days_warning(asked, understood, phrase)]
    summary = f"Change the schedule to: {understood.understood_as}."
    return edit(Operation.RESCHEDULE, draft, summary, *warnings)


def _two_kinds(asked: Asked, phrase: str, at: datetime) -> InvalidInput:
    """The refusal of one instant for a job that repeats."""
    if re.fullmatch(r"now|asap|right now|immediately", phrase, re.IGNORECASE):
        return asked.not_understood("Say 'run now' for one more run.")
    if at == asked.slot:
        return asked.refused(f"the job runs at {asked.local(at)} already")
    when = re.sub(r"^once,? ", "", phrase, flags=re.IGNORECASE)
    length = re.fullmatch(r"\d\w*", when)
    when = f"in {when}" if length else when
    return asked.not_understood(
        f"The job repeats, so that one time has two readings: say 'move it to {when}' for this "
        f"run, or 'only once, {when}' for a job that no longer repeats."
    )


def _check_start(asked: Asked, understood: SchedulePhrase, phrase: str) -> None:
    """Refuse a start in words while the present schedule has slots before it.

    Whether the job is to run as before until then cannot be said in one schedule.
    """
    found = understood.schedule
    words = re.search(r"\b(from|starting|beginning|since)\b(?! \d{1,2}[: ])", phrase, re.IGNORECASE)
    if not isinstance(found, CronSchedule | IntervalSchedule) or words is None:
        return
    if isinstance(found, CronSchedule):
        if " from " not in found.expr or found.expr == phrase:
            return
    elif not understood.is_anchored:
        return
    first = found.next_after(asked.now)
    present = asked.spec.schedule.next_after(asked.now)
    if first is None or present is None or present >= _begin_of(found, first, asked):
        return
    alone = phrase[: words.start()].strip() or re.sub(
        r"^\w+ (?:next \w+|\S+)(?: on)?,? ", "", phrase
    )
    raise asked.not_understood(
        f"The job has a slot before that, at {asked.local(present)}, and one schedule cannot say "
        f"what runs until then: say '{alone}' for a change from today on, or 'pause until "
        f"{asked.wall(first).date()}' first."
    )


def _begin_of(found: CronSchedule | IntervalSchedule, first: datetime, asked: Asked) -> datetime:
    """When a schedule begins: the start of its period's day, or its first slot."""
    if not isinstance(found, CronSchedule):
        return first
    period = parse_cron(found.expr).fields.period
    if period is None:
        return first
    wall = datetime(1970, 1, 1) + timedelta(seconds=period.start)  # noqa: DTZ001 - a wall clock
    return instant_at(wall, found.timezone)


def _zone_warning(asked: Asked, understood: SchedulePhrase) -> str:
    zone = understood.timezone
    if understood.names_zone or zone == asked.spec.timezone:
        return ""
    return f"The times are read in {zone}; the job's zone was {asked.spec.timezone}."


def _days_warning(asked: Asked, understood: SchedulePhrase, phrase: str) -> str:
    """Where an interval takes the place of a schedule of certain days."""
    present, found = asked.spec.schedule, understood.schedule
    if not isinstance(present, CronSchedule) or parts_of(present.expr)[1].split()[2] in ("*", "?"):
        return ""
    if isinstance(found, CronSchedule) and parts_of(found.expr)[1] != "* * *":
        return ""
    if re.search(r"\bday|daily", phrase, re.IGNORECASE) or phrase[:1] in "*@0123456789":
        return ""
    return f"It runs on all days; before, it ran {words_of(present.expr)[1]}."
