"""Recovery at a start: decides what passed since the last process ended.

Runs once, before health answers 200, after the reconciler has closed the runs of lost processes.
Waiting runs that are too late are missed, and every slot that passed since is decided.
"""

from collections.abc import Collection
from dataclasses import replace

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.judge import Cause
from universal_agent.domain.slot import Source
from universal_agent.engine.ids import new_id
from universal_agent.engine.jobs import begun
from universal_agent.engine.off import OffEngine
from universal_agent.engine.replanning import plan_by_present_rules
from universal_agent.engine.scheduler import Scheduler
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_BATCH = 500


class Recovery:
    """Brings the store's state up to the present."""

    def __init__(self, store: Store, clock: Clock, scheduler: Scheduler) -> None:
        self._store = store
        self._clock = clock
        self._scheduler = scheduler

    async def run(self, *, off: Collection[OffEngine] = (), on: Collection[OffEngine] = ()) -> None:
        """Decide every slot that passed.

        Queued runs of a source whose engine is `off` are missed. What a source missed while its
        engine was off is decided first if the engine is `on` again.
        """
        await self._scheduler.plan_again_if_ahead()
        for engine in off:
            outage_id = await engine.begin()
            await self._miss_queued(Cause.ENGINE_OFF, outage_id, of=engine.source)
        cause = await self._store.read(verbs.planned_stops.cause_of_gap)
        await self._miss_queued(cause, new_id("out", self._clock.now()))
        for engine in on:
            await engine.end()
        now = self._clock.now()
        if on:
            await self._scheduler.catch_up(cause)
        if any(engine.source is Source.CRON for engine in on):
            await plan_by_present_rules(self._store, now=now)
        await self._resume_auto_paused()
        await self._store.write(verbs.planned_stops.started)

    async def _resume_auto_paused(self) -> None:
        """Resume the jobs that an earlier version switched off after repeated failures.

        A job that still fails is held again, with its slots expected and probed.
        """
        if not (jobs := await self._store.read(verbs.auto_paused.auto_paused_jobs)):
            return
        for job in jobs:
            now = self._clock.now()
            resumed = begun(
                job.replaced_by(
                    replace(job.spec, enabled=True, off_label=None),
                    now=now,
                    next_run_at=None,
                    continues=False,
                )
            )
            if resumed.next_run_at is None:
                continue  # a one-shot whose time has passed
            await self._store.write(
                verbs.jobs.update_job,
                replace(resumed, consecutive_failures=0),
                replaces=job,
                closed_at=job.end(now),
                changed=["enabled", "off_label"],
                now=now,
            )
            _log.info("job_resumed", job_id=job.job_id, was=job.spec.off_label)
        await self._store.write(verbs.auto_paused.auto_paused_resumed)

    async def _miss_queued(self, cause: Cause, outage_id: str, *, of: Source | None = None) -> None:
        while True:
            now = self._clock.now()
            count = await self._store.write(
                verbs.misses.miss_queued,
                now=now,
                cause=cause,
                outage_id=outage_id,
                missed_ids=[new_id("mis", now) for _ in range(_BATCH)],
                after_grace=True,
                of=of,
                agent=self._scheduler.agent,
            )
            if count < _BATCH:
                return
