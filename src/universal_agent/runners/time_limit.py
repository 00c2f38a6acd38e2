"""How long may a wait take, by the injected clock?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from universal_agent.clock import Clock


@asynccontextmanager
async def time_limit(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the body once `seconds` of the clock's time have passed.

    `asyncio.timeout` does the work, since telling a time limit from a cancel is subtle; only the
    alarm is the clock's, so that tests set it off by hand.
    """
    async with asyncio.timeout(None) as timeout:
        loop = asyncio.get_running_loop()
        alarm = clock.call_later(seconds, lambda: timeout.reschedule(loop.time()))
        try:
            yield
        finally:
            alarm.cancel()
