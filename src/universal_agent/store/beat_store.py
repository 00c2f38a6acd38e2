"""What does the store promise about the reports of beats? A part of `store/base.py`.

A report is kept in the commit that ends its beat, so none is lost between that and its delivery.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from universal_agent.domain.beat import Delivery, KeptReport


class BeatStore(Protocol):
    """The verbs of beats' reports."""

    async def undecided_reports(self, *, limit: int) -> Sequence[KeptReport]:
        """Reports of which nobody has been told, nor was it decided not to; oldest first."""
        ...

    async def alert_told(self, report: KeptReport) -> bool:
        """Whether an alert of the session with the same words was told, or waits to be, within
        the report's dedupe window.
        """
        ...

    async def decide_report(
        self,
        report: KeptReport,
        delivery: Delivery,
        *,
        connected: Sequence[str],
        now: datetime,
    ) -> None:
        """Record what became of a report; one that was decided before is left as it is."""
        ...

    async def waiting_reports(self, session_id: str) -> Sequence[KeptReport]:
        """Alerts that nobody was connected for and the session is a target of, oldest first."""
        ...

    async def report_sent(self, run_id: str, *, to: str) -> None:
        """A report that waited was sent to a client of the session `to`."""
        ...

    async def last_reports(self, session_id: str | None = None) -> Mapping[str, KeptReport]:
        """The latest report of each session, or of one."""
        ...

    async def suppressed_reports(
        self, *, session_id: str | None, limit: int, before: str | None
    ) -> Sequence[KeptReport]:
        """Reports that were not sent, newest first, from before the run `before`."""
        ...
