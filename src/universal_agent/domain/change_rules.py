"""The rules of change requests: each makes one operation of a sentence that was recognized."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.change_terms import Asked, Confidence, Operation, Understood
from universal_agent.domain.cron_fields import split_period
from universal_agent.domain.cron_text import ALIASES, parse_cron
from universal_agent.domain.cron_words import words_of
from universal_agent.domain.local_time import zone_of
from universal_agent.domain.phrases import (
    describe_duration,
    parse_duration,
    parse_instant,
    parse_schedule,
)
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
)
from universal_agent.errors import InvalidInput, InvalidPhrase, InvalidSchedule

_SUMMARIES = {
    Operation.PAUSE: "Pause the job: it expects no slots until it is resumed.",
    Operation.RESUME: "Resume the job from now on; slots that passed are not replayed.",
    Operation.DISABLE: "Disable the job: it expects no slots until it is enabled.",
    Operation.RUN_NOW: "Run the job once now, in addition to its schedule.",
}

Rule = Callable[[Asked, re.Match[str]], Understood]


def simple(operation: Operation) -> Rule:
    def rule(asked: Asked, _match: re.Match[str]) -> Understood:
        spec = asked.spec
        warnings: tuple[str, ...] = ()
        if operation is Operation.RESUME:
            if spec.enabled and not spec.is_held:
                if (fields := _starting(spec.schedule, asked.now, spec.timezone)) is not None:
                    return _edit(
                        Operation.RESCHEDULE, fields, "Resume the schedule from now on.", asked
                    )
                warnings = ("The job is enabled already.",)
        elif operation in (Operation.PAUSE, Operation.DISABLE) and not spec.enabled:
            warnings = ("The job is off already.",)
        return Understood(
            operation=operation, arguments={}, summary=_SUMMARIES[operation], warnings=warnings
        )

    return rule


def _edit(
    operation: Operation,
    fields: Mapping[str, Any],
    summary: str,
    asked: Asked,
    *,
    warning: str = "",
) -> Understood:
    return Understood(
        operation=operation,
        arguments=fields,
        summary=summary,
        confidence=Confidence.MEDIUM if warning else Confidence.HIGH,
        warnings=(warning,) if warning else (),
    )


def _slot_of(asked: Asked, match: re.Match[str], verb: str) -> tuple[datetime, dict[str, Any]]:
    """The slot to come that is meant, and the arguments that name it when it is another one."""
    day = match.groupdict().get("day")
    if day is None:
        if asked.slot <= asked.now:
            raise InvalidInput(
                f"only a slot to come can be {verb}; {asked.local(asked.slot)} is past",
                field="instruction",
            )
        return asked.slot, {}
    zone = zone_of(asked.spec.timezone)
    named = re.sub(r"^tonight$", "today", re.sub(r"^on ", "", day.lower()))
    start = parse_instant(
        f"{named} at 23:59:59", now=asked.now, timezone=asked.spec.timezone, field="instruction"
    )
    midnight = start.astimezone(zone).replace(hour=0, minute=0, second=0)
    after = max(midnight - timedelta(seconds=1), asked.now)
    found = asked.spec.schedule.next_after(after)
    if found is None or found > start:
        raise InvalidInput(f"the job has no slot to come {day}", field="instruction")
    following = asked.spec.schedule.next_after(found)
    if following is not None and following <= start:
        raise InvalidInput(
            f"the job has several slots {day}; choose one of them in the calendar",
            field="instruction",
        )
    return found, {} if found == asked.slot else {"slot_at": int(found.timestamp())}


def skip_slot(asked: Asked, match: re.Match[str]) -> Understood:
    slot, arguments = _slot_of(asked, match, "skipped")
    return Understood(
        operation=Operation.SKIP_SLOT,
        arguments=arguments,
        summary=f"Skip the slot of {asked.local(slot)}; later ones run as planned.",
    )


def run_early(asked: Asked, match: re.Match[str]) -> Understood:
    slot, arguments = _slot_of(asked, match, "run early")
    return Understood(
        operation=Operation.RUN_EARLY,
        arguments=arguments,
        summary=f"Run the slot of {asked.local(slot)} now instead; later ones run as planned.",
    )


def undo_slot(asked: Asked, _match: re.Match[str]) -> Understood:
    return Understood(
        operation=Operation.UNDO_SLOT,
        arguments={},
        summary=f"Take back what was decided about the slot of {asked.local(asked.slot)}.",
    )


def rename(asked: Asked, match: re.Match[str]) -> Understood:
    title = (match.groupdict().get("title") or match["named"]).strip()
    summary = f"Rename the job from “{asked.spec.display_title}” to “{title}”."
    return _edit(Operation.RENAME, {"title": title}, summary, asked)


def set_command(asked: Asked, match: re.Match[str]) -> Understood:
    command = match["command"].strip()
    if command[:1] in "`\"'" and command[:1] == command[-1:] and len(command) > 2:
        command = command[1:-1]
    return _edit(
        Operation.SET_COMMAND, {"command": command}, f"Change the command to: {command}", asked
    )


def set_zone(asked: Asked, match: re.Match[str]) -> Understood:
    zone = match["zone"] or match["where"]
    try:
        zone_of(zone)
    except InvalidSchedule as error:
        raise InvalidInput(error.message, field="instruction") from None
    if not isinstance(asked.spec.schedule, CronSchedule):
        raise InvalidInput(
            "the job counts from an instant, so that another zone changes nothing",
            field="instruction",
        )
    summary = f"Read the times of the schedule in {zone} instead of {asked.spec.timezone}."
    return _edit(Operation.SET_TIMEZONE, {"timezone": zone}, summary, asked)


def pause_until(asked: Asked, match: re.Match[str]) -> Understood:
    """No slots until an instant: the schedule as it is, from then on."""
    groups = match.groupdict()
    if groups.get("for"):
        until = asked.now + parse_duration(groups["for"], field="instruction")
    else:
        until = _day_or_instant(asked, match["until"] or match["then"])
    if until <= asked.now:
        raise InvalidInput("expected an instant in the future", field="instruction")
    spec = asked.spec
    fields = _starting(spec.schedule, until, spec.timezone, now=asked.now)
    if fields is None:
        raise InvalidInput(
            "this schedule cannot be paused until then: pause it and resume it, or move its slot",
            field="instruction",
        )
    summary = f"No slots until {asked.local(until)}; then the schedule goes on as it is."
    return _edit(Operation.RESCHEDULE, {**fields, "enabled": True}, summary, asked)


def _day_or_instant(asked: Asked, when: str) -> datetime:
    """An instant; a day without a time is its beginning."""
    try:
        return asked.instant(when)
    except InvalidPhrase:
        return asked.instant(f"{when} at 00:00")


def _starting(
    schedule: Schedule, at: datetime, timezone: str, *, now: datetime | None = None
) -> dict[str, Any] | None:
    """The fields of an edit that starts a schedule at an instant; without `now`, immediately.

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
            return {"cron_expr": fields, "timezone": schedule.timezone} if is_held else None
        local = at.astimezone(zone_of(schedule.timezone))
        expr = f"{fields} from {local:%Y-%m-%dT%H:%M}"
        return {"cron_expr": expr, "timezone": schedule.timezone}
    if isinstance(schedule, IntervalSchedule):
        if now is None and schedule.anchor <= at:
            return None
        steps = -((schedule.anchor - at) // schedule.every)
        first = schedule.anchor + steps * schedule.every
        local = first.astimezone(zone_of(timezone))
        every = describe_duration(schedule.every)
        return {
            "schedule": f"every {every} starting {local:%Y-%m-%dT%H:%M:%S}",
            "timezone": timezone,
        }
    return None


def move_slot(asked: Asked, match: re.Match[str]) -> Understood:
    when = match["when"]
    try:
        at = _on_its_day(asked, when)
    except InvalidPhrase:
        # "move it to 8:30 on weekdays" is about the schedule.
        return set_schedule(asked, when)
    return _moved(asked, match, at)


def _on_its_day(asked: Asked, when: str) -> datetime:
    """The instant that is said; a time of day alone is one of the slot's day."""
    if not re.fullmatch(
        r"(?:at )?[\d:.]+ ?(?:[ap]\.?m\.?)?|noon|midnight|midday", when, re.IGNORECASE
    ):
        return asked.instant(when)
    zone = zone_of(asked.timezone)
    midnight = asked.slot.astimezone(zone).replace(hour=0, minute=0, second=0) - timedelta(
        seconds=1
    )
    text = when if when.lower().startswith("at ") or not when[0].isdigit() else f"at {when}"
    return parse_instant(text, now=midnight, timezone=asked.timezone, field="instruction")


def shift_slot(asked: Asked, match: re.Match[str]) -> Understood:
    length = parse_duration(match["length"], field="instruction")
    is_earlier = match["way"] is not None and match["way"].lower() in (
        "earlier",
        "sooner",
        "forward",
    )
    slot, _ = _slot_of(asked, match, "moved")
    return _moved(asked, match, slot - length if is_earlier else slot + length)


def _moved(asked: Asked, match: re.Match[str], at: datetime) -> Understood:
    if at <= asked.now:
        raise InvalidInput(
            f"expected an instant in the future, got {asked.local(at)}", field="instruction"
        )
    if isinstance(asked.spec.schedule, OneShotSchedule):
        fields = {"run_at": at.timestamp()}
        return _edit(Operation.RESCHEDULE, fields, f"Run it at {asked.local(at)}.", asked)
    slot, arguments = _slot_of(asked, match, "moved")
    return Understood(
        operation=Operation.MOVE_SLOT,
        arguments={"move_to": at.timestamp(), **arguments},
        summary=(
            f"Run the slot of {asked.local(slot)} at {asked.local(at)} instead; the schedule stays."
        ),
    )


def set_schedule(asked: Asked, phrase: str) -> Understood:
    """Another schedule, another time of day on the same days, or other days at the same times."""
    spec, zone = asked.spec, asked.timezone
    kept = _kept(asked, phrase)
    if kept is not None:
        schedule, words = kept
        warning = f"The time is read in the job's zone, {spec.timezone}."
        if isinstance(schedule, OneShotSchedule):
            fields: dict[str, Any] = {"run_at": schedule.run_at.timestamp()}
            return _edit(Operation.RESCHEDULE, fields, words, asked, warning=warning)
        assert isinstance(schedule, CronSchedule)
        fields = {"cron_expr": schedule.expr, "timezone": schedule.timezone}
        summary = f"Change the schedule to: {words} (cron {schedule.expr})."
        return _edit(Operation.RESCHEDULE, fields, summary, asked, warning=warning)
    try:
        understood = parse_schedule(phrase, now=asked.now, timezone=zone)
    except InvalidPhrase as refusal:
        raise asked.not_understood(refusal.message.partition("; expected")[0] + ".") from None
    fields = {"schedule": phrase, "timezone": understood.timezone}
    once = isinstance(understood.schedule, OneShotSchedule)
    is_repeating = once and not isinstance(spec.schedule, OneShotSchedule)
    warning = "The job will run once, and no longer repeat." if is_repeating else ""
    summary = f"Change the schedule to: {understood.understood_as}."
    return _edit(Operation.RESCHEDULE, fields, summary, asked, warning=warning)


_TIME_ALONE = re.compile(
    r"(?:at )?(?:(?:\d[\d:.h]* ?(?:[ap]\.?m\.?)?|noon|midnight|midday)(?:,? (?:and )?)?)+",
    re.IGNORECASE,
)


def _kept(asked: Asked, phrase: str) -> tuple[Schedule, str] | None:
    """The present schedule with the time or the days that the phrase says; None for neither."""
    spec = asked.spec
    is_time = _TIME_ALONE.fullmatch(phrase) is not None and not re.fullmatch(
        r"[\d.]+[smhdw]?", phrase.strip(), re.IGNORECASE
    )
    if isinstance(spec.schedule, OneShotSchedule):
        return None
    if isinstance(spec.schedule, CronSchedule):
        times, dates, _ = words_of(spec.schedule.expr)
    else:
        times, dates = spec.schedule.describe(), ""
        if is_time:
            raise asked.not_understood("The job repeats by an interval: say 'every day at …'.")
    if is_time:
        said = phrase if phrase.lower().startswith("at ") else f"at {phrase}"
        text = f"{said} {dates or 'every day'}"
    else:
        days = re.sub(r"^only |^just | only$", "", phrase, flags=re.IGNORECASE)
        text = f"{times} {days}"
        if not _is_days(days, asked):
            return None
    try:
        understood = parse_schedule(text, now=asked.now, timezone=spec.timezone)
    except InvalidInput as refusal:
        raise asked.not_understood(refusal.message.partition("; expected")[0] + ".") from None
    return understood.schedule, understood.understood_as


def _is_days(phrase: str, asked: Asked) -> bool:
    """Whether a phrase is days of a rhythm that lack a time of day, and nothing else."""
    try:
        parse_schedule(phrase, now=asked.now, timezone=asked.timezone)
    except InvalidInput as refusal:
        if "needs a time of day" not in refusal.message:
            return False
    else:
        return False
    try:
        found = parse_schedule(f"{phrase} at 00:00", now=asked.now, timezone=asked.timezone)
    except InvalidInput:
        return False
    return isinstance(found.schedule, CronSchedule)


def two_readings(asked: Asked, _match: re.Match[str]) -> Understood:
    raise asked.not_understood(
        "It has two readings: say 'skip it' for this run alone, or 'disable it' for all."
    )
