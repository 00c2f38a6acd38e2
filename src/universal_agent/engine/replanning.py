"""Replanning of jobs after the clock was set back, or after zones got other rules."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

import structlog

from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import ChangedZone, Replanned

T = TypeVar("T")

_log = structlog.get_logger(__name__)

#: Jobs that one transaction plans again.
BATCH = 250


async def _done(job_ids: Sequence[str], do: Callable[[Sequence[str]], Awaitable[T]]) -> list[T]:
    """Apply `do` to batches of jobs; a job for which it fails is left out."""
    results = []
    for first in range(0, len(job_ids), BATCH):
        batch = job_ids[first : first + BATCH]
        try:
            results.append(await do(batch))
        except StoreUnavailable:
            raise
        except Exception:
            if len(batch) == 1:
                _log.exception("job_not_planned", job_id=batch[0])
                continue
            for job_id in batch:
                results += await _done([job_id], do)
    return results


async def plan_again(store: Store, *, ahead_until: datetime, now: datetime) -> None:
    """Withdraw what was judged up to `ahead_until`, the clock's reading before it was set back.

    Cut short by a failure or a kill, it is done again at the next start, and does the rest then.
    """
    total = Replanned()
    job_ids = await store.read(verbs.replanning.judged_ahead, now=now)
    for part in await _done(
        job_ids, lambda some: store.write(verbs.replanning.replan, some, now=now)
    ):
        total += part
    await store.write(verbs.replanning.finish_replan, total, ahead_until=ahead_until, now=now)
    if total.jobs:
        _log.warning(
            "clock_set_back",
            before=ahead_until.isoformat(),
            after=now.isoformat(),
            jobs=total.jobs,
            slots=total.slots,
        )


async def _plan_by_rules(
    store: Store, zone: ChangedZone, now: datetime, job_ids: Sequence[str]
) -> int:
    return await store.write(verbs.zones.plan_by_rules, job_ids, zone, now=now)


async def plan_by_present_rules(store: Store, *, now: datetime) -> None:
    """Give the jobs of zones whose rules have changed their next slots by the present rules.

    What was due at `now` must have been decided before: it was planned by the old ones.
    """
    for zone in await store.read(verbs.zones.changed_zones):
        if zone.after is None:
            # Its jobs continue by the rules on record.
            _log.warning("zone_unknown", timezone=zone.timezone)
            continue
        job_ids = await store.read(verbs.zones.jobs_by_other_rules, zone)
        count = sum(await _done(job_ids, partial(_plan_by_rules, store, zone, now)))
        await store.write(verbs.zones.finish_zone, zone, jobs=count, now=now)
        _log.warning("zone_rules_changed", timezone=zone.timezone, jobs=count)
