"""The decision on a job's due slots: admit, miss, or leave undecided.

It covers the range between the job's high-water mark (`next_run_at`) and now, never single ticks: a
normal wake-up, a start after a night off, a suspend and a clock step are one code path that differs
only in the length of the range.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from universal_agent.domain.job import OnMiss, Policy
from universal_agent.domain.schedule import Schedule

#: Slots of one job admitted in one decision. A longer backlog within the grace takes several.
ADMIT_LIMIT = 200

#: The engine's own latency: a slot this late still runs, however small the job's grace is.
LATENCY = timedelta(seconds=5)

#: How many of a job's missed slots `run_all` runs.
RUN_ALL_LIMIT = 100

_SECOND = timedelta(seconds=1)


def grace_of(policy: Policy) -> timedelta:
    """How late a slot may be and still run on time."""
    return max(LATENCY, timedelta(seconds=policy.misfire_grace_seconds))


class Cause(StrEnum):
    """Why slots were missed."""

    #: The gateway was not running.
    PROCESS_DOWN = "process_down"
    #: The gateway was drained for a restart (`ua drain`, UA_DRAIN_SECONDS).
    PLANNED_RESTART = "planned_restart"
    #: The host slept, or the process was stopped.
    HOST_SUSPENDED = "host_suspended"
    #: The wall clock was set forward.
    CLOCK_STEP = "clock_step"
    #: The store could not take writes.
    STORE_UNAVAILABLE = "store_unavailable"
    #: There was no free worker, or the gateway was too busy.
    CAPACITY = "capacity"
    #: The engine was switched off (UA_ENABLE_CRON=0).
    ENGINE_OFF = "engine_off"
    #: Its run was in progress when the process died.
    INTERRUPTED = "interrupted"
    #: A resource that its job uses was in a cooldown.
    COOLDOWN = "cooldown"


class MissedStatus(StrEnum):
    """The state of a missed slot; the values are the wire's."""

    #: Waits for an operator.
    PENDING = "pending"
    #: A missed beat that nobody is asked about; it may be decided until a later beat has ended.
    OPEN = "open"
    #: An operator, or `run_latest`/`run_all`, had it run.
    APPROVED_AND_RUN = "approved_and_run"
    #: An operator moved it to a one-shot job.
    RESCHEDULED = "rescheduled"
    #: An operator closed it without a run.
    DELETED = "deleted"
    #: A later slot of the same group ran instead, or a later beat of the session.
    SUPERSEDED = "superseded"
    #: It was no longer useful.
    EXPIRED = "expired"
    #: It was judged while the clock ran ahead; its slots are to come again, and expected again.
    WITHDRAWN = "withdrawn"
    #: The job's `on_miss` is `skip`; the ledger counts it as skipped(on_miss).
    SKIPPED = "skipped"


#: The states in which a missed slot may be decided.
UNDECIDED = (MissedStatus.PENDING, MissedStatus.OPEN)


def undecided(policy: Policy) -> MissedStatus:
    """The state of a slot that was missed and that no rule decides."""
    return MissedStatus.OPEN if policy.on_miss is OnMiss.NEXT_BEAT else MissedStatus.PENDING


@dataclass(frozen=True, slots=True)
class MissedSpan:
    """A run of neighbouring missed slots of one job version, both ends included."""

    first_at: datetime
    last_at: datetime
    status: MissedStatus
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on a job's due slots, and its new high-water mark."""

    #: Slots that start now, oldest first.
    admit: tuple[datetime, ...]
    #: Missed slots that start now because of the job's `on_miss`.
    catch_up: tuple[datetime, ...]
    missed: tuple[MissedSpan, ...]
    #: The next slot not yet decided; None when there is no further one.
    next_run_at: datetime | None


