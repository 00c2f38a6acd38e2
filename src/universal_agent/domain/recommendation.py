"""What is recommended about missed slots that wait, and in which order they are listed.

A recommendation may be carried out for a whole queue in one step, so it never says to run what
could do harm or what is no longer useful.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from universal_agent.domain.job import PRIORITY_ORDER, JobSpec
from universal_agent.domain.judge import Cause
from universal_agent.domain.miss_defaults import cadence
from universal_agent.domain.slot import Source
from universal_agent.domain.stasis import DEFAULT_DELAY, StasisAction
from universal_agent.domain.wording import describe_duration

#: The next slot is near when no more than this part of the cadence is left until then.
_NEAR = 10

#: Jobs that come more often than this need no slot that was missed (miss_defaults.py).
_OFTEN = timedelta(hours=1)

#: A slot that runs once and has side effects is not run after this long without a look at it.
_ONCE_WITHIN = timedelta(days=1)


class Advice(StrEnum):
    """A decision; the values are the wire's."""

    APPROVE = "approve"
    RESCHEDULE = "reschedule"
    DELETE = "delete"


ACTION = {
    Advice.APPROVE: StasisAction.APPROVE,
    Advice.RESCHEDULE: StasisAction.RESCHEDULE,
    Advice.DELETE: StasisAction.DELETE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A group of missed slots that waits, with the facts that decide about it."""

    #: The id of its latest slot.
    event_id: str
    #: The job as it is now.
    spec: JobSpec
    count: int
    last_at: datetime
    created_at: datetime
    useful_until: datetime | None
    cause: Cause
    #: The job's next slot; None when none is expected.
    next_run_at: datetime | None
    #: Until when a service that the job uses is not used; None when none is away.
    cooling_until: datetime | None = None
    #: Whether its engine is off, so that nothing of its source runs.
    is_engine_off: bool = False

    def is_lost(self, now: datetime) -> bool:
        """Whether its result is of no use any more."""
        return self.useful_until is not None and self.useful_until <= now


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A decision, and why."""

    decision: Advice
    reason: str

    def document(self) -> dict[str, Any]:
        """The wire form."""
        return {"decision": self.decision, "reason": self.reason}


def order(waiting: Waiting, *, now: datetime) -> tuple[bool, bool, float, int, float, str]:
    """The place in the queue: what can still be saved and for the shortest time comes first.

    Then what waits without an end, by priority and age; last what cannot be saved any more.
    """
    until = waiting.useful_until
    return (
        waiting.is_lost(now),
        until is None,
        0.0 if until is None else until.timestamp(),
        PRIORITY_ORDER[waiting.spec.priority],
        waiting.created_at.timestamp(),
        waiting.event_id,
    )


def recommend(waiting: Waiting, *, now: datetime) -> Recommendation:
    """What to do about it at this time."""
    against = _reason_against(waiting, now)
    if against is not None:
        return Recommendation(Advice.DELETE, against)
    if waiting.is_engine_off:
        return Recommendation(
            Advice.APPROVE, f"{_use(waiting, now)}; it can run when its engine is on again"
        )
    if waiting.cooling_until is not None:
        back = _for(waiting.cooling_until - now)
        return Recommendation(
            Advice.APPROVE,
            f"it waits until the service it uses may be asked again, in {back}; "
            f"{_use(waiting, now)}",
        )
    if _can_stand_back(waiting, now):
        return Recommendation(
            Advice.RESCHEDULE,
            f"no worker was free, and {_use(waiting, now)}: in an hour it stands in nobody's way",
        )
    return Recommendation(Advice.APPROVE, _use(waiting, now))


def _reason_against(waiting: Waiting, now: datetime) -> str | None:
    """Why it should not run; None when it should."""
    spec, until, cooling = waiting.spec, waiting.useful_until, waiting.cooling_until
    if waiting.is_lost(now):
        return f"its result is of no use any more, since {_for(now - (until or now))}"
    if not spec.enabled:
        return "its job is switched off"
    if spec.is_held:
        return "its job fails again and again: its breaker is open, and probes try it"
    if spec.side_effects and waiting.cause is Cause.INTERRUPTED:
        return "its run was cut off and may have had its effects: the log says more"
    if cooling is not None and until is not None and cooling >= until:
        return f"the service it uses is away for {_for(cooling - now)}, and then it is of no use"
    return _covered(waiting, now)


def _covered(waiting: Waiting, now: datetime) -> str | None:
    """Why the next slot makes it needless, or the time that passed harmful; None: neither."""
    spec, next_at, late = waiting.spec, waiting.next_run_at, now - waiting.last_at
    period = cadence(spec.schedule)
    if period is None or next_at is None:
        if spec.side_effects and late > _ONCE_WITHIN:
            return f"it has side effects, and is {_for(late)} late"
        return None
    ahead = max(next_at - now, timedelta(0))
    if spec.source is Source.HEARTBEAT:
        return f"the next beat, in {_for(ahead)}, makes up for it"
    if spec.side_effects:
        if late > ahead:
            return f"it has side effects, and its next slot, in {_for(ahead)}, is nearer"
        return None
    if period < _OFTEN or ahead * _NEAR <= period:
        return f"its next slot, in {_for(ahead)}, does the same work"
    return None


def _can_stand_back(waiting: Waiting, now: datetime) -> bool:
    """Whether it may leave the workers to others and still be of use."""
    until, next_at = waiting.useful_until, waiting.next_run_at
    ends = [at for at in (until, next_at) if at is not None]
    return (
        waiting.cause is Cause.CAPACITY
        and PRIORITY_ORDER[waiting.spec.priority] > 0
        and all(at - now > 2 * DEFAULT_DELAY for at in ends)
    )


def _use(waiting: Waiting, now: datetime) -> str:
    """How long it is of use, or why it still is; and what happens to the others of the group."""
    if waiting.useful_until is not None:
        use = f"its result is useful for {_for(waiting.useful_until - now)} more"
    elif waiting.next_run_at is None:
        use = "no later slot does its work"
    else:
        use = f"its next slot is {_for(max(waiting.next_run_at - now, timedelta(0)))} away"
    if waiting.count > 1:
        use += f" (the latest of {waiting.count} runs)"
    return use


def _for(length: timedelta) -> str:
    """A length in words, in whole minutes, of more than a day in whole hours."""
    seconds = int(length.total_seconds())
    unit = 3600 if seconds >= 86_400 else 60 if seconds >= 60 else 1
    return describe_duration(timedelta(seconds=seconds - seconds % unit)) if seconds else "a moment"
