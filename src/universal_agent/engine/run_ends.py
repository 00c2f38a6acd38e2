"""Callers that wait for runs to end: they are answered from the event log.

A run can end in many ways: executed, cancelled, missed, superseded, deleted with its job. Each of
them appends an event, so no other part has to know about the callers.
"""

import asyncio
from functools import partial

from universal_agent.clock import Clock
from universal_agent.domain.event_types import RUN_ENDED
from universal_agent.domain.events import Event
from universal_agent.domain.run import RunId, RunStatus
from universal_agent.store import verbs
from universal_agent.store.store import Store


class RunEnds:
    """The callers that wait, by run."""

    event_types = RUN_ENDED

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiters: dict[RunId, list[asyncio.Future[bool]]] = {}

    def notice(self, event: Event) -> None:
        """Answer the callers that wait for the run whose end the event tells."""
        if self._waiters and (run_id := ended_run(event)) is not None:
            self._answer(run_id)

    async def look(self) -> None:
        """Answer the callers whose run has ended."""
        for run_id in list(self._waiters):
            if await self._has_ended(run_id):
                self._answer(run_id)

    def _answer(self, run_id: RunId) -> None:
        for future in self._waiters.get(run_id, ()):
            _resolve(future)

    async def _has_ended(self, run_id: RunId) -> bool:
        run = await self._store.read(verbs.runs.get_run, run_id)
        return run is None or run.status.is_final

    async def wait(self, run_id: RunId, seconds: float) -> None:
        """Return when the run's end is recorded, or after `seconds`."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        futures = self._waiters.setdefault(run_id, [])
        futures.append(future)
        timer = self._clock.call_later(seconds, partial(_resolve, future))
        try:
            # It may have ended before this caller waited.
            if not await self._has_ended(run_id):
                await future
        finally:
            timer.cancel()
            futures.remove(future)
            if not futures:
                self._waiters.pop(run_id, None)


def ended_run(event: Event) -> RunId | None:
    """The run whose end the event tells; None if it tells something else."""
    run = event.data.get("run")
    if run is None or not RunStatus(run["status"]).is_final:
        return None
    return RunId(run["run_id"])


def _resolve(future: asyncio.Future[bool]) -> None:
    if not future.done():
        future.set_result(True)
