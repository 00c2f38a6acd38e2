"""From a `JobDraft` to a `JobSpec`: what depends on the present job, the time or settings.

Pure: the result is a complete `JobSpec` or an error that names the field.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.fail_on import check_fail_on, read_fail_on
from universal_agent.domain.job import (
    LONGEST_LIGHT_SECONDS,
    JobSpec,
    OffLabel,
    OnMiss,
    Overlap,
    Policy,
)
from universal_agent.domain.job_draft import JobDraft, with_unix_lines
from universal_agent.domain.local_time import load_zone
from universal_agent.domain.miss_defaults import FOLLOWING, policy_by_cadence
from universal_agent.domain.pools import check_pool_name
from universal_agent.domain.resources import read_resources
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
from universal_agent.domain.text_rules import check_user
from universal_agent.errors import InvalidInput, InvalidSchedule


@dataclass(frozen=True, slots=True)
class Drafted:
    """A valid spec, and whether its slots differ from those of the one before."""

    spec: JobSpec
    schedule_changed: bool

    def by_present_rules(self, base: JobSpec | None) -> "Drafted":
        """The same, with the rules on record that the schedule's zone has now.

        A job that is off keeps those it had.
        """
        if not self.spec.enabled:
            return self
        spec = replace(self.spec, schedule=by_present_rules(self.spec.schedule))
        return Drafted(spec, base is None or not spec.expects_as(base))


def draft_job(
    draft: JobDraft,
    *,
    base: JobSpec | None,
    now: datetime,
    default_runner: str,
    shortest_interval: timedelta,
    default_timezone: str = "UTC",
    default_on_miss: OnMiss | None = None,
) -> Drafted:
    """The spec that the draft describes, on top of `base` when this is an edit.

    `default_on_miss` is what a job does that says nothing; None: what follows from its cadence.
    Raises InvalidInput with the field's name.
    """
    timezone = _timezone(draft, base, default_timezone)
    said = _said(draft, base, timezone, now)
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
    changes = {name: value for name in _KEPT if (value := getattr(draft, name)) is not None}
    changes |= {name: getattr(draft, name) for name in _CLEARED if draft.is_given(name)}
    if draft.command is not None:
        changes["command"] = with_unix_lines(draft.command)
    elif base is None:
        raise InvalidInput("expected a command, got nothing", field="command")
    if draft.is_given("user_id"):
        changes["user_id"] = _user(draft.user_id, old)
    if draft.is_given("fail_on"):
        changes["fail_on"] = read_fail_on(draft.fail_on)
    if draft.is_given("resources"):
        changes["resources"] = read_resources(draft.resources)
    if draft.is_given("pool"):
        changes["pool"] = None if draft.pool is None else check_pool_name(draft.pool)
    if base is not None and changes.get("title") == base.display_title:
        del changes["title"]  # it only repeats what is shown without a title
    enabled = changes.get("enabled", old.enabled)
    spec = replace(
        old,
        **changes,
        schedule=schedule,
        timezone=timezone,
        off_label=_off_label(draft, enabled, old),
        policy=_policy(draft, old.policy),
    )
    spec = _with_miss_policy(_light(spec, draft, base), draft, base, default_on_miss)
    _check_idle_timeout(spec.policy, draft)
    if spec.fail_on is not None:
        check_fail_on(spec.fail_on, spec.runner)
    if not schedule_matches(spec.schedule, spec.delete_after_run):
        raise InvalidInput(
            "expected delete_after_run only with a one-shot (run_at): a repeating job has no "
            "last run",
            field="delete_after_run",
        )
    return Drafted(spec, base is None or not spec.expects_as(base))


def _check_idle_timeout(policy: Policy, draft: JobDraft) -> None:
    """Raise InvalidInput where the time limit ends a run before its silence can."""
    idle, limit = policy.idle_timeout_seconds, policy.timeout_seconds
    if idle is not None and idle >= limit:
        raise InvalidInput(
            f"expected idle_timeout_seconds below timeout_seconds ({limit} s), got {idle} s",
            field="idle_timeout_seconds"
            if draft.is_given("idle_timeout_seconds")
            else "timeout_seconds",
        )


def _light(spec: JobSpec, draft: JobDraft, base: JobSpec | None) -> JobSpec:
    """The spec with a limit that fits a light job. Raises InvalidInput for a longer one.

    A light run holds a worker that others are meant to find free.
    """
    limit = spec.policy.timeout_seconds
    if not spec.light or limit <= LONGEST_LIGHT_SECONDS:
        return spec
    if base is None and draft.timeout_seconds is None:
        return replace(spec, policy=replace(spec.policy, timeout_seconds=LONGEST_LIGHT_SECONDS))
    raise InvalidInput(
        f"expected a limit of at most {LONGEST_LIGHT_SECONDS} s for a light job, got {limit} s; "
        "shorten timeout_seconds, or leave the job out of the workers in reserve (light: false)",
        field="timeout_seconds" if draft.timeout_seconds is not None else "light",
    )


#: Fields that null leaves as they are, and those that it clears.
_KEPT = (
    "runner",
    "workspace_dir",
    "enabled",
    "delete_after_run",
    "metadata",
    "side_effects",
    "light",
)
_CLEARED = ("title", "model")


def schedule_matches(schedule: Schedule, delete_after_run: bool) -> bool:
    """Whether the schedule has a last run to delete the job after."""
    return not delete_after_run or isinstance(schedule, OneShotSchedule)


def _timezone(draft: JobDraft, base: JobSpec | None, default: str) -> str:
    # A job outlives its zone: its own zone needs no check.
    if base is not None and draft.timezone in (None, base.timezone):
        return base.timezone
    name = default if draft.timezone is None else draft.timezone
    load_zone(name)  # refuses one that is not known
    return name


def _said(
    draft: JobDraft, base: JobSpec | None, timezone: str, now: datetime
) -> SaidSchedule | None:
    """The schedule that the draft says; None for an edit that says none."""
    given = [name for name in SCHEDULE_FIELDS if getattr(draft, name) is not None]
    if len(given) > 1:
        raise InvalidSchedule(
            f"expected one kind of schedule, got {len(given)}: {', '.join(given)}",
            field=given[1],
        )
    if given:
        return read_schedule(given[0], getattr(draft, given[0]), now=now, timezone=timezone)
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


def _user(user_id: str | None, old: JobSpec) -> str:
    """The owner. One that an older version stored may be given again as it is."""
    if user_id is None:
        return "default"
    if user_id != old.user_id:
        check_user(user_id, "user_id")
    return user_id


#: Fields whose change ends the hold on a job that has failed too often in a row.
_DEALT_WITH = ("enabled", "command", "runner", "model", "workspace_dir", *SCHEDULE_FIELDS)


def _off_label(draft: JobDraft, enabled: bool, old: JobSpec) -> OffLabel | None:
    if enabled:
        # Resuming a held job, or changing what it does, settles its failures.
        is_dealt_with = any(getattr(draft, name) is not None for name in _DEALT_WITH)
        return old.off_label if old.is_held and not is_dealt_with else None
    if draft.off_label is not None:
        return OffLabel(draft.off_label)
    return OffLabel.DISABLED if old.enabled else old.off_label or OffLabel.DISABLED


#: Makes the policy's value of the draft's, where they differ.
_READ_POLICY = {"overlap": Overlap, "on_miss": OnMiss, "retry_backoff": tuple}


def _policy(draft: JobDraft, old: Policy) -> Policy:
    changes: dict[str, Any] = {}
    for name in Policy.__slots__:
        if draft.is_given(name):
            value = getattr(draft, name)
            if value is None:
                value = Policy.__dataclass_fields__[name].default
            elif (read := _READ_POLICY.get(name)) is not None:
                value = read(value)
            changes[name] = value
    return replace(old, **changes) if changes else old


def _with_miss_policy(
    spec: JobSpec, draft: JobDraft, base: JobSpec | None, default_on_miss: OnMiss | None
) -> JobSpec:
    """The spec with what its missed slots do where no one said it."""
    unsaid = set(FOLLOWING if base is None else base.follows_cadence)
    for name in FOLLOWING:
        if not draft.is_given(name):
            continue
        if getattr(draft, name) is None:
            unsaid.add(name)
        elif base is None or getattr(draft, name) != getattr(base.policy, name):
            unsaid.discard(name)  # a job that is sent back as it is follows as before
    policy = spec.policy
    if "on_miss" not in unsaid:
        # How long a slot is useful follows from nothing once a person has said what becomes of it.
        if "useful_for_seconds" in unsaid:
            policy = replace(policy, useful_for_seconds=None)
        unsaid.clear()
    elif default_on_miss is not None and (base is None or draft.is_given("on_miss")):
        policy = replace(policy, on_miss=default_on_miss)
        unsaid.clear()
    spec = replace(spec, policy=policy, follows_cadence=tuple(sorted(unsaid)))
    return replace(spec, policy=policy_by_cadence(spec))
