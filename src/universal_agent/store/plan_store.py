"""What the store promises about plans that are made again. A part of `store/base.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Replanned:
    """How many jobs were planned again, and how many of their slots are expected again."""

    jobs: int = 0
    slots: int = 0

    def __add__(self, other: "Replanned") -> "Replanned":
        return Replanned(self.jobs + other.jobs, self.slots + other.slots)


@dataclass(frozen=True, slots=True)
class ChangedZone:
    """A time zone whose rules are others than those its jobs are planned by, as fingerprints."""

    timezone: str
    before: str
    #: None: this process knows no such zone.
    after: str | None


class PlanStore(Protocol):
    """The verbs of making plans again, and of what is remembered of the clock."""

    async def acted_at(self) -> datetime:
        """The newest instant that an event was recorded at, to within five seconds."""
        ...

    async def note_leap(self, *, to: datetime) -> None:
        """Record that the clock leapt ahead to this reading, rightly or wrongly."""
        ...

    async def judged_ahead(self, *, now: datetime) -> Sequence[str]:
        """The ids of all jobs of which something may have been judged whose time is after `now`."""
        ...

    async def replan(self, job_ids: Sequence[str], *, now: datetime) -> Replanned:
        """Withdraw what was judged of these jobs ahead of its time, and plan them from `now`.

        Judgements that stand are left alone; a job without others is not touched.
        """
        ...

    async def finish_replan(
        self, total: Replanned, *, ahead_until: datetime, now: datetime
    ) -> None:
        """Record that all jobs are planned by a clock that was set back from `ahead_until`.

        With an event, if any job was planned again.
        """
        ...

    async def changed_zones(self) -> Sequence[ChangedZone]:
        """The zones of jobs whose rules have changed since these were planned."""
        ...

    async def jobs_by_other_rules(self, zone: ChangedZone) -> Sequence[str]:
        """The ids of enabled cron jobs of the zone that are planned by other rules."""
        ...

    async def plan_by_rules(
        self, job_ids: Sequence[str], zone: ChangedZone, *, now: datetime
    ) -> int:
        """Begin a version of each of these jobs, from `now`, by the present rules; how many."""
        ...

    async def finish_zone(self, zone: ChangedZone, *, jobs: int, now: datetime) -> None:
        """Record that the zone's jobs are planned by the present rules.

        With an event, if any was planned again.
        """
        ...

    async def lived_time(self) -> str | None:
        """What `keep_lived_time` kept; None when there has been nothing."""
        ...

    async def keep_lived_time(self, text: str) -> None:
        """Keep what retention knows of the clock."""
        ...
