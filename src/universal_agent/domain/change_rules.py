"""The rules of change requests about the job as a whole: off and on, its name, its zone."""

import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from itertools import islice

from universal_agent.domain.change_slots import day_of, slots, windows_of
from universal_agent.domain.change_terms import Asked, Operation, Understood, edit
from universal_agent.domain.cron_fields import split_period
from universal_agent.domain.cron_text import ALIASES, parse_cron
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.local_time import instant_at, zone_of
from universal_agent.domain.phrase_reader import PhraseReader, read_number
from universal_agent.domain.phrases import describe_duration, parse_duration, parse_schedule
from universal_agent.domain.schedule import CronSchedule, IntervalSchedule, Schedule
from universal_agent.errors import InvalidInput, InvalidPhrase

_SUMMARIES = {
    Operation.PAUSE: "Pause the job: it expects no slots until it is resumed.",
    Operation.RESUME: "Resume the job from now on; slots that passed are not replayed.",
    Operation.DISABLE: "Disable the job: it expects no slots until it is enabled.",
    Operation.RUN_NOW: "Run the job once now, in addition to its schedule.",
}

#: Makes what a sentence asks for; None when it is not such a sentence after all.
Rule = Callable[[Asked, re.Match[str]], Understood | None]

_DAY = timedelta(days=1)
_FAR = timedelta(days=4000)


def simple(operation: Operation) -> Rule:
    def rule(asked: Asked, _match: re.Match[str]) -> Understood:
        spec = asked.spec
        warnings: tuple[str, ...] = ()
        if operation is Operation.RESUME:
            if spec.enabled and not spec.is_held:
                if (draft := _starting(spec.schedule, asked.now, spec.timezone)) is not None:
                    return edit(Operation.RESCHEDULE, draft, "Resume the schedule from now on.")
                warnings = ("The job is enabled already.",)
        elif operation in (Operation.PAUSE, Operation.DISABLE) and not spec.enabled:
            warnings = ("The job is off already.",)
        return Understood(operation=operation, summary=_SUMMARIES[operation], warnings=warnings)

    return rule


