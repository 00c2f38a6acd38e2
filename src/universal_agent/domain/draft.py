"""Validation of a job's fields: from a request to a `JobSpec`.

Takes the wire's field names with values of the right types and checks them together. Pure: the
result is a complete `JobSpec` or an error that names the field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.fail_on import check_fail_on, read_fail_on
from universal_agent.domain.job import JobSpec, OffLabel, OnMiss, Overlap, Policy, Priority
from universal_agent.domain.local_time import load_zone
from universal_agent.domain.said_schedule import SCHEDULE_FIELDS, SaidSchedule, read_schedule
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
    by_present_rules,
    make_cron,
    same_but_for_start,
)
from universal_agent.domain.text_rules import (
    MAX_LINE,
    check_json,
    check_line,
    check_text,
    check_user,
)
from universal_agent.errors import InvalidInput, InvalidSchedule

MAX_COMMAND_BYTES = 64 * 1024
MAX_METADATA_BYTES = 16 * 1024

POLICY_FIELDS = tuple(Policy.__slots__)

_LONGEST_SECONDS = 366 * 86_400

#: field -> (least, most)
_BOUNDS = {
    "misfire_grace_seconds": (0, _LONGEST_SECONDS),
    "useful_for_seconds": (1, _LONGEST_SECONDS),
    "timeout_seconds": (1, 7 * 86_400),
    "retries": (0, 100),
    "jitter_seconds": (0, 86_400),
    "queue_limit_seconds": (1, _LONGEST_SECONDS),
    "auto_pause_after": (0, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid spec, and whether its slots differ from those of the one before."""

    spec: JobSpec
    schedule_changed: bool

    def by_present_rules(self, base: JobSpec | None) -> "Draft":
        """The same, with the rules on record that the schedule's zone has now.

        A job that is off keeps those it had.
        """
        if not self.spec.enabled:
            return self
        spec = replace(self.spec, schedule=by_present_rules(self.spec.schedule))
        return Draft(spec, base is None or not spec.expects_as(base))


def draft_job(
    fields: Mapping[str, Any],
    *,
    base: JobSpec | None,
    now: datetime,
    default_runner: str,
    shortest_interval: timedelta,
    default_timezone: str = "UTC",
) -> Draft:
    """The spec described by `fields`, on top of `base` when this is an edit.

    Raises InvalidInput with the field's name.
    """
    timezone = _timezone(fields, base, default_timezone)
    said = _said(fields, base, timezone, now)
    if said is not None:
        timezone = said.timezone
    schedule = _schedule(said, base, timezone, now)
    if isinstance(schedule, IntervalSchedule) and schedule.every < shortest_interval:
        raise InvalidSchedule(
            f"expected an interval of at least {shortest_interval.total_seconds():g} s "
            f"(UA_MIN_INTERVAL_SECONDS), got {schedule.every.total_seconds():g} s",
            field="every",
        )
    old = base or JobSpec(command="", runner=default_runner, schedule=schedule)
    enabled = _given(fields, "enabled", old.enabled)
    spec = replace(
        old,
        schedule=schedule,
        timezone=timezone,
        command=_command(fields, old),
        runner=_given(fields, "runner", old.runner),
        title=_title(fields, base),
        user_id=_user(fields, old),
        workspace_dir=_given(fields, "workspace_dir", old.workspace_dir),
        model=_text(fields, "model", old.model, 200),
        enabled=enabled,
        off_label=_off_label(fields, enabled, old),
        delete_after_run=_given(fields, "delete_after_run", old.delete_after_run),
        metadata=_metadata(fields, old),
        policy=_policy(fields, old.policy),
        fail_on=read_fail_on(fields["fail_on"]) if "fail_on" in fields else old.fail_on,
    )
    if spec.fail_on is not None:
        check_fail_on(spec.fail_on, spec.runner)
    if not schedule_matches(spec.schedule, spec.delete_after_run):
        raise InvalidInput(
            "expected delete_after_run only with a one-shot (run_at): a repeating job has no "
            "last run",
            field="delete_after_run",
        )
    return Draft(spec, base is None or not spec.expects_as(base))


def schedule_matches(schedule: Schedule, delete_after_run: bool) -> bool:
    """Whether the schedule has a last run to delete the job after."""
    return not delete_after_run or isinstance(schedule, OneShotSchedule)


def _given(fields: Mapping[str, Any], name: str, default: Any) -> Any:
    value = fields.get(name)
    return default if value is None else value


def _timezone(fields: Mapping[str, Any], base: JobSpec | None, default: str) -> str:
    # A job outlives its zone: its own zone needs no check.
    if base is not None and fields.get("timezone") in (None, base.timezone):
        return base.timezone
    name = str(_given(fields, "timezone", default))
    load_zone(name)  # refuses one that is not known
    return name


def _said(
    fields: Mapping[str, Any], base: JobSpec | None, timezone: str, now: datetime
) -> SaidSchedule | None:
    """The schedule that the fields say; None for an edit that says none."""
    given = [name for name in SCHEDULE_FIELDS if fields.get(name) is not None]
    if len(given) > 1:
        raise InvalidSchedule(
            f"expected one kind of schedule, got {len(given)}: {', '.join(given)}",
            field=given[1],
        )
    if given:
        return read_schedule(given[0], fields[given[0]], now=now, timezone=timezone)
    if base is None:
        raise InvalidSchedule(
            'expected a schedule: every ("30m"), cron_expr ("0 9 * * 1-5"), run_at '
            '("tomorrow 9:15am") or schedule (any of them in words); got none',
            field="every",
        )
    return None


