"""What does an instruction in words ask of a job? Understood whole, or not at all.

A small grammar over whole sentences: "do not stop this job" is not "stop" with other words around
it, it is a sentence that is not understood, and changes nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any

from universal_agent.domain.job import JobSpec
from universal_agent.domain.local_time import load_zone
from universal_agent.domain.phrases import parse_instant, parse_schedule
from universal_agent.domain.schedule import CronSchedule, OneShotSchedule, Schedule
from universal_agent.errors import InvalidInput, InvalidPhrase

MAX_CHARS = 300

#: How many coming slots a proposal shows on each side.
SLOTS_SHOWN = 5


class Operation(StrEnum):
    """What is to be done; each is one command of the engine."""

    PAUSE = "pause"
    RESUME = "resume"
    DISABLE = "disable"
    RUN_NOW = "run_now"
    RENAME = "rename"
    RESCHEDULE = "set_schedule"
    SKIP_SLOT = "skip_slot"
    MOVE_SLOT = "move_slot"


class Confidence(StrEnum):
    """How sure the understanding is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """An instruction, understood."""

    operation: Operation
    #: Fields of an edit, or `move_to` of a slot; JSON.
    arguments: Mapping[str, Any]
    summary: str
    confidence: Confidence = Confidence.HIGH
    warnings: tuple[str, ...] = ()


_IT = r"(?: (?:it|this|this job|the job|this one))?"
_SLOT = r"(?: (?:it|this|this one|this run|this slot|the slot|the next(?: one| run| slot)?|next))?"

_SIMPLE = (
    (Operation.PAUSE, re.compile(rf"(?:pause|suspend|hold){_IT}")),
    (Operation.RESUME, re.compile(rf"(?:resume|unpause|continue|enable){_IT}")),
    (Operation.DISABLE, re.compile(rf"(?:disable|stop|turn off|switch off){_IT}")),
    (Operation.RUN_NOW, re.compile(rf"(?:run|start|execute|trigger){_IT} (?:now|right now)")),
    (Operation.SKIP_SLOT, re.compile(rf"skip{_SLOT}")),
)
#: A name follows "to" or "as", or stands in quotes: "call it off" has none.
_RENAMES = (
    re.compile(
        rf"(?:rename|retitle|call){_IT}(?: to| as)? [\"'“‘](?P<title>[^\"“”]+)[\"'”’]",
        re.IGNORECASE,
    ),
    re.compile(rf"(?:rename|retitle){_IT} (?:to|as) (?P<title>.+)", re.IGNORECASE),
)
_MOVE = re.compile(rf"(?:move|reschedule|shift|postpone){_SLOT} (?:to|until|till) (.+)")
_CHANGE = re.compile(rf"(?:(?:change|set|switch|make|run|schedule){_IT}(?: to)? )?(.+)")
_AT = re.compile(rf"(?:(?:change|set|run|schedule){_IT}(?: to)? )?at (.+)")

EXAMPLES = (
    "pause, resume, run now, skip next, move to tomorrow 9:15am, every 30 minutes, "
    "every weekday at 9am, at 07:30, 0 9 * * 1-5, rename to Nightly report"
)

_SUMMARIES = {
    Operation.PAUSE: "Pause the job: it expects no slots until it is resumed.",
    Operation.RESUME: "Resume the job from now on; what passed meanwhile is not replayed.",
    Operation.DISABLE: "Disable the job: it expects no slots until it is enabled.",
    Operation.RUN_NOW: "Run the job once now, beside its schedule.",
}


def understand(
    instruction: str, spec: JobSpec, slot: datetime, *, now: datetime, timezone: str
) -> Understood:
    """What an instruction about a job's slot asks for.

    Raises InvalidPhrase, with examples, for anything that is not understood as a whole, and
    InvalidInput for what is understood and cannot be.
    """
    text = " ".join(instruction.split()).strip().rstrip(".!")
    text = re.sub(r"^please ", "", text, flags=re.IGNORECASE)
    if not text or len(text) > MAX_CHARS:
        raise _not_understood(instruction)
    lower = text.lower()
    for operation, pattern in _SIMPLE:
        if pattern.fullmatch(lower):
            return _simple(operation, spec, slot, now)
    if match := next(filter(None, (rename.fullmatch(text) for rename in _RENAMES)), None):
        title = match["title"]
        return Understood(
            operation=Operation.RENAME,
            arguments={"title": title},
            summary=f"Rename the job from “{spec.display_title}” to “{title}”.",
        )
    if match := _MOVE.fullmatch(lower):
        return _move(match[1], spec, slot, now, timezone)
    if match := _AT.fullmatch(lower):
        return _at(match[1], spec, now, timezone, instruction)
    match = _CHANGE.fullmatch(lower)
    assert match is not None
    return _schedule(match[1], now, timezone, instruction)


def _not_understood(instruction: str) -> InvalidPhrase:
    return InvalidPhrase(
        f"this was not understood, and nothing was changed: {instruction[:100]!r}. What can be "
        f"said: {EXAMPLES}",
        field="instruction",
    )