def restart(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "restart it": back on when it is off; otherwise it has two readings."""
    if not asked.spec.enabled or asked.spec.is_held:
        return simple(Operation.RESUME)(asked, match)
    raise asked.not_understood(
        "The job is on: say 'run now' for one more run, or 'resume' for a job that is paused."
    )


def asks_back(reason: str) -> Rule:
    """A rule that refuses a sentence with its readings."""

    def rule(asked: Asked, _match: re.Match[str]) -> Understood:
        raise asked.not_understood(reason)

    return rule


# -- no slots until an instant


def pause_until(asked: Asked, match: re.Match[str]) -> Understood | None:
    """No slots until an instant: the schedule as it is, from then on."""
    groups = match.groupdict()
    if groups.get("for"):
        until = asked.now + _length(asked, groups["for"])
    else:
        until = _day_or_instant(asked, groups.get("until") or groups.get("then") or "")
    resumes = groups.get("then") is not None
    return _paused(asked, until, resumes=resumes)


def pause_for_now(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "for today", "for the rest of the week", "this week"."""
    unit = match["unit"].lower()
    return _paused(asked, _end_of(asked, "day" if unit == "today" else unit))


def skip_several(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "skip the next 3 runs"."""
    reader = PhraseReader(match["count"], field="instruction", examples="")
    count = read_number(reader)
    if count is None or not reader.at_end or not count:
        return None
    coming = list(islice(slots(asked.spec.schedule, asked.now, asked.now + _FAR), count + 1))
    if len(coming) <= count:
        raise asked.refused(f"the job has {len(coming)} slots to come: say 'pause' to stop it")
    return _paused(asked, coming[-1])


def skip_week(asked: Asked, match: re.Match[str]) -> Understood | None:
    """ "skip this week": none of its slots, of which there are several."""
    windows = windows_of(asked, "this week")
    assert windows is not None
    ((_, end),) = windows
    coming = list(islice(slots(asked.spec.schedule, asked.now, end), 2))
    return _paused(asked, end) if len(coming) > 1 else None


def _paused(asked: Asked, until: datetime, *, resumes: bool = False) -> Understood:
    if until <= asked.now:
        raise asked.refused(f"expected an instant in the future, got {asked.local(until)}")
    spec = asked.spec
    wall = asked.wall(until)
    when = f"{wall:%Y-%m-%d}" if (wall.hour, wall.minute) == (0, 0) else f"{wall:%Y-%m-%d %H:%M}"
    if not spec.enabled and not resumes:
        raise asked.refused(f"the job is off already: say 'resume on {when}' to turn it on then")
    first = spec.schedule.next_after(asked.now)
    is_idle = first is not None and first >= until
    draft = _starting(spec.schedule, until, spec.timezone, now=asked.now)
    if draft is None:
        instead = (
            f"'move it to {when if ':' in when else f'{when} at 09:00'}'"
            if spec.schedule.kind == "once"
            else "'pause' now, and resume it then"
        )
        raise asked.refused(f"this schedule cannot be paused until then: say {instead}")
    summary = f"No slots until {asked.local(until)}; then the schedule goes on as it is."
    warning = f"The job has no slot before then; the next one is {asked.local(first or until)}."
    enabled = draft.model_copy(update={"enabled": True})
    return edit(Operation.RESCHEDULE, enabled, summary, warning if is_idle else "")


def _length(asked: Asked, words: str) -> timedelta:
    words = re.sub(r"^(?:the )?next ", "", words.strip(), flags=re.IGNORECASE)
    if re.fullmatch(r"(?:a|the) (?:while|bit|moment)|a few \w+|some \w+", words, re.IGNORECASE):
        unit = words.split()[-1].lower()
        unit = unit if unit in ("hours", "days", "weeks", "minutes") else "days"
        raise asked.not_understood(f"For how long is not said: say 'pause for 3 {unit}'.")
    try:
        return parse_duration(words, field="instruction")
    except InvalidPhrase:
        raise asked.not_understood(
            "A length of time is expected: say 'pause for 2 days'."
        ) from None


def _day_or_instant(asked: Asked, when: str) -> datetime:
    """An instant; a day without a time is its beginning."""
    words = re.sub(r"^on ", "", when.strip().lower())
    if match := re.fullmatch(
        r"(?:the )?end of (?:the|this) (day|week|month|year)|next (week|month|year)"
        r"|the new year(?:'s day)?",
        words,
    ):
        return _end_of(asked, match[1] or match[2] or "year")
    if words == "tonight":
        raise asked.not_understood("A time is expected: say 'pause until tonight at 20:00'.")
    if (month := _month(asked, words)) is not None:
        return month
    if re.fullmatch(r"(?:the )?\d{1,2}(?:st|nd|rd|th)(?: of \w+ month)?", words):
        day = day_of(asked, words)
        if day is not None:
            today = asked.wall(asked.now).date()
            after = day_of(asked, words.split(" of ")[0]) if day == today else day
            return instant_at(datetime.combine(after or day, time()), asked.timezone)
    try:
        return asked.instant(words)
    except InvalidPhrase:
        try:
            return asked.instant(f"{words} at 00:00")
        except InvalidPhrase:
            raise asked.not_understood(
                "A day or an instant is expected: say 'pause until monday', or 'pause'."
            ) from None


def _month(asked: Asked, words: str) -> datetime | None:
    """The beginning of a month by name."""
    if re.fullmatch(r"[a-z]{3,9}", words) is None:
        return None
    try:
        first = asked.instant(f"{words} 1 at 00:00")
    except InvalidInput:
        return None
    return first


def _end_of(asked: Asked, unit: str) -> datetime:
    """The end of this day, week, month or year, in the zone that the words are read in."""
    today = asked.wall(asked.now).date()
    match unit:
        case "day":
            day = today + _DAY
        case "week":
            day = today + timedelta(days=7 - today.weekday())
        case "month":
            day = (today.replace(day=1) + 32 * _DAY).replace(day=1)
        case _:
            day = today.replace(year=today.year + 1, month=1, day=1)
    return instant_at(datetime.combine(day, time()), asked.timezone)


def _starting(
    schedule: Schedule, at: datetime, timezone: str, *, now: datetime | None = None
) -> JobDraft | None:
    """The edit that starts a schedule at an instant; without `now`, immediately.

    None when it begins already, or cannot begin later.
    """
    if isinstance(schedule, CronSchedule):
        fields, period = split_period(ALIASES.get(schedule.expr, schedule.expr))
        begins = parse_cron(schedule.expr).fields.period
        if begins is not None and begins.every > 1:
            return None
        if now is None:
            first = schedule.next_after(at)
            plain = parse_schedule(fields, now=at, timezone=schedule.timezone).schedule
            is_held = bool(period) and plain.next_after(at) != first
            return JobDraft(cron_expr=fields, timezone=schedule.timezone) if is_held else None
        first = schedule.next_after(now)
        if begins is not None and first is not None and first >= at:
            return JobDraft(cron_expr=schedule.expr, timezone=schedule.timezone)
        local = at.astimezone(zone_of(schedule.timezone))
        expr = f"{fields} from {local:%Y-%m-%dT%H:%M}"
        return JobDraft(cron_expr=expr, timezone=schedule.timezone)
    if isinstance(schedule, IntervalSchedule):
        if now is None and schedule.anchor <= at:
            return None
        steps = -((schedule.anchor - at) // schedule.every)
        first = schedule.anchor + steps * schedule.every
        local = first.astimezone(zone_of(timezone))
        every = describe_duration(schedule.every)
        starting = f"every {every} starting {local:%Y-%m-%dT%H:%M:%S}"
        return JobDraft(schedule=starting, timezone=timezone)
    return None
