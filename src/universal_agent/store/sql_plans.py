"""The verbs of plans that are made again, over a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.store import replan
from universal_agent.store.plan_store import Replanned
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Database, Tx

_LIVED_TIME = "lived_time"


class SqlPlans:
    """`PlanStore` over a SQL database."""

    _db: Database
    _specs: SpecCache

    async def acted_at(self) -> datetime:
        return await self._db.read(replan.acted_at)

    async def note_leap(self, *, to: datetime) -> None:
        await self._db.write(lambda tx: replan.note_leap(tx, to=to))

    async def judged_ahead(self, *, now: datetime) -> Sequence[str]:
        return await self._db.read(lambda tx: replan.judged_ahead(tx, now=now))

    async def replan(self, job_ids: Sequence[str], *, now: datetime) -> Replanned:
        return await self._db.write(
            lambda tx: replan.replan(tx, job_ids, now=now, specs=self._specs)
        )

    async def finish_replan(
        self, total: Replanned, *, ahead_until: datetime, now: datetime
    ) -> None:
        await self._db.write(
            lambda tx: replan.finish_replan(tx, total, ahead_until=ahead_until, now=now)
        )

    async def lived_time(self) -> str | None:
        def read(tx: Tx) -> str | None:
            row = tx.one("get_meta", name=_LIVED_TIME)
            return None if row is None else str(row[0])

        return await self._db.read(read)

    async def keep_lived_time(self, text: str) -> None:
        await self._db.write(lambda tx: tx.run("set_meta", name=_LIVED_TIME, value=text))
