"""The verbs for sources whose engine is switched off, over a SQL database."""

from collections.abc import Callable, Sequence
from datetime import datetime

from universal_agent.domain.slot import Source
from universal_agent.store import switched_off
from universal_agent.store.off_store import DuePage
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Database, Lane


class SqlOff:
    """`OffStore` over a SQL database."""

    _db: Database
    _specs: SpecCache

    async def switched_off(self, source: Source, *, outage_id: str) -> str:
        return await self._db.write(
            lambda tx: switched_off.switched_off(tx, source, outage_id=outage_id)
        )

    async def off_outage(self, source: Source) -> str | None:
        return await self._db.read(lambda tx: switched_off.off_outage(tx, source))

    async def switched_on(self, source: Source) -> None:
        await self._db.write(lambda tx: switched_off.switched_on(tx, source))

    async def due_page(
        self, source: Source, *, until: datetime, after: tuple[float, str] | None, limit: int
    ) -> DuePage:
        return await self._db.read(
            lambda tx: switched_off.due_page(
                tx, source, until=until, after=after, limit=limit, specs=self._specs
            ),
            Lane.ENGINE,
        )

    async def miss_moved(
        self, source: Source, *, outage_id: str, missed_ids: Sequence[str], now: datetime
    ) -> int:
        return await self._db.write(
            lambda tx: switched_off.miss_moved(
                tx,
                source,
                outage_id=outage_id,
                missed_ids=missed_ids,
                now=now,
                specs=self._specs,
            )
        )

    async def refs_in_outage(self, outage_id: str) -> Sequence[str]:
        return await self._db.read(lambda tx: switched_off.refs_in_outage(tx, outage_id))

    async def decide_outage(
        self,
        outage_id: str,
        refs: Sequence[str],
        *,
        new_run_id: Callable[[], str],
        now: datetime,
    ) -> int:
        return await self._db.write(
            lambda tx: switched_off.decide_outage(
                tx, outage_id, refs, new_run_id=new_run_id, now=now, specs=self._specs
            )
        )
