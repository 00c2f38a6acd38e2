"""A source whose engine is switched off: its slots are recorded, and decided at switch-on.

While `UA_ENABLE_CRON` or `UA_ENABLE_HEARTBEAT` is 0, nothing of that source is queued, claimed or
run. Its slots become pending misses of one outage, which lasts over restarts until the first start
with the engine on. That start applies each job's `on_miss` once, to the whole outage.
"""

from datetime import datetime, timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.job import Job
from universal_agent.domain.judge import grace_of
from universal_agent.domain.slot import Source
from universal_agent.engine.ids import new_id
from universal_agent.engine.scheduler import BATCH, Scheduler
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

#: The longest sleep between two looks.
_LOOK_SECONDS = 60.0

#: The pause before the next look while slots that were moved, or retries, wait for a time that
#: has come, and after a failure of the database.
_SHORT_SECONDS = 5.0

#: Jobs whose outage is decided in one commit: with `run_all` each of them may queue 100 runs.
_DECIDED_TOGETHER = 50


class OffEngine:
    """Records what one source misses while it is off, and decides that when it is on again."""

    def __init__(self, store: Store, clock: Clock, scheduler: Scheduler, source: Source) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler
        self.source = source

    async def begin(self) -> str:
        """The engine is off: begin an outage, or continue that of the last process."""
        outage_id = new_id("out", self._clock.now())
        return await self._store.write(
            verbs.switched_off.switched_off, self.source, outage_id=outage_id
        )

    async def run(self) -> None:
        """Record slots that have passed their grace and close expired misses, until cancelled."""
        outage_id = await self.begin()
        while True:
            now = self._clock.now()
            try:
                again_at = await self._record(outage_id, now)
                due = await self._store.read(verbs.admission.due, until=now, limit=0)
                while due.expired:
                    if not await self._store.write(
                        verbs.stasis.expire_missed, now=now, limit=BATCH
                    ):
                        break
                    due = await self._store.read(verbs.admission.due, until=now, limit=0)
            except StoreUnavailable as error:
                _log.error("store_unavailable", error=error.message)
                await self._clock.sleep(_SHORT_SECONDS)
                continue
            if due.starts:
                again_at = min(again_at, now + timedelta(seconds=_SHORT_SECONDS))
            if due.next_at is not None and due.next_at > now:
                again_at = min(again_at, due.next_at)
            await self._sleep(now, again_at)

    async def _sleep(self, now: datetime, until: datetime) -> None:
        """Return when the wall clock has passed `until`, or reads less than `now`.

        The clock may jump, so no sleep is longer than a bounded look at it.
        """
        until += timedelta(seconds=0.1)
        while now <= self._clock.now() < until:
            await self._clock.sleep_until(until)

    async def end(self) -> None:
        """The engine is on: decide what it missed while it was off, if it was."""
        outage_id = await self._store.read(verbs.switched_off.off_outage, self.source)
        if outage_id is None:
            return
        now = self._clock.now()
        await self._record(outage_id, now)
        refs = await self._store.read(verbs.switched_off.refs_in_outage, outage_id)
        count = 0
        for first in range(0, len(refs), _DECIDED_TOGETHER):
            count += await self._store.write(
                verbs.switched_off.decide_outage,
                outage_id,
                refs[first : first + _DECIDED_TOGETHER],
                new_run_id=lambda: new_id("run", now),
                now=now,
            )
        await self._store.write(verbs.switched_off.switched_on, self.source)
        _log.info(
            "engine_switched_on",
            engine=self.source,
            outage_id=outage_id,
            jobs_with_misses=len(refs),
            catch_ups=count,
        )

    async def _record(self, outage_id: str, now: datetime) -> datetime:
        """Record every slot that has passed its grace, and return when the next one will have."""
        again_at = now + timedelta(seconds=_LOOK_SECONDS)
        after: tuple[float, str] | None = None
        while True:
            page = await self._store.read(
                verbs.switched_off.due_page, self.source, until=now, after=after, limit=BATCH
            )
            await self._scheduler.miss(page.jobs, outage_id=outage_id, now=now)
            again_at = min([again_at, *(_grace_end(job, now) for job in page.jobs)])
            if page.after is None:
                break
            after = page.after
        while (
            await self._store.write(
                verbs.switched_off.miss_moved,
                self.source,
                outage_id=outage_id,
                missed_ids=[new_id("mis", now) for _ in range(BATCH)],
                now=now,
            )
            == BATCH
        ):
            pass
        return again_at


def _grace_end(job: Job, now: datetime) -> datetime:
    """When the job's slot that is due will have passed its grace; `now` when it has already."""
    assert job.due_at is not None
    return max(now, job.due_at + grace_of(job.spec.policy))
