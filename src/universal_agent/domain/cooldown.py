"""Cooldowns: the time in which a resource is not used, because it refused or could not be reached.

A cooldown opens with the first run that ends for an outage of the resource. While it is open, runs
that use the resource wait; from `until` on, one of them at a time is a probe that finds out whether
it is over.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.run import Run, RunId

#: The skip reason of a slot that came due while a resource of its job was in a cooldown.
COOLDOWN = "cooldown"

#: The first wait where the service names no time, and the longest; each failed probe doubles it.
_WAITS = {
    EndClass.RATE_LIMITED: (timedelta(seconds=30), timedelta(hours=1)),
    EndClass.QUOTA: (timedelta(minutes=15), timedelta(hours=6)),
    EndClass.UNREACHABLE: (timedelta(seconds=10), timedelta(minutes=10)),
    EndClass.REFUSED: (timedelta(minutes=5), timedelta(hours=6)),
}
#: The same where the service names a time: a service that names the present is not asked at once.
_NAMED_WAITS = (timedelta(seconds=1), timedelta(minutes=5))

#: How long a cooldown stays open after `until` when no run uses the resource.
UNUSED_FOR = timedelta(days=7)


class Closed(StrEnum):
    """Why a cooldown is over; the values are the wire's."""

    #: A probe succeeded, or failed for a reason of its own.
    PROBE = "probe"
    #: A person closed it.
    OPERATOR = "operator"
    #: No run used the resource.
    UNUSED = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """An open cooldown of a resource."""

    resource: str
    cause: EndClass
    since: datetime
    #: From here on one run at a time may find out whether it is over.
    until: datetime
    #: Whether the service named `until`.
    is_named: bool
    #: Failed probes in a row, and the run that opened it.
    ends: int
    #: Slots that were skipped or missed because of it.
    slots: int
    #: The run that opened it, the latest that ended for it, and that run's error.
    opened_by: RunId
    run_id: RunId
    error: str | None
    probe_run_id: RunId | None = None
    #: Whether the probe is running.
    is_probing: bool = False

    @classmethod
    def opened(cls, resource: str, run: Run, ending: Ending, *, now: datetime) -> Self:
        """The cooldown that the end of `run` opens."""
        return cls(
            resource=resource,
            cause=ending.kind,
            since=now,
            until=_until(ending, 1, now),
            is_named=ending.until is not None,
            ends=1,
            slots=0,
            opened_by=run.run_id,
            run_id=run.run_id,
            error=run.error,
        )

    def prolonged(self, run: Run, ending: Ending, *, now: datetime) -> Self:
        """The cooldown after another run that ended for it; never shorter than before."""
        is_probe = run.run_id == self.probe_run_id
        ends = self.ends + is_probe
        # A run that was under way when the cooldown opened only adds what the service told it.
        if not is_probe and ending.until is None:
            return self
        until = _until(ending, ends, now)
        return replace(
            self,
            cause=ending.kind,
            until=max(self.until, until),
            is_named=ending.until is not None if until >= self.until else self.is_named,
            ends=ends,
            run_id=run.run_id,
            error=run.error,
            probe_run_id=None if is_probe else self.probe_run_id,
        )

    def holds(self, now: datetime) -> bool:
        """Whether runs that use the resource wait: no further probe may start."""
        return now < self.until or self.is_probing

    def record(self) -> dict[str, Any]:
        """The cooldown as events carry it; times are epoch seconds."""
        return {
            "resource": self.resource,
            "cause": self.cause,
            "since": self.since.timestamp(),
            "until": self.until.timestamp(),
            "is_named": self.is_named,
            "ends": self.ends,
            "slots": self.slots,
            "run_id": self.run_id,
            "error": self.error,
        }


def _until(ending: Ending, ends: int, now: datetime) -> datetime:
    """When a probe may start after so many ends in a row; never before the time that was named."""
    first, longest = _NAMED_WAITS if ending.until is not None else _WAITS[ending.kind]
    wait: timedelta = min(first * 2 ** min(ends - 1, 20), longest)
    if ending.until is None:
        return now + wait
    # The first time that a service names is believed; after that, at least the backoff passes.
    return ending.until if ends == 1 else max(ending.until, now + wait)
