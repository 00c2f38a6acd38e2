"""The verbs of beats' reports, over a SQL database."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from universal_agent.domain.beat import Delivery, KeptReport
from universal_agent.store import beat_reports
from universal_agent.store.tx import Database


class SqlBeats:
    """`BeatStore` over a SQL database."""

    _db: Database

    async def undecided_reports(self, *, limit: int) -> Sequence[KeptReport]:
        return await self._db.read(lambda tx: beat_reports.undecided_reports(tx, limit=limit))

    async def alert_told(self, report: KeptReport) -> bool:
        return await self._db.read(lambda tx: beat_reports.alert_told(tx, report))

    async def decide_report(
        self,
        report: KeptReport,
        delivery: Delivery,
        *,
        connected: Sequence[str],
        now: datetime,
    ) -> None:
        await self._db.write(
            lambda tx: beat_reports.decide_report(
                tx, report, delivery, connected=connected, now=now
            )
        )

    async def waiting_reports(self, session_id: str) -> Sequence[KeptReport]:
        return await self._db.read(lambda tx: beat_reports.waiting_reports(tx, session_id))

    async def report_sent(self, run_id: str, *, to: str) -> None:
        await self._db.write(lambda tx: beat_reports.report_sent(tx, run_id, to=to))

    async def last_reports(self, session_id: str | None = None) -> Mapping[str, KeptReport]:
        return await self._db.read(lambda tx: beat_reports.last_reports(tx, session_id))

    async def suppressed_reports(
        self, *, session_id: str | None, limit: int, before: str | None
    ) -> Sequence[KeptReport]:
        return await self._db.read(
            lambda tx: beat_reports.suppressed_reports(
                tx, session_id=session_id, limit=limit, before=before
            )
        )