def _simple(operation: Operation, spec: JobSpec, slot: datetime, now: datetime) -> Understood:
    warnings: tuple[str, ...] = ()
    if operation is Operation.SKIP_SLOT:
        if slot <= now:
            raise InvalidInput(
                f"only a slot to come can be skipped; {slot:%Y-%m-%d %H:%M} UTC is past",
                field="instruction",
            )
        return Understood(
            operation=operation,
            arguments={},
            summary=f"Skip the slot at {slot:%Y-%m-%d %H:%M:%S} UTC; later ones run as planned.",
        )
    if operation is Operation.RESUME and spec.enabled and not spec.is_held:
        warnings = ("The job is enabled already.",)
    if operation in (Operation.PAUSE, Operation.DISABLE) and not spec.enabled:
        warnings = ("The job is off already.",)
    return Understood(
        operation=operation, arguments={}, summary=_SUMMARIES[operation], warnings=warnings
    )


def _move(when: str, spec: JobSpec, slot: datetime, now: datetime, timezone: str) -> Understood:
    at = parse_instant(when, now=now, timezone=timezone, field="instruction")
    local = at.astimezone(load_zone(timezone))
    if isinstance(spec.schedule, OneShotSchedule):
        return Understood(
            operation=Operation.RESCHEDULE,
            arguments={"run_at": at.timestamp()},
            summary=f"Run it at {local:%Y-%m-%d %H:%M:%S} ({timezone}).",
        )
    if slot <= now:
        raise InvalidInput(
            f"only a slot to come can be moved; {slot:%Y-%m-%d %H:%M} UTC is past",
            field="instruction",
        )
    return Understood(
        operation=Operation.MOVE_SLOT,
        arguments={"move_to": at.timestamp()},
        summary=(
            f"Run the slot of {slot:%Y-%m-%d %H:%M:%S} UTC at {local:%Y-%m-%d %H:%M:%S} "
            f"({timezone}) instead; the schedule stays."
        ),
    )


def _at(time: str, spec: JobSpec, now: datetime, timezone: str, instruction: str) -> Understood:
    """Another time of day: of a daily or weekly cron job, or of a one-shot."""
    if isinstance(spec.schedule, OneShotSchedule):
        return _move(time, spec, spec.schedule.run_at, now, timezone)
    if not isinstance(spec.schedule, CronSchedule):
        raise _not_understood(instruction)
    fields = spec.schedule.expr.split()
    if len(fields) != 5 or not (fields[0].isdigit() and fields[1].isdigit()):
        raise _not_understood(instruction)
    daily = parse_schedule(f"every day at {time}", now=now, timezone=timezone).schedule
    assert isinstance(daily, CronSchedule)
    minute, hour = daily.expr.split()[:2]
    expr = " ".join([minute, hour, *fields[2:]])
    return Understood(
        operation=Operation.RESCHEDULE,
        arguments={"cron_expr": expr, "timezone": spec.schedule.timezone},
        summary=f"Run at {int(hour):02}:{int(minute):02} on the same days (cron {expr}).",
        confidence=Confidence.MEDIUM,
        warnings=(f"The time is read in the job's zone, {spec.schedule.timezone}.",),
    )


def _schedule(phrase: str, now: datetime, timezone: str, instruction: str) -> Understood:
    try:
        understood = parse_schedule(phrase, now=now, timezone=timezone)
    except InvalidPhrase:
        raise _not_understood(instruction) from None
    warnings: tuple[str, ...] = ()
    if isinstance(understood.schedule, OneShotSchedule):
        warnings = ("The job will run once, and no longer repeat.",)
    return Understood(
        operation=Operation.RESCHEDULE,
        arguments={"schedule": phrase, "timezone": timezone},
        summary=f"Change the schedule to: {understood.understood_as}.",
        confidence=Confidence.MEDIUM if warnings else Confidence.HIGH,
        warnings=warnings,
    )


def side(
    spec: JobSpec,
    *,
    now: datetime,
    without: datetime | None = None,
    moved_to: datetime | None = None,
) -> dict[str, Any]:
    """One side of a proposal: the job as it is, or as it would be, with its next slots.

    `without` leaves out a slot that is skipped or moved, `moved_to` puts it in its new place.
    """
    coming = (slot for slot in _coming(spec.schedule, now) if slot != without)
    slots = list(islice(coming, SLOTS_SHOWN)) if spec.enabled else []
    if moved_to is not None:
        slots = sorted([*slots, moved_to])[:SLOTS_SHOWN]
    return {
        "title": spec.display_title,
        "enabled": spec.enabled,
        "schedule": spec.schedule.describe(),
        "timezone": spec.timezone,
        "next": [
            {"utc": slot.isoformat(), "local": spec.local(slot).isoformat()} for slot in slots
        ],
    }


def _coming(schedule: Schedule, now: datetime) -> Iterator[datetime]:
    slot = schedule.next_after(now)
    while slot is not None:
        yield slot
        slot = schedule.next_after(slot)
