"""Capacity: how many runs may start, by free workers, reservations and the share of late runs.

Ordinary runs have `concurrency` workers. Light runs (beats, turns, light jobs) have some in reserve
in addition, and take ordinary workers when these are busy.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from universal_agent.clock import Clock
from universal_agent.domain.slot import Source
from universal_agent.engine.running import RunningRuns
from universal_agent.store.values import ClaimRules

#: While slots on time take every worker: how often a late run goes first.
LATE_PATIENCE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Workers that are kept for one commit."""

    workers: int = 0
    #: How many of them may take runs that are not light.
    ordinary: int = 0


#: No worker.
NOTHING = Reservation()


class Capacity:
    """The workers of this process: busy, reserved and free."""

    def __init__(
        self,
        clock: Clock,
        running: RunningRuns,
        *,
        concurrency: int,
        light_workers: int = 0,
        late_spacing: float = 0.0,
        off: tuple[Source, ...] = (),
        agent: tuple[str, ...] = (),
    ) -> None:
        """`light_workers` are in reserve; `late_spacing` is the least time between two starts of
        missed slots, in seconds. `off` are the sources whose engine is switched off, `agent` what
        the agent uses.
        """
        self._clock = clock
        self._running = running
        #: How many ordinary runs execute at the same time.
        self.concurrency = concurrency
        self._light_workers = light_workers
        self._late_spacing = late_spacing
        self._off = off
        self.agent = agent
        self._reserved = 0
        self._reserved_ordinary = 0
        self._closed = False
        self._paused = False
        self._held = False
        self._nothing_reserved = asyncio.Event()
        self._nothing_reserved.set()
        #: When the last run of a missed slot started, by the monotonic clock.
        self._late_started = clock.monotonic()
        #: From when on the next run of a missed slot may start.
        self._late_from = clock.monotonic()

    @property
    def free(self) -> int:
        """How many runs could start now; none while it is held, paused or closed."""
        if self._closed or self._paused or self._held:
            return 0
        return self.concurrency + self._light_workers - len(self._running) - self._reserved

    @property
    def _free_ordinary(self) -> int:
        """How many of the free workers may take runs that are not light."""
        light = self._running.light_count
        ordinary = len(self._running) - light
        beyond = max(0, light - self._light_workers)
        return self.concurrency - ordinary - beyond - self._reserved_ordinary

    def reserve(self) -> Reservation:
        """Keep every free worker for the caller until `release`.

        The caller's commit may mark as many runs `running`; it launches them in the same step of
        the event loop in which it releases the reservation.
        """
        workers = max(0, self.free)
        reservation = Reservation(workers, min(workers, max(0, self._free_ordinary)))
        self._reserved += reservation.workers
        self._reserved_ordinary += reservation.ordinary
        if self._reserved:
            self._nothing_reserved.clear()
        return reservation

    def release(self, reservation: Reservation) -> None:
        """Give back workers that were reserved."""
        self._reserved -= reservation.workers
        self._reserved_ordinary -= reservation.ordinary
        if not self._reserved:
            self._nothing_reserved.set()

    def rules(self, reservation: Reservation) -> ClaimRules:
        """Which queued runs may start: how many missed slots, and none of an engine that is off.

        Half of the workers are kept for slots on time. While these take all that is free, one
        missed slot goes first each LATE_PATIENCE_SECONDS, so that none of them waits forever.
        """
        share = max(0, max(1, self.concurrency // 2) - self._running.late_count)
        if self._late_spacing:
            share = min(share, 1) if self.late_wait <= 0 else 0
        waited = self._clock.monotonic() - self._late_started
        return ClaimRules(
            ordinary_workers=reservation.ordinary,
            late_workers=share,
            late_overdue=waited >= LATE_PATIENCE_SECONDS,
            off=self._off,
            agent=self.agent,
        )

    @property
    def late_wait(self) -> float:
        """Seconds until the next run of a missed slot may start; 0 or less: now."""
        return self._late_from - self._clock.monotonic()

    def late_has_started(self) -> None:
        """A run of a missed slot starts now."""
        self._late_started = self._clock.monotonic()
        self._late_from = self._late_started + self._late_spacing

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
