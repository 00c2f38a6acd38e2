"""Capacity: how many runs may start, by free workers, reservations and the share of late runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from universal_agent.clock import Clock
from universal_agent.domain.slot import Source
from universal_agent.engine.running import RunningRuns
from universal_agent.store.values import ClaimRules

#: While slots on time take every worker: how often a late run goes first.
LATE_PATIENCE_SECONDS = 900.0


class Capacity:
    """The workers of this process: busy, reserved and free."""

    def __init__(
        self,
        clock: Clock,
        running: RunningRuns,
        *,
        concurrency: int,
        off: tuple[Source, ...] = (),
        agent: tuple[str, ...] = (),
    ) -> None:
        """`off` are the sources whose engine is switched off, `agent` what the agent uses."""
        self._clock = clock
        self._running = running
        self._concurrency = concurrency
        self._off = off
        self.agent = agent
        self._reserved = 0
        self._closed = False
        self._paused = False
        self._held = False
        self._nothing_reserved = asyncio.Event()
        self._nothing_reserved.set()
        #: When the last run of a missed slot started, by the monotonic clock.
        self._late_started = clock.monotonic()

    @property
    def free(self) -> int:
        """How many runs could start now; none while it is held, paused or closed."""
        if self._closed or self._paused or self._held:
            return 0
        return self._concurrency - len(self._running) - self._reserved

    def reserve(self) -> int:
        """Keep every free worker for the caller until `release`.

        The caller's commit may mark as many runs `running`; it launches them in the same step of
        the event loop in which it releases the reservation.
        """
        count = max(0, self.free)
        self._reserved += count
        if self._reserved:
            self._nothing_reserved.clear()
        return count

    def release(self, count: int) -> None:
        """Give back workers that were reserved."""
        self._reserved -= count
        if not self._reserved:
            self._nothing_reserved.set()

    def rules(self) -> ClaimRules:
        """Which queued runs may start: how many missed slots, and none of an engine that is off.

        Half of the workers are kept for slots on time. While these take all that is free, one
        missed slot goes first each LATE_PATIENCE_SECONDS, so that none of them waits forever.
        """
        share = max(1, self._concurrency // 2)
        waited = self._clock.monotonic() - self._late_started
        return ClaimRules(
            late_workers=max(0, share - self._running.late_count),
            late_overdue=waited >= LATE_PATIENCE_SECONDS,
            off=self._off,
            agent=self.agent,
        )

    def late_has_started(self) -> None:
        """A run of a missed slot starts now."""
        self._late_started = self._clock.monotonic()

    def pause(self) -> None:
        """Have no free workers from now on. Runs of a commit that is under way still start."""
        self._paused = True

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Have no free workers until `reopen`."""
        self._closed = True

    def reopen(self) -> None:
        """Have free workers again."""
        self._closed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have no free workers while the block runs."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    async def until_nothing_is_reserved(self) -> None:
        """Return once no commit is under way that may start runs."""
        await self._nothing_reserved.wait()
