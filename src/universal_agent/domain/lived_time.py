"""The age of records for retention, which deletes and therefore distrusts clock leaps.

A leap is the time by which the wall clock advanced beyond the time that the gateway ran: it was
off, the host slept, or the clock was set. These cannot be told apart at first; after the gateway
has run for some days without the clock being set back, the leap is trusted.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from universal_agent.domain.slot import from_epoch

#: How long the gateway runs before a leap is trusted.
BELIEVED_AFTER = timedelta(days=7)

#: Smaller corrections are drift, not leaps.
_TOLERANCE = 60.0


@dataclass(frozen=True, slots=True)
class LivedTime:
    """What is known of the clock, at one reading."""

    seen_at: datetime
    #: Seconds that the gateway has run, all told.
    lived: float = 0.0
    #: Leaps that are not trusted yet: when they were seen, in seconds lived, and their seconds.
    leaps: tuple[tuple[float, float], ...] = ()

    @property
    def trusted(self) -> datetime:
        """The time without the leaps."""
        return self.seen_at - timedelta(seconds=sum(seconds for _, seconds in self.leaps))

    def moved_on(self, now: datetime, *, ran: float) -> Self:
        """As of `now`, `ran` seconds of running later."""
        lived = self.lived + ran
        leap = (now - self.seen_at).total_seconds() - ran
        leaps = self.leaps
        if leap > _TOLERANCE:
            leaps = _with(leaps, lived, leap)
        elif leap < -_TOLERANCE:
            leaps = _without(leaps, -leap)
        believed = lived - BELIEVED_AFTER.total_seconds()
        leaps = tuple((at, seconds) for at, seconds in leaps if at > believed)
        return replace(self, seen_at=now, lived=lived, leaps=leaps)

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "seen_at": self.seen_at.timestamp(),
            "lived": self.lived,
            "leaps": [list(leap) for leap in self.leaps],
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """What `record` wrote."""
        leaps = tuple((float(at), float(seconds)) for at, seconds in record["leaps"])
        return cls(from_epoch(record["seen_at"]), float(record["lived"]), leaps)


def _with(
    leaps: tuple[tuple[float, float], ...], lived: float, leap: float
) -> tuple[tuple[float, float], ...]:
    """One more leap; those of one moment are one."""
    if leaps and leaps[-1][0] == lived:
        return (*leaps[:-1], (lived, leaps[-1][1] + leap))
    return (*leaps, (lived, leap))


def _without(
    leaps: tuple[tuple[float, float], ...], back: float
) -> tuple[tuple[float, float], ...]:
    """The clock was set back: the latest leaps were not true."""
    left = list(leaps)
    while left and back > 0:
        at, seconds = left.pop()
        if seconds > back:
            left.append((at, seconds - back))
        back -= seconds
    return tuple(left)
