"""The verbs of plans that are made again, over a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain.local_time import know_rules, know_unrecorded, rules_of
from universal_agent.domain.schedule import CronSchedule, Schedule
from universal_agent.store import replan, zones
from universal_agent.store.plan_store import ChangedZone, Replanned
from universal_agent.store.rows import SpecCache
from universal_agent.store.tx import Database, Tx

_LIVED_TIME = "lived_time"


class SqlPlans:
    """`PlanStore` over a SQL database."""

    _db: Database
    _specs: SpecCache
    #: Fingerprints of rules that are on record.
    _kept_rules: set[str]

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

    async def know_zones(self) -> None:
        """Make the rules of time zones known that are on record."""
        if await self._db.read(zones.lacks_rules):
            await self._db.write(zones.adopt_rules)
        rules, unrecorded = await self._db.read(zones.kept_rules)
        for one in rules:
            know_rules(one)
            self._kept_rules.add(one.fingerprint)
        for timezone, fingerprint in unrecorded:
            know_unrecorded(timezone, fingerprint)

    async def keep_zone(self, schedule: Schedule) -> None:
        """Keep the rules that a schedule is planned by, before it is stored."""
        if not isinstance(schedule, CronSchedule) or schedule.rules is None:
            return
        if schedule.rules not in self._kept_rules:
            rules = rules_of(schedule.timezone)
            await self._db.write(lambda tx: zones.keep_rules(tx, rules))
            self._kept_rules.add(schedule.rules)

    async def changed_zones(self) -> Sequence[ChangedZone]:
        return await self._db.read(zones.changed_zones)

    async def jobs_by_other_rules(self, zone: ChangedZone) -> Sequence[str]:
        return await self._db.read(lambda tx: zones.jobs_by_other_rules(tx, zone))

    async def plan_by_rules(
        self, job_ids: Sequence[str], zone: ChangedZone, *, now: datetime
    ) -> int:
        return await self._db.write(
            lambda tx: zones.plan_by_rules(tx, job_ids, zone, now=now, specs=self._specs)
        )

    async def finish_zone(self, zone: ChangedZone, *, jobs: int, now: datetime) -> None:
        await self._db.write(lambda tx: zones.finish_zone(tx, zone, jobs=jobs, now=now))

    async def lived_time(self) -> str | None:
        def read(tx: Tx) -> str | None:
            row = tx.one("get_meta", name=_LIVED_TIME)
            return None if row is None else str(row[0])

        return await self._db.read(read)

    async def keep_lived_time(self, text: str) -> None:
        await self._db.write(lambda tx: tx.run("set_meta", name=_LIVED_TIME, value=text))
