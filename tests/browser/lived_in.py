"""A gateway's data after a day of work: jobs, runs that failed, and slots missed in an outage."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path

from tests.integration.engine.gateway import Gateway
from universal_agent.clock import SystemClock
from universal_agent.testing import FAILURE, SUCCESS, ManualClock

#: How long ago the gateway died.
OUTAGE = timedelta(hours=2)

_WORKED = timedelta(hours=12)

#: Title and schedule. Those of the second half are in another zone than the first.
_DAILY = (
    ("Morning brief", "0 7 * * *"),
    ("Daily report", "0 17 * * *"),
    ("Backup memory", "0 2 * * *"),
    ("Standup digest", "0 9 * * 1-5"),
    ("Market scan", "30 6 * * *"),
    ("News digest", "0 8 * * *"),
    ("Invoice check", "0 11 * * *"),
    ("Nightly build", "0 1 * * *"),
    ("Cleanup", "20 3 * * *"),
)


def make_lived_in(data_dir: Path) -> None:
    """Fill the directory. In a thread: the caller's may have an event loop that runs already."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _live(data_dir)).result()


async def _live(data_dir: Path) -> None:
    died = SystemClock().now().replace(second=0, microsecond=0) - OUTAGE
    clock = ManualClock(died - _WORKED)
    gateway = Gateway(data_dir, clock)
    await gateway.start()
    create = partial(gateway.create, command="echo done")
    for title, every in (("Inbox triage", "10m"), ("Metrics scrape", "15m"), ("Repo sync", "30m")):
        await create(title=title, every=every)
    await create(title="Mail digest", every="20m", on_miss="skip")
    await create(title="Pulse", every="2m", on_miss="skip")
    for number, (title, expression) in enumerate(_DAILY):
        zone = "Europe/Berlin" if number % 2 else "UTC"
        await create(title=title, cron_expr=expression, timezone=zone)
    await create(title="Watch the feed", every="4h")
    await create(title="Old import", every="1h", enabled=False)
    gateway.runner.answer(*([SUCCESS] * 9 + [FAILURE]) * 20)
    await clock.advance(_WORKED.total_seconds())
    await gateway.kill()