def _schedule(
    said: SaidSchedule | None, base: JobSpec | None, timezone: str, now: datetime
) -> Schedule:
    if said is not None:
        if base is not None and _says_the_same(said, base.schedule, now):
            return base.schedule
        return _not_past(said.schedule, now, said.field)
    assert base is not None
    if isinstance(base.schedule, CronSchedule) and timezone != base.schedule.timezone:
        return make_cron(base.schedule.expr, timezone)
    return base.schedule


def _says_the_same(said: SaidSchedule, present: Schedule, now: datetime) -> bool:
    """Whether a schedule that was given is the present one: an interval counts without its anchor.

    So a tool that re-applies its jobs neither restarts an interval nor fails on a one-shot that
    has passed.
    """
    given = said.schedule
    if isinstance(given, IntervalSchedule) and isinstance(present, IntervalSchedule):
        if given.every != present.every or not said.is_anchored:
            return given.every == present.every
        has_begun = given.anchor <= now and present.anchor <= now
        phase = (given.anchor - present.anchor) % given.every
        return given.anchor == present.anchor or (has_begun and not phase)
    if isinstance(given, CronSchedule) and isinstance(present, CronSchedule):
        if given.timezone != present.timezone:
            return False
        return given.expr == present.expr or (
            not said.is_anchored and same_but_for_start(given, present)
        )
    return given == present


def _not_past(schedule: Schedule, now: datetime, field: str) -> Schedule:
    if isinstance(schedule, OneShotSchedule) and schedule.run_at < now:
        raise InvalidSchedule(
            f"expected an instant in the future, got {schedule.run_at.isoformat()}, which is "
            f"past (now is {now.isoformat(timespec='seconds')})",
            field=field,
        )
    return schedule


def with_unix_lines(command: str) -> str:
    """The command with LF where it has CR LF or CR: a shell takes a CR as part of the line."""
    return command.replace("\r\n", "\n").replace("\r", "\n")


def _command(fields: Mapping[str, Any], old: JobSpec) -> str:
    command = with_unix_lines(str(_given(fields, "command", old.command)))
    if not command.strip():
        raise InvalidInput("expected a command, got nothing", field="command")
    size = len(command.encode("utf-8", "surrogatepass"))
    if size > MAX_COMMAND_BYTES:
        raise InvalidInput(
            f"expected at most {MAX_COMMAND_BYTES} bytes, got {size}", field="command"
        )
    check_text(command, "command")
    return command


def _text(fields: Mapping[str, Any], name: str, default: str | None, most: int) -> str | None:
    if name not in fields:
        return default
    value = fields[name]
    if value is None:
        return None
    check_line(value, name, most)
    return str(value)


def _user(fields: Mapping[str, Any], old: JobSpec) -> str:
    """The owner. One that an older version stored may be given again as it is."""
    user_id = fields.get("user_id", old.user_id)
    if user_id is None:
        return "default"
    if user_id != old.user_id:
        check_user(user_id, "user_id")
    return str(user_id)


def _title(fields: Mapping[str, Any], base: JobSpec | None) -> str | None:
    """The title; one that only repeats what is shown without a title sets none."""
    present = None if base is None else base.title
    title = _text(fields, "title", present, MAX_LINE)
    return present if base is not None and title == base.display_title else title


#: Fields whose change ends the hold on a job that has failed too often in a row.
_DEALT_WITH = ("enabled", "command", "runner", "model", "workspace_dir", *SCHEDULE_FIELDS)


def _off_label(fields: Mapping[str, Any], enabled: bool, old: JobSpec) -> OffLabel | None:
    if enabled:
        # Resuming a held job, or changing what it does, settles its failures.
        is_dealt_with = any(fields.get(name) is not None for name in _DEALT_WITH)
        return old.off_label if old.is_held and not is_dealt_with else None
    label = fields.get("off_label")
    if label is not None:
        return OffLabel(label)
    return OffLabel.DISABLED if old.enabled else old.off_label or OffLabel.DISABLED


def _metadata(fields: Mapping[str, Any], old: JobSpec) -> Mapping[str, Any]:
    metadata: Mapping[str, Any] = _given(fields, "metadata", old.metadata)
    check_json(metadata, "metadata", MAX_METADATA_BYTES)
    title = metadata.get("title")
    if isinstance(title, str):
        check_line(title, "metadata.title")
    priority = metadata.get("priority")
    if priority is not None and priority not in tuple(Priority):
        raise InvalidInput(
            f"expected priority to be one of {', '.join(Priority)}, got {priority!r}",
            field="metadata.priority",
        )
    return metadata


def _policy(fields: Mapping[str, Any], old: Policy) -> Policy:
    changes: dict[str, Any] = {}
    for name in POLICY_FIELDS:
        if name not in fields:
            continue
        value = fields[name]
        if value is None:
            value = Policy.__dataclass_fields__[name].default
        match name:
            case "overlap":
                value = Overlap(value)
            case "on_miss":
                value = OnMiss(value)
            case "retry_backoff":
                value = _backoff(value)
        if name in _BOUNDS and value is not None:
            least, most = _BOUNDS[name]
            if not least <= value <= most:
                raise InvalidInput(f"expected {least} to {most}, got {value}", field=name)
        changes[name] = value
    return replace(old, **changes) if changes else old


def _backoff(value: Any) -> tuple[int, ...]:
    waits = tuple(value)
    if not 1 <= len(waits) <= 20 or any(not 1 <= wait <= _LONGEST_SECONDS for wait in waits):
        raise InvalidInput(
            f"expected 1 to 20 waits of at least 1 s, got {list(waits)}", field="retry_backoff"
        )
    return waits
