"""The verbs for sources whose engine is switched off; a part of `store/base.py`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from universal_agent.domain.job import Job
from universal_agent.domain.slot import Source


@dataclass(frozen=True, slots=True)
class DuePage:
    """Jobs of one source that are due, earliest first."""

    jobs: tuple[Job, ...]
    #: Where the next page begins; None: this is the last one.
    after: tuple[float, str] | None


class OffStore(Protocol):
    """The verbs for sources whose engine is switched off."""

    async def switched_off(self, source: Source, *, outage_id: str) -> str:
        """Record that the source's engine is off, under this outage.

        Returns the outage that was recorded before, if the engine was off already.
        """
        ...

    async def off_outage(self, source: Source) -> str | None:
        """The outage that began when the source's engine was switched off; None while it is on."""
        ...

    async def switched_on(self, source: Source) -> None:
        """Record that the source's engine is on: its outage has been decided."""
        ...

    async def due_page(
        self, source: Source, *, until: datetime, after: tuple[float, str] | None, limit: int
    ) -> DuePage:
        """Jobs of the source with `due_at` up to `until`, from after a page's end."""
        ...

    async def miss_moved(
        self, source: Source, *, outage_id: str, missed_ids: Sequence[str], now: datetime
    ) -> int:
        """Record slots of the source that were moved to a time past its grace as missed.

        At most one for each of `missed_ids`; returns how many.
        """
        ...

    async def refs_in_outage(self, outage_id: str) -> Sequence[str]:
        """The jobs with missed slots in the outage that wait for a decision."""
        ...

    async def decide_outage(
        self,
        outage_id: str,
        refs: Sequence[str],
        *,
        new_run_id: Callable[[], str],
        now: datetime,
    ) -> int:
        """Apply the jobs' `on_miss` to all they missed in the outage; returns how many runs wait.

        What `ask` says stays for an operator, and so do the misses of a job that is switched off
        or was edited since.
        """
        ...