def judge(
    schedule: Schedule,
    policy: Policy,
    *,
    next_run_at: datetime,
    jitter: timedelta,
    now: datetime,
    admitting: bool = True,
) -> Verdict:
    """Decide every slot from `next_run_at` up to now.

    A slot is due at its nominal time plus the jitter. Due for no longer than the grace: it is
    admitted. Due for longer: it is missed, and the job's `on_miss` says what that means. With
    `admitting` false (the engine is off) slots within the grace are left undecided, and missed
    ones wait: `on_miss` is applied once, when the engine is switched on.
    """
    horizon = now - jitter
    grace_start = horizon - grace_of(policy)
    if horizon < next_run_at:
        return Verdict((), (), (), next_run_at)

    missed: tuple[MissedSpan, ...] = ()
    catch_up: tuple[datetime, ...] = ()
    decided_until = next_run_at - _SECOND
    if next_run_at < grace_start:
        last = schedule.latest_at(grace_start - timedelta(microseconds=1), decided_until)
        if last is not None:
            if admitting:
                missed, catch_up = decide_missed(schedule, policy, next_run_at, last, now)
            else:
                missed = (_span(schedule, next_run_at, last, undecided(policy)),)
            decided_until = last

    admit: list[datetime] = []
    if admitting:
        for slot in schedule.slots(decided_until, horizon):
            if len(admit) == ADMIT_LIMIT:
                return Verdict(tuple(admit), catch_up, missed, slot)
            admit.append(slot)
            decided_until = slot
    return Verdict(tuple(admit), catch_up, missed, schedule.next_after(decided_until))


def run_limit(policy: Policy) -> int:
    """How many missed slots of one outage run by policy."""
    return {OnMiss.RUN_LATEST: 1, OnMiss.RUN_ALL: RUN_ALL_LIMIT}.get(policy.on_miss, 0)


def decide_missed(
    schedule: Schedule,
    policy: Policy,
    first: datetime,
    last: datetime,
    now: datetime,
    *,
    limit: int | None = None,
) -> tuple[tuple[MissedSpan, ...], tuple[datetime, ...]]:
    """The missed slots in [first, last] as spans, and those that are to run late by policy.

    A slot that is no longer useful does not run. `limit`: how many may run, where later slots of
    the same outage have been decided already.
    """
    match policy.on_miss:
        case OnMiss.ASK | OnMiss.NEXT_BEAT:
            return (_span(schedule, first, last, undecided(policy)),), ()
        case OnMiss.SKIP:
            return (_span(schedule, first, last, MissedStatus.SKIPPED),), ()
    limit = run_limit(policy) if limit is None else limit
    spans: list[MissedSpan] = []
    if policy.useful_for_seconds is not None:
        too_late = min(last, now - timedelta(seconds=policy.useful_for_seconds))
        stale = schedule.latest_at(too_late, first - _SECOND)
        if stale is not None:
            spans.append(_span(schedule, first, stale, MissedStatus.EXPIRED))
            after = schedule.next_after(stale)
            if after is None or after > last:
                return tuple(spans), ()
            first = after
    if limit <= 0:
        spans.append(_span(schedule, first, last, MissedStatus.SUPERSEDED))
        return tuple(spans), ()
    run = _latest(schedule, first, last, limit)
    if run[0] > first:
        before = schedule.latest_at(run[0] - _SECOND, first - _SECOND)
        if before is not None:
            spans.append(_span(schedule, first, before, MissedStatus.SUPERSEDED))
    spans.append(MissedSpan(run[0], run[-1], MissedStatus.APPROVED_AND_RUN, len(run)))
    return tuple(spans), tuple(run)


def _latest(schedule: Schedule, first: datetime, last: datetime, limit: int) -> list[datetime]:
    """The last `limit` slots in [first, last], oldest first."""
    slots = [last]
    while len(slots) < limit:
        before = schedule.latest_at(slots[-1] - _SECOND, first - _SECOND)
        if before is None:
            break
        slots.append(before)
    return slots[::-1]


def _span(schedule: Schedule, first: datetime, last: datetime, status: MissedStatus) -> MissedSpan:
    return MissedSpan(first, last, status, schedule.count(first - _SECOND, last))
