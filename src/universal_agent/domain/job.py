"""Jobs: what to run, when, and by which policies.

A `JobSpec` is what a person set. It is immutable; an edit makes a new one under the next version
number, and the ledger recomputes expected slots from these versions. A `Job` is a spec with its
state in time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from universal_agent.domain.fail_on import FailOn, read_fail_on
from universal_agent.domain.local_time import shown_in, unrecorded_rules
from universal_agent.domain.run import JobId
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
    same_slots,
    stable_jitter,
)
from universal_agent.domain.slot import Source, epoch, from_epoch

#: Skip reason of a beat whose session stayed busy for as long as the beat was useful.
BUSY = "busy"


#: Skip reason of a beat outside the session's active hours.
QUIET_HOURS = "quiet_hours"

#: Skip reason of a slot whose job failed too often in a row: its breaker is open.
BREAKER = "breaker"

#: The same, as earlier versions recorded it.
PAUSED_AFTER_FAILURES = "paused_after_failures"

#: How long slots are skipped before the first one runs as a probe, and at most; each probe that
#: fails doubles it.
_FIRST_PROBE = timedelta(minutes=15)
_LONGEST_PROBE_WAIT = timedelta(days=1)


def probe_wait(failed_probes: int) -> timedelta:
    """How long after so many failed probes the next one runs."""
    wait: timedelta = _FIRST_PROBE * 2 ** min(max(0, failed_probes), 10)
    return min(wait, _LONGEST_PROBE_WAIT)


#: How often a slot of an interrupted run is run again where a job says no number.
INTERRUPTED_RETRIES = 2


class Overlap(StrEnum):
    """The policy for a slot that comes due while the job still runs."""

    #: The slot is skipped, with reason `overlap`.
    SKIP = "skip"
    #: One slot waits; further ones are skipped.
    QUEUE_ONE = "queue_one"
    #: Both run at the same time.
    ALLOW = "allow"
    #: The running one is cancelled, then this one runs.
    CANCEL_PREVIOUS = "cancel_previous"
    #: It waits until the job, and its session, are free; an earlier one that waits is skipped,
    #: with reason `busy`. For heartbeats alone.
    DEFER = "defer"


class OnMiss(StrEnum):
    """The policy for missed slots."""

    #: They wait in stasis for an operator.
    ASK = "ask"
    #: The latest one runs, the others are superseded.
    RUN_LATEST = "run_latest"
    #: They run, the latest hundred of them at most.
    RUN_ALL = "run_all"
    #: They are skipped, with reason `on_miss`.
    SKIP = "skip"
    #: They stay open until a later beat of the session has ended. For heartbeats alone.
    NEXT_BEAT = "next_beat"


class Priority(StrEnum):
    """Which queued run starts first when workers are scarce; also the calendar's category."""

    CRITICAL = "critical"
    NORMAL = "normal"
    LOW = "low"


PRIORITY_ORDER = {Priority.CRITICAL: 0, Priority.NORMAL: 1, Priority.LOW: 2}


