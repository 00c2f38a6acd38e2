"""What becomes of missed slots where a job does not say: the policy that follows from its cadence.

A slot of a job that runs every few minutes is worth nothing once the next one has come; one of a
weekly job is worth asking a person about. The cadence is the shortest distance between two slots.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from universal_agent.domain.job import JobSpec, OnMiss, Policy
from universal_agent.domain.schedule import (
    CronSchedule,
    IntervalSchedule,
    OneShotSchedule,
    Schedule,
)
from universal_agent.domain.wording import describe_duration

#: The fields that follow from the cadence.
FOLLOWING = ("on_miss", "useful_for_seconds")

_HOUR = timedelta(hours=1)
_WEEK = timedelta(days=7)

#: From here on a schedule's slots are looked at, for at least this long and at most so many.
_FROM = datetime(2024, 1, 1, tzinfo=UTC) - timedelta(seconds=1)
_LOOKED_AT = timedelta(days=400)
_MOST_SLOTS = 200


def cadence(schedule: Schedule) -> timedelta | None:
    """The shortest distance between two slots; None when there is only one slot.

    Clock changes do not count: a daily job has a cadence of 24 hours.
    """
    match schedule:
        case IntervalSchedule(every):
            return every
        case CronSchedule(expr):
            return _cron_cadence(expr)
        case OneShotSchedule():
            return None


@lru_cache(maxsize=4096)
def _cron_cadence(expr: str) -> timedelta | None:
    schedule = CronSchedule(expr, "UTC")
    slots: list[datetime] = []
    after = _FROM
    while len(slots) < _MOST_SLOTS and (slot := schedule.next_after(after)) is not None:
        slots.append(slot)
        after = slot
        if len(slots) > 1 and slot - _FROM > _LOOKED_AT:
            break
    return min((later - earlier for earlier, later in pairwise(slots)), default=None)


def policy_by_cadence(spec: JobSpec) -> Policy:
    """The spec's policy, with the fields that a person left open set as its cadence says."""
    if not spec.follows_cadence:
        return spec.policy
    on_miss, useful = _by_cadence(spec)
    policy = spec.policy
    if "on_miss" in spec.follows_cadence:
        policy = replace(policy, on_miss=on_miss)
    if "useful_for_seconds" in spec.follows_cadence:
        policy = replace(policy, useful_for_seconds=useful)
    return policy


def _by_cadence(spec: JobSpec) -> tuple[OnMiss, int | None]:
    period = cadence(spec.schedule)
    if period is None:
        return OnMiss.ASK, None
    seconds = int(period.total_seconds())
    if spec.side_effects or period >= _WEEK:
        return OnMiss.ASK, seconds
    if period < _HOUR:
        return OnMiss.SKIP, seconds
    return OnMiss.RUN_LATEST, seconds // 2


_MEANING = {
    OnMiss.ASK: "missed slots wait for a decision",
    OnMiss.RUN_LATEST: "of its missed slots the latest one runs",
    OnMiss.RUN_ALL: "its missed slots run",
    OnMiss.SKIP: "missed slots are skipped",
    OnMiss.NEXT_BEAT: "the next beat makes up for missed ones",
}


def explain_policy(spec: JobSpec) -> str:
    """What becomes of the job's missed slots, and why, as a sentence."""
    policy = spec.policy
    meaning = _MEANING[policy.on_miss]
    if policy.useful_for_seconds is not None and policy.on_miss is not OnMiss.SKIP:
        useful = describe_duration(timedelta(seconds=policy.useful_for_seconds))
        meaning += f", within {useful}"
    return f"{meaning[0].upper()}{meaning[1:]} ({_reason(spec)})."


def _reason(spec: JobSpec) -> str:
    on_miss = spec.policy.on_miss
    if "on_miss" not in spec.follows_cadence:
        return f"on_miss {on_miss}"
    period = cadence(spec.schedule)
    if period is None:
        return f"on_miss {on_miss}, since it runs once"
    if spec.side_effects and period < _WEEK:
        return f"on_miss {on_miss}, since it has side effects"
    return f"on_miss {on_miss}, since its slots are {describe_duration(period)} or more apart"
