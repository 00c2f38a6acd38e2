"""The engine's loops, kept alive.

A loop that fails is started again, after a wait that grows with each failure. Until it runs,
health names it and the reason. A loop that fails repeatedly is a trouble, and raises an alarm.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from universal_agent.clock import Clock
from universal_agent.errors import StoreUnavailable
from universal_agent.metrics import Metrics

_log = structlog.get_logger(__name__)

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0

#: After this time without a failure a loop counts as recovered; its next failure is a first one.
_WELL_AFTER = 60.0

#: Failures without a recovery in between after which a loop counts as broken.
_BROKEN_AFTER = 3


class Supervisor:
    """Keeps named loops running."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        #: Loops that are down right now, and why.
        self.failures: dict[str, str] = {}
        #: Loops that have failed and not run well since: how often, when last, and why.
        self._failing: dict[str, tuple[int, float, str]] = {}

    def broken(self) -> dict[str, str]:
        """Loops that fail repeatedly, and why."""
        now = self._clock.monotonic()
        return {
            name: reason
            for name, (count, at, reason) in self._failing.items()
            if count >= _BROKEN_AFTER and now - at <= _WELL_AFTER
        }

    def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until `stop`."""
        self._metrics.loop_restarts(name)
        self._tasks.append(asyncio.create_task(self._keep(name, loop), name=f"loop {name}"))

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        wait = _FIRST_WAIT
        while True:
            began = self._clock.monotonic()
            self.failures.pop(name, None)
            is_store = False
            try:
                await loop()
                reason = "it returned"
            except Exception as error:
                # One trouble of the store, not one of each loop.
                is_store = isinstance(error, StoreUnavailable)
                reason = f"{type(error).__name__}: {error}"
                _log.exception("loop_failed", loop=name)
            now = self._clock.monotonic()
            if now - began > _WELL_AFTER:
                wait = _FIRST_WAIT
                self._failing.pop(name, None)
            if not is_store:
                count = self._failing.get(name, (0, now, reason))[0]
                self._failing[name] = (count + 1, now, reason)
            self.failures[name] = reason
            self._metrics.loop_restarts(name).inc()
            await self._clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def stop(self) -> None:
        """End every loop. A second call does nothing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