class OffLabel(StrEnum):
    """Why a job does not run as its schedule says. It is not enabled, except for AUTO_PAUSED."""

    PAUSED = "paused"
    DISABLED = "disabled"
    #: Held by the scheduler after `auto_pause_after` failed slots in a row. It stays enabled: its
    #: slots are expected and end in `skipped`, until a probe runs well or a person resumes it.
    AUTO_PAUSED = "auto_paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a job behaves; the field names are the wire's. Durations are whole seconds."""

    overlap: Overlap = Overlap.SKIP
    on_miss: OnMiss = OnMiss.ASK
    #: Up to this late a slot just runs.
    misfire_grace_seconds: int = 60
    #: After this long a missed slot expires; None: never.
    useful_for_seconds: int | None = None
    #: A run is stopped after this long.
    timeout_seconds: int = 3600
    #: A run that gives no sign of life for this long is stopped; None: only by its limit.
    idle_timeout_seconds: int | None = None
    #: Further attempts after one that ended in `error`.
    retries: int = 0
    #: Waits before the attempts; the last one repeats.
    retry_backoff: tuple[int, ...] = (30, 60, 300, 900, 3600)
    #: The start is shifted by a stable part of this; the slot keeps its nominal time.
    jitter_seconds: int = 0
    #: A slot that waited this long for a worker becomes missed(capacity).
    queue_limit_seconds: int = 900
    #: Failed slots in a row after which the job is held (OffLabel.AUTO_PAUSED); 0: never.
    auto_pause_after: int = 10
    #: How often a slot whose run has an unknown outcome is run again automatically. True: twice.
    retry_interrupted: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.retry_interrupted, bool):
            times = INTERRUPTED_RETRIES if self.retry_interrupted else 0
            object.__setattr__(self, "retry_interrupted", times)

    def backoff(self, attempt: int) -> timedelta:
        """How long to wait after `attempt` (1-based) failed, before the next one."""
        waits = self.retry_backoff
        return timedelta(seconds=waits[min(attempt, len(waits)) - 1])


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """Everything about a job that a person decides."""

    command: str
    runner: str
    schedule: Schedule
    #: Whose slots these are. A session's beats are a job that has the session's id.
    source: Source = Source.CRON
    #: IANA name: how naive times of this job are read and shown.
    timezone: str = "UTC"
    title: str | None = None
    user_id: str = "default"
    workspace_dir: str = ""
    model: str | None = None
    enabled: bool = True
    off_label: OffLabel | None = None
    delete_after_run: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    #: What counts as a failure beyond what the runner knows.
    fail_on: FailOn | None = None
    #: Whether a late run may do harm: then its missed slots wait for a person by default.
    side_effects: bool = False
    #: The fields of the policy that no one set: they follow from how often the job runs
    #: (miss_defaults.py).
    follows_cadence: tuple[str, ...] = ()
    #: What its runs use; None: by its runner and command (domain/resources.py).
    resources: tuple[str, ...] | None = None
    #: The pool that bounds how many of its runs are in execution (domain/pools.py).
    pool: str | None = None
    #: Whether its runs are short enough for the workers in reserve.
    light: bool = False

    @property
    def is_held(self) -> bool:
        """Whether its slots are skipped, because too many in a row have failed."""
        return self.enabled and self.off_label is OffLabel.AUTO_PAUSED

    def expects_as(self, other: "JobSpec") -> bool:
        """Whether both have the same slots, or none."""
        return self.enabled == other.enabled and same_slots(self.schedule, other.schedule)

    def local(self, instant: datetime) -> datetime:
        """What the clock of the job's zone shows, by the rules that its slots are planned by."""
        rules = self.schedule.rules if isinstance(self.schedule, CronSchedule) else None
        return shown_in(instant, self.timezone, rules)

    @property
    def priority(self) -> Priority:
        return Priority(self.metadata.get("priority", Priority.NORMAL))

    @property
    def session_id(self) -> str | None:
        """The session this job is bound to, if any; for beats the session they are of."""
        for key in ("session_id", "target_session", "target_session_id"):
            value = self.metadata.get(key)
            if isinstance(value, str) and value:
                return value
        return None

    @property
    def display_title(self) -> str:
        """The title, or the beginning of the command where there is none."""
        if self.title:
            return self.title
        named = self.metadata.get("title")
        if isinstance(named, str) and named:
            return named
        line = self.command.strip().splitlines()[0] if self.command.strip() else ""
        return line if len(line) <= 60 else line[:59] + "…"


#: The longest time limit of a light job, in seconds.
LONGEST_LIGHT_SECONDS = 300


