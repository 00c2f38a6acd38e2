"""What waits for a decision is answered while large feeds are made."""

import asyncio
import threading
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.store import verbs
from universal_agent.testing import ManualClock
from universal_agent.views.calendar import FeedQuery


@pytest.mark.parametrize("projected", [True, False])
async def test_the_stasis_queue_does_not_wait_for_feeds_that_are_being_made(
    gateway: Gateway, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, projected: bool
) -> None:
    await gateway.runtime.flags.change({"UA_SCHED_EVENT_PROJECTION_ENABLED": projected}, by="ada")
    await gateway.create(every="1m")
    await gateway.kill()
    clock.step(3600)
    await gateway.start()
    await gateway.runtime.projector.catch_up()
    name = "projected_calendar" if projected else "scan_calendar"
    read = getattr(verbs.calendar, name)
    begun, released = threading.Event(), threading.Event()

    @wraps(read)
    def blocked(tx: Any, window: Any, *args: Any, **kwargs: Any) -> Any:
        if window.start != window.end:
            begun.set()
            released.wait()
        return read(tx, window, *args, **kwargs)

    monkeypatch.setattr(verbs.calendar, name, blocked)
    now = clock.now()
    feeds = [
        asyncio.ensure_future(
            gateway.runtime.calendar.answer(
                FeedQuery(view=None), now=now + hours * timedelta(hours=1)
            )
        )
        for hours in range(8)
    ]
    await asyncio.to_thread(begun.wait)
    try:
        async with asyncio.timeout(60):
            (item,) = await gateway.runtime.calendar.stasis_items(now=now)
        assert item
    finally:
        released.set()
        await asyncio.gather(*feeds)
