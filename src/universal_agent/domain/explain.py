"""Why did a slot run, not run, or run late? In plain sentences, from what was recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from universal_agent.domain.cooldown import COOLDOWN, Cooldown
from universal_agent.domain.cooldown_words import state_of
from universal_agent.domain.event_types import (
    RETRY_DROPPED,
)
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.job import (
    BREAKER,
    BUSY,
    PAUSED_AFTER_FAILURES,
    QUIET_HOURS,
    JobVersion,
    OffLabel,
)
from universal_agent.domain.judge import UNDECIDED, Cause, MissedStatus
from universal_agent.domain.phrases import describe_duration
from universal_agent.domain.resources import resources_of
from universal_agent.domain.run import Run, RunStatus, Trigger
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import MOVED, OPERATOR
from universal_agent.domain.stasis import MissedRecord

_SECOND = timedelta(seconds=1)

_CAUSES = {
    Cause.PROCESS_DOWN: "the gateway was not running",
    Cause.PLANNED_RESTART: "the gateway was being restarted (ua drain, UA_DRAIN_SECONDS)",
    Cause.HOST_SUSPENDED: "the host was asleep, or the gateway was stopped",
    Cause.CLOCK_STEP: "the clock was set forward over it",
    Cause.STORE_UNAVAILABLE: "the database could not take writes",
    Cause.CAPACITY: "no worker was free in time",
    Cause.ENGINE_OFF: "its engine was switched off (UA_ENABLE_CRON=0, UA_ENABLE_HEARTBEAT=0)",
    Cause.COOLDOWN: "a service that the job uses was limited or away",
    Cause.INTERRUPTED: "the gateway stopped while it ran, and what became of it is unknown",
}

_DECISIONS = {
    MissedStatus.PENDING: "It waits for a decision in stasis.",
    MissedStatus.OPEN: "Nobody is asked: it may be decided until a later beat has ended.",
    MissedStatus.APPROVED_AND_RUN: "It was approved and run after all",
    MissedStatus.RESCHEDULED: "It was moved to a one-shot job",
    MissedStatus.DELETED: "It was closed without a run",
    MissedStatus.SUPERSEDED: "It was closed because a later slot or beat ran instead",
    MissedStatus.EXPIRED: "It expired: it was no longer useful",
    MissedStatus.SKIPPED: "It was skipped, as the job's on_miss policy says",
}


_SKIPPED = {
    "overlap": "It was skipped: an earlier run of the job was still going.",
    OPERATOR: "It was skipped: a person said so ahead of time.",
    "paused": "It was skipped: the job was paused before it started.",
    "disabled": "It was skipped: the job was disabled before it started.",
    "auto_paused": "It was skipped: the job was paused for its failures before it started.",
    "job_deleted": "It was skipped: the job was deleted before it started.",
    "rescheduled": "It was skipped: the job got another schedule before it started.",
    "zone_rules": "It was skipped: the rules of the job's time zone changed before it started.",
    BREAKER: "It was skipped: too many slots of the job in a row had failed.",
    PAUSED_AFTER_FAILURES: "It was skipped: too many slots of the job in a row had failed.",
    BUSY: "It was skipped: its session was busy until a later beat was due.",
    QUIET_HOURS: "It was skipped: it came outside the session's active hours.",
    "empty_checklist": "It was skipped: there is nothing to do in HEARTBEAT.md.",
    "no_file": "It was skipped: the session has no HEARTBEAT.md.",
    "unchanged_inputs": "It was skipped: nothing has changed since the last beat.",
    COOLDOWN: "It was skipped: a service that the job uses was limited or away.",
    "budget": "It was skipped: what may be spent on beats was spent.",
}


#: Why a slot that failed was not tried again, by its reason.
_DROPPED = {
    f"{RETRY_DROPPED}:next_slot": "the job's next slot came first",
    f"{RETRY_DROPPED}:late": "the time of the next attempt passed by more than the job's grace",
    f"{RETRY_DROPPED}:job_off": "the job was switched off",
    f"{RETRY_DROPPED}:job_deleted": "the job was deleted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotHistory:
    """What was recorded about a slot."""

    versions: Sequence[JobVersion]
    deleted_at: datetime | None
    next_run_at: datetime | None
    outcome: str | None
    reason: str | None
    start_at: datetime | None
    runs: Sequence[Run]
    missed: MissedRecord | None
    events: Sequence[Event]
    #: The cooldowns that are open now.
    cooldowns: Sequence[Cooldown] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """The outcome in one word, and why in sentences."""

    outcome: str
    sentences: list[str]


def explain(
    slot: SlotKey, history: SlotHistory, *, now: datetime, agent: Sequence[str] = ()
) -> Explanation:
    """Say what became of a slot, and why; `agent` is what the configured agent uses."""
    at = slot.scheduled_at
    version = _version_at(history.versions, at)
    if version is None or not _expected(version, at):
        return Explanation("not_expected", _why_not_expected(slot, history, version))
    spec = version.spec
    local = spec.local(at)
    sentences = [
        (
            f"The job “{spec.display_title}” ({spec.schedule.describe()}) expected a slot at "
            f"{local:%Y-%m-%d %H:%M:%S} in {spec.timezone}."
        )
    ]
    if history.outcome is None and history.missed is None:
        due_at = at + stable_jitter(version.job_id, spec.policy.jitter_seconds)
        if due_at > now:
            wait = describe_duration(timedelta(seconds=int((due_at - now).total_seconds())))
            sentences.append(f"It has not come yet; it starts in {wait}.")
            return Explanation("scheduled", sentences)
        sentences.append("It is due, and being admitted.")
        return Explanation("due", sentences)
    sentences += [_attempt(run, version) for run in history.runs]
    names = resources_of(spec, agent)
    if history.outcome == RunStatus.QUEUED or (history.start_at and history.outcome != MOVED):
        sentences += [_held(c) for c in history.cooldowns if c.resource in names]
    outcome = history.outcome or "missed"
    if outcome == RunStatus.SKIPPED:
        sentences.append(_skipped(history.reason))
    elif outcome == MOVED and history.start_at is not None:
        sentences.append(f"A person moved it to {history.start_at:%Y-%m-%d %H:%M:%S} UTC.")
    if history.missed is not None:
        sentences += _missed(history.missed)
        outcome = f"missed:{history.missed.span.status}"
    dropped = _DROPPED.get(history.reason or "")
    if dropped is not None:
        sentences.append(f"It was not tried again: {dropped}.")
    if history.start_at is not None and outcome == RunStatus.ERROR:
        sentences.append(f"It is tried again at {history.start_at:%Y-%m-%d %H:%M:%S} UTC.")
    return Explanation(outcome, sentences)


def _version_at(versions: Sequence[JobVersion], at: datetime) -> JobVersion | None:
    for version in versions:
        until = version.effective_until
        if version.effective_from < at and (until is None or at <= until):
            return version
    return None


def _expected(version: JobVersion, at: datetime) -> bool:
    spec = version.spec
    return spec.enabled and spec.schedule.latest_at(at, at - _SECOND) is not None


def _why_not_expected(slot: SlotKey, history: SlotHistory, version: JobVersion | None) -> list[str]:
    at = slot.scheduled_at
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    if not history.versions:
        return [f"There has never been a job {slot.source_ref!r}."]
    first = history.versions[0]
    if at <= first.effective_from:
        return [
            (
                f"No slot was expected at {when}: the job was made at "
                f"{first.effective_from:%Y-%m-%d %H:%M:%S} UTC."
            )
        ]
    if version is None:
        if history.deleted_at is not None:
            return [f"No slot was expected at {when}: the job was deleted before."]
        return [f"No slot was expected at {when}: the job was edited at that moment."]
    if not version.spec.enabled:
        paused = version.spec.off_label is OffLabel.AUTO_PAUSED
        why = "it had failed too often in a row" if paused else "a person switched it off"
        return [
            (
                f"No slot was expected at {when}: the job was off since "
                f"{version.effective_from:%Y-%m-%d %H:%M:%S} UTC ({why})."
            )
        ]
    schedule = version.spec.schedule
    near = [schedule.latest_at(at, version.effective_from), schedule.next_after(at)]
    named = " and ".join(f"{slot:%Y-%m-%d %H:%M:%S} UTC" for slot in near if slot is not None)
    return [
        (
            f"No slot was expected at {when}: the schedule ({schedule.describe()}) has none then. "
            f"The nearest: {named or 'none'}."
        )
    ]


def _attempt(run: Run, version: JobVersion) -> str:
    name = {
        Trigger.APPROVED: f"approved by {run.approved_by or 'an operator'}",
        Trigger.CATCH_UP: "run late, as the job's on_miss policy says",
        Trigger.EARLY: f"run early by {run.approved_by or 'an operator'}",
        Trigger.RETRY: "a retry",
    }.get(run.trigger, "")
    head = f"Attempt {run.attempt}" + (f" ({name})" if name else "")
    if run.status is RunStatus.QUEUED:
        return f"{head} waits for a free worker since {run.queued_at:%H:%M:%S} UTC."
    if run.started_at is None:
        return f"{head} never started: {run.reason or run.error or run.status}."
    jitter = stable_jitter(version.job_id, version.spec.policy.jitter_seconds)
    lag = (run.started_at - run.scheduled_at - jitter).total_seconds()
    started = f"{head} started {_lag(lag)}"
    if run.status is RunStatus.RUNNING:
        return f"{started} and is running."
    duration = run.duration.total_seconds() if run.duration is not None else 0.0
    sentence = f"{started} and ended in {run.status} after {duration:.1f} s"
    return f"{sentence}: {run.error}." if run.error else f"{sentence}."


def _held(cooldown: Cooldown) -> str:
    return (
        f"It waits for {cooldown.resource}, which {state_of(cooldown.cause)}: a run tries again at "
        f"{cooldown.until:%Y-%m-%d %H:%M:%S} UTC."
    )


def _lag(seconds: float) -> str:
    if seconds < 0:
        return f"{describe_duration(timedelta(seconds=int(-seconds)))} early"
    if seconds < 1:
        return f"on time ({seconds * 1000:.0f} ms)"
    return f"{describe_duration(timedelta(seconds=int(seconds)))} late"


def _skipped(reason: str | None) -> str:
    return _SKIPPED.get(reason or "", f"It was skipped: {reason}.")


def _missed(record: MissedRecord) -> list[str]:
    span = record.span
    why = _CAUSES[record.cause] if record.held_by is None else record.held_by
    sentences = [f"It was missed: {why}."]
    if span.count > 1:
        sentences.append(
            f"It is one of {span.count} slots missed from {span.first_at:%Y-%m-%d %H:%M:%S} to "
            f"{span.last_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    decision = _DECISIONS[span.status]
    if span.status not in UNDECIDED:
        by = f" by {record.decided_by}" if record.decided_by else ""
        note = f" (“{record.note}”)" if record.note else ""
        decision += f"{by}, at {record.updated_at:%Y-%m-%d %H:%M:%S} UTC{note}."
    sentences.append(decision)
    return sentences