def is_light(spec: JobSpec) -> bool:
    """Whether its runs may take the workers in reserve: beats, turns, and light jobs."""
    return spec.light or spec.source is not Source.CRON


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A spec with its state. `next_run_at` is the nominal time of the next slot not yet decided."""

    job_id: JobId
    version: int
    spec: JobSpec
    created_at: datetime
    #: The version in force expects slots strictly after this.
    effective_from: datetime
    next_run_at: datetime | None
    last_run_at: datetime | None = None
    #: Failed slots since the last success; a slot counts once, however many attempts it had.
    consecutive_failures: int = 0
    running: bool = False
    #: While the job is held: slots from here on may run as a probe.
    probe_at: datetime | None = None

    @property
    def source(self) -> Source:
        """Whether it is a person's job or a session's beats."""
        return self.spec.source

    @property
    def jitter(self) -> timedelta:
        """How far this job's starts are shifted."""
        return stable_jitter(self.job_id, self.spec.policy.jitter_seconds)

    @property
    def due_at(self) -> datetime | None:
        """When the next slot is to start: its nominal time, shifted by the jitter."""
        return None if self.next_run_at is None else self.next_run_at + self.jitter

    def expects(self, slot: datetime) -> bool:
        """Whether the version in force expects a slot at that time."""
        at = self.spec.schedule.latest_at(slot, slot - timedelta(seconds=1))
        return self.spec.enabled and slot > self.effective_from and at is not None

    def before(self, ahead: datetime | None) -> Self:
        """The job without the slots from `ahead` on, which a person decided in advance.

        They do not count where its expectation is to end: else a schedule that is changed after
        tomorrow's slot was skipped would begin the day after tomorrow.
        """
        if ahead is None or (self.next_run_at is not None and self.next_run_at <= ahead):
            return self
        return replace(self, next_run_at=ahead)

    def boundary(self, now: datetime) -> datetime:
        """The instant from which the next version continues this one's slots.

        Every slot up to here has been decided and none after it, whatever the wall clock did:
        not past the next undecided slot, and not before the latest decided one.
        """
        if self.next_run_at is None:
            return max(now, self.effective_from)
        undecided = self.next_run_at - timedelta(seconds=1)
        return max(min(now, undecided), self._decided_until())

    def end(self, now: datetime) -> datetime:
        """Where this version's expectation ends when it is not continued.

        A slot whose time has come by `now` is expected, though it may not have started.
        """
        return max(now, self._decided_until())

    def _decided_until(self) -> datetime:
        """The latest slot that has been decided; where the version began when there is none."""
        if self.next_run_at is None:
            return self.effective_from
        undecided = self.next_run_at - timedelta(seconds=1)
        return self.spec.schedule.latest_at(undecided, self.effective_from) or self.effective_from

    def replaced_by(
        self, spec: JobSpec, *, now: datetime, next_run_at: datetime | None, continues: bool
    ) -> Self:
        """The job's next version. With `continues` it expects on from where this one ends."""
        return replace(
            self,
            version=self.version + 1,
            spec=spec,
            effective_from=self.boundary(now) if continues else self.end(now),
            next_run_at=next_run_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersion:
    """One version's expectation: slots in (effective_from, effective_until], while enabled."""

    job_id: JobId
    version: int
    spec: JobSpec
    effective_from: datetime
    #: None: still in force.
    effective_until: datetime | None


def schedule_to_record(schedule: Schedule) -> dict[str, Any]:
    """A schedule as JSON."""
    match schedule:
        case CronSchedule(expr, timezone, rules):
            record = {"kind": "cron", "expr": expr, "timezone": timezone}
            return record if rules is None else {**record, "rules": rules}
        case IntervalSchedule(every, anchor):
            return {
                "kind": "every",
                "every_seconds": int(every.total_seconds()),
                "anchor": epoch(anchor),
            }
        case OneShotSchedule(run_at):
            return {"kind": "once", "run_at": epoch(run_at)}


def schedule_from_record(record: Mapping[str, Any]) -> Schedule:
    """The schedule that `schedule_to_record` wrote."""
    match record["kind"]:
        case "cron":
            timezone = record["timezone"]
            rules = record.get("rules") or unrecorded_rules(timezone)
            return CronSchedule(record["expr"], timezone, rules)
        case "every":
            return IntervalSchedule(
                timedelta(seconds=record["every_seconds"]), from_epoch(record["anchor"])
            )
        case "once":
            return OneShotSchedule(from_epoch(record["run_at"]))
        case kind:
            raise ValueError(f"unknown schedule kind {kind!r}")


def policy_to_record(policy: Policy) -> dict[str, Any]:
    """A policy under the wire's names.

    `retry_interrupted` was once true or false, and is still where those say the same.
    """
    record = {name: getattr(policy, name) for name in Policy.__slots__}
    times = policy.retry_interrupted
    if times in (0, INTERRUPTED_RETRIES):
        record["retry_interrupted"] = bool(times)
    return record


def spec_to_record(spec: JobSpec) -> dict[str, Any]:
    """A spec as JSON, whole: what the store and the event log keep."""
    return {
        "source": spec.source,
        "command": spec.command,
        "runner": spec.runner,
        "schedule": schedule_to_record(spec.schedule),
        "timezone": spec.timezone,
        "title": spec.title,
        "user_id": spec.user_id,
        "workspace_dir": spec.workspace_dir,
        "model": spec.model,
        "enabled": spec.enabled,
        "off_label": spec.off_label,
        "delete_after_run": spec.delete_after_run,
        "metadata": dict(spec.metadata),
        "policy": policy_to_record(spec.policy),
        "fail_on": spec.fail_on and spec.fail_on.record(),
        "side_effects": spec.side_effects,
        "follows_cadence": list(spec.follows_cadence),
        "resources": None if spec.resources is None else list(spec.resources),
        "pool": spec.pool,
        "light": spec.light,
    }


def _names(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def spec_from_record(record: Mapping[str, Any]) -> JobSpec:
    """The spec that `spec_to_record` wrote; policies it did not know get their defaults."""
    policy = dict(record["policy"])
    policy["overlap"] = Overlap(policy["overlap"])
    policy["on_miss"] = OnMiss(policy["on_miss"])
    policy["retry_backoff"] = tuple(policy["retry_backoff"])
    label = record["off_label"]
    return JobSpec(
        source=Source(record.get("source", Source.CRON)),
        command=record["command"],
        runner=record["runner"],
        schedule=schedule_from_record(record["schedule"]),
        timezone=record["timezone"],
        title=record["title"],
        user_id=record["user_id"],
        workspace_dir=record["workspace_dir"],
        model=record["model"],
        enabled=record["enabled"],
        off_label=OffLabel(label) if label else None,
        delete_after_run=record["delete_after_run"],
        metadata=record["metadata"],
        policy=Policy(**policy),
        fail_on=read_fail_on(record.get("fail_on")),
        side_effects=record.get("side_effects", False),
        follows_cadence=tuple(record.get("follows_cadence", ())),
        resources=_names(record.get("resources")),
        pool=record.get("pool"),
        light=record.get("light", False),
    )
