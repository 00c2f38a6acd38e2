"""Are the engine's loops alive?

A loop that fails is started again, after a wait that grows while it goes on failing; until it
runs, health says which one is down and why. "Process alive, scheduler dead" cannot happen unseen.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from universal_agent.clock import Clock
from universal_agent.metrics import Metrics

_log = structlog.get_logger(__name__)

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 5.0

#: A loop that has run this long is well again, and its next failure is a first one.
_WELL_AFTER = 60.0


class Supervisor:
    """Keeps named loops running."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        #: Loops that are down right now, and why.
        self.failures: dict[str, str] = {}

    def keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` for ever."""
        self._tasks.append(asyncio.create_task(self._keep(name, loop), name=f"loop {name}"))

    async def _keep(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        wait = _FIRST_WAIT
        while True:
            began = self._clock.monotonic()
            self.failures.pop(name, None)
            try:
                await loop()
                reason = "it returned"
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                _log.exception("loop_failed", action="loop_failed", loop=name)
            if self._clock.monotonic() - began > _WELL_AFTER:
                wait = _FIRST_WAIT
            self.failures[name] = reason
            self._metrics.loop_restarts.labels(name).inc()
            await self._clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def stop(self) -> None:
        """End every loop; harmless when called twice."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
