"""Time limits that use the injected clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from universal_agent.clock import Cancellable, Clock


@asynccontextmanager
async def time_limit(clock: Clock, seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError in the body once `seconds` of the clock's time have passed.

    `asyncio.timeout` distinguishes a time limit from a cancellation; the alarm comes from the
    clock, so that tests can trigger it.
    """
    async with asyncio.timeout(None) as timeout:
        loop = asyncio.get_running_loop()
        alarm = clock.call_later(seconds, lambda: timeout.reschedule(loop.time()))
        try:
            yield
        finally:
            alarm.cancel()


class IdleLimit:
    """Raises TimeoutError in its body once `seconds` have passed since the last `renew`."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._deadline = 0.0
        self._alarm: Cancellable | None = None

    def renew(self) -> None:
        """Restart the time limit; sets no timer."""
        self._deadline = self._clock.monotonic() + self._seconds

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self.renew()
        self._alarm = self._clock.call_later(self._seconds, self._check)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        await self._timeout.__aexit__(kind, error, traceback)

    def _check(self) -> None:
        left = self._deadline - self._clock.monotonic()
        if left > 0:
            self._alarm = self._clock.call_later(left, self._check)
        else:
            self._timeout.reschedule(asyncio.get_running_loop().time())
