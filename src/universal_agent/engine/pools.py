"""Pools: set by operators and settings, and watched for runs that wait too long."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.event_types import RUN_QUEUED
from universal_agent.domain.events import Event
from universal_agent.domain.pools import (
    PoolUse,
    check_pool_name,
    check_pool_size,
    document,
)
from universal_agent.engine.run_queue import RunQueue
from universal_agent.pool_sizes import DEFAULT_POOL
from universal_agent.store import verbs
from universal_agent.store.store import Store

#: Seconds between two looks at what waits.
_EVERY_SECONDS = 15.0

#: Runs whose priority is raised in one transaction.
_BATCH = 1000


class Pools:
    """What operators may do about pools, and the ageing of the queue.

    It sleeps while no run waits.
    """

    event_types = RUN_QUEUED

    def __init__(
        self,
        store: Store,
        clock: Clock,
        queue: RunQueue,
        *,
        sizes: Mapping[str, int],
        concurrency: int,
        light_workers: int,
        aging_seconds: int,
        warn_seconds: int,
    ) -> None:
        """`sizes` are the pools of UA_POOLS. A run's priority rises each `aging_seconds` that it
        waits; health says so when one has waited for `warn_seconds`.
        """
        self._store = store
        self._clock = clock
        self._queue = queue
        self._sizes = sizes
        self._concurrency = concurrency
        self._light_workers = light_workers
        self._aging = timedelta(seconds=aging_seconds)
        self._warn_seconds = warn_seconds
        #: When the run that has waited longest in each pool was queued, at the latest look.
        self._waiting_since: Mapping[str, datetime] = {}
        #: Whether runs may be waiting.
        self._may_wait = asyncio.Event()

    async def apply(self) -> None:
        """Set the pools that UA_POOLS names."""
        await self._store.write(verbs.pools.apply_pools, self._sizes, now=self._clock.now())

    def notice(self, event: Event) -> None:
        """A run was queued."""
        self._may_wait.set()

    async def look(self) -> None:
        """Runs may be waiting."""
        self._may_wait.set()

    async def run(self) -> None:
        """Raise what waits and note how long, until cancelled."""
        while True:
            await self._may_wait.wait()
            await self._clock.sleep(_EVERY_SECONDS)
            self._may_wait.clear()
            await self.watch()
            if self._waiting_since:
                self._may_wait.set()

    async def watch(self) -> None:
        """Raise the priority of runs that wait long, and note since when runs wait."""
        self._waiting_since = await self._store.read(verbs.pools.waiting_since)
        now = self._clock.now()
        if all(now - since < self._aging for since in self._waiting_since.values()):
            return
        raised = _BATCH
        while raised == _BATCH:
            raised = await self._store.write(
                verbs.pools.raise_waiting, after=self._aging, now=now, limit=_BATCH
            )
        self._queue.look_again()

    def reasons(self) -> list[str]:
        """A sentence for each pool in which a run has waited too long."""
        now = self._clock.now()
        waits = {name: (now - since).total_seconds() for name, since in self._waiting_since.items()}
        return [
            f"a run has waited for {seconds:.0f} s in the pool {name}"
            for name, seconds in sorted(waits.items())
            if seconds >= self._warn_seconds
        ]

    async def in_use(self) -> Sequence[PoolUse]:
        """Every pool with its runs right now."""
        return await self._store.read(verbs.pools.pools_in_use, concurrency=self._concurrency)

    async def figures(self) -> dict[str, tuple[float, float, float, float]]:
        """Size, running, waiting and oldest wait in seconds of each pool, for metrics."""
        return {
            str(one["name"]): (
                one["size"],
                one["running"],
                one["waiting"],
                one["oldest_wait_seconds"] or 0.0,
            )
            for one in await self.documents()
        }

    async def documents(self) -> list[dict[str, Any]]:
        """The same in its wire form."""
        now, reserved = self._clock.now(), {DEFAULT_POOL: self._light_workers}
        return [document(use, now=now, reserved=reserved) for use in await self.in_use()]

    async def put(self, name: str, size: int, *, by: str) -> dict[str, Any]:
        """Make or resize a pool. Raises InvalidInput, Conflict or LimitReached."""
        check_pool_name(name)
        check_pool_size(size)
        await self._store.write(verbs.pools.put_pool, name, size, by=by, now=self._clock.now())
        return next(one for one in await self.documents() if one["name"] == name)

    async def delete(self, name: str, *, by: str) -> None:
        """Remove a pool. Raises NotFound or Conflict."""
        await self._store.write(verbs.pools.delete_pool, name, by=by, now=self._clock.now())
