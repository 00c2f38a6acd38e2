"""All jobs are planned again after the clock had run ahead and was set back."""

from datetime import datetime

import structlog

from universal_agent.store.base import Store
from universal_agent.store.plan_store import Replanned

_log = structlog.get_logger(__name__)

#: Jobs that one transaction plans again.
BATCH = 250


async def plan_again(store: Store, *, ahead_until: datetime, now: datetime) -> None:
    """Withdraw what was judged up to `ahead_until`, the clock's reading before it was set back.

    Cut short by a failure or a kill, it is done again at the next start, and does the rest then.
    """
    total = Replanned()
    job_ids = await store.judged_ahead(now=now)
    for first in range(0, len(job_ids), BATCH):
        total += await store.replan(job_ids[first : first + BATCH], now=now)
    await store.finish_replan(total, ahead_until=ahead_until, now=now)
    if total.jobs:
        _log.warning(
            "clock_set_back",
            action="clock_set_back",
            before=ahead_until.isoformat(),
            after=now.isoformat(),
            jobs=total.jobs,
            slots=total.slots,
        )
