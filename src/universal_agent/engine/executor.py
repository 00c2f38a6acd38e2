"""The executor: claims queued runs, executes them, and records how they ended.

The life of a run, and the function at each step:

1. It is queued, with its slot, by a verb: `admit`, `add_run`, `make_starts`, `resolve_missed`.
2. The queued event wakes the queue: `RunQueue.notice`. (A slot that finds a free worker when it is
   admitted skips this step: `RunQueue.offer`.)
3. A free worker claims it: `RunQueue.take`, by the rules of `Capacity.rules`.
4. It executes in a task of its own: `RunningRuns.start`, which gives it a workspace, a log, a time
   limit and a runner.
5. It ends by its runner, its limit, or a request to cancel it (an event: `Executor.notice`).
6. Its end waits in `RunningRuns.ended` until `Executor.run` records it; the same commit plans a
   retry and claims the next run. An end that cannot be recorded is isolated: `Executor._isolate`.
7. The event of its end reaches those who wait: `RunEnds.notice`, `Turns.notice`, and the feed.

At a stop, runs that have not begun go back to the queue (`close_queue`), and the others are stopped
and recorded (`close`). After a crash, the reconciler closes what is still `running`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.event_types import CANCEL_REQUESTED
from universal_agent.domain.events import Event
from universal_agent.domain.run import RunId, RunStatus
from universal_agent.engine.ids import new_id
from universal_agent.engine.run_queue import RunQueue
from universal_agent.engine.running import RunningRuns
from universal_agent.errors import StoreUnavailable
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Finished

_log = structlog.get_logger(__name__)

#: Seconds between two tries to record ends while the store is down.
_STORE_RETRY_SECONDS = 0.5

#: How often a stop tries to record something while the store is down.
_CLOSING_TRIES = 3

#: Ends that may wait while slots are admitted.
_ENDS_WAITING = 2000


class Executor:
    """Records how runs ended, and keeps the workers busy."""

    event_types = tuple(CANCEL_REQUESTED.values())

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        queue: RunQueue,
        running: RunningRuns,
        work: asyncio.Event,
    ) -> None:
        """`work` is set by the other parts whenever there is something to record or to claim."""
        self._store = store
        self._clock = clock
        self._metrics = metrics
        for status in RunStatus:
            if status.is_final:
                metrics.runs_finished(status)
        self._queue = queue
        self._running = running
        self._work = work
        #: Held while a commit of this executor is under way; from `close_queue` on for good.
        self._recording = asyncio.Lock()
        #: After a batch could not be recorded: how many ends are tried one by one, without claims.
        self._singly = 0

    # -- cancelling

    def notice(self, event: Event) -> None:
        """A run is to end before its time."""
        self._cancel(RunId(event.data["run_id"]), event.data["reason"])

    async def look(self) -> None:
        """Stop every run whose cancellation was requested."""
        for run_id, reason in await self._store.read(verbs.cancels.cancels_requested):
            self._cancel(run_id, reason)

    def _cancel(self, run_id: RunId, reason: str) -> None:
        self._running.stop(run_id, RunStatus.CANCELLED, reason)

    # -- the loop

    async def run(self) -> None:
        """Record ends and claim waiting runs until cancelled."""
        more: bool | None = True
        while True:
            if more is None:
                await self._clock.sleep(_STORE_RETRY_SECONDS)
            elif not more:
                await self._work.wait()
            self._work.clear()
            async with self._recording:
                more = not self._may_wait() and await self._settle()

    def _may_wait(self) -> bool:
        return (
            self._queue.is_admitting
            and not self._queue.may_have_runs
            and len(self._running.ended) < _ENDS_WAITING
        )

    async def _settle(self) -> bool | None:
        """One commit: every end there is, and as many claims as there are free workers.

        Returns whether there is more to do right away; None if the commit failed.
        """
        if not self._running.ended:
            self._singly = 0
        ended = self._running.take_ended(1 if self._singly else None)
        claim = not self._singly
        try:
            await self._close_lost()
            more = await self._queue.take(ended, claim=claim)
        except StoreUnavailable as error:
            self._running.put_back(ended)
            _log.error("store_unavailable", error=error.message)
            return None
        except Exception:
            self._isolate(ended, claimed=claim)
            return None
        self._singly = max(0, self._singly - 1)
        for end in ended:
            self._metrics.runs_finished(end.status).inc()
        self._running.are_recorded(end.claimed.run.run_id for end in ended)
        return more or bool(self._running.ended or self._running.lost)

    async def _close_lost(self) -> None:
        """Record the runs whose keepers have died as interrupted."""
        if lost := self._running.take_lost():
            try:
                now = self._clock.now()
                await self._store.write(
                    verbs.misses.interrupt_runs,
                    lost,
                    now=now,
                    outage_id=new_id("out", now),
                    missed_ids=[new_id("mis", now) for _ in lost],
                )
            except BaseException:
                self._running.lost.extendleft(reversed(lost))
                raise
            self._running.are_recorded(lost)

    def _isolate(self, ended: Sequence[Finished], *, claimed: bool) -> None:
        """One end that cannot be recorded must not delay the others: try each alone.

        The one that fails alone stays `running` in the store, and so becomes `interrupted` at
        the next start: visible, and an operator's to judge.
        """
        _log.exception(
            "outcome_not_recorded",
            run_ids=[end.claimed.run.run_id for end in ended],
        )
        if len(ended) > 1 or claimed:
            self._running.put_back(ended)
            self._singly = len(ended)
        else:
            self._running.give_up(ended)
            self._singly = max(0, self._singly - 1)

    # -- stopping

    async def close_queue(self) -> None:
        """Start nothing more, and let the commits that are under way come through.

        Runs that are claimed and have not begun go back to the queue.
        """
        self._queue.close()
        await self._queue.until_nothing_is_claimed()
        await self._recording.acquire()
        await self._try(self._queue.put_back_unbegun)

    async def close(self) -> None:
        """After `close_queue`: stop what runs without a keeper, and record how it ended.

        Runs that this cuts short stay `running` in the store; the reconciler closes them as
        `interrupted`, because how far they came is unknown.
        """
        await self._running.leave()
        failures = 0
        while self._running.ended and failures < _CLOSING_TRIES:
            failures += await self._settle() is None and not self._singly

    async def note_stop(self) -> None:
        """Record that this process stops because it was asked to."""
        now = self._clock.now()
        await self._try(partial(self._store.write, verbs.planned_stops.stopped, now=now))

    async def stand_down(self) -> None:
        """Start nothing more, and stop what runs, without the store."""
        self._queue.close()
        await self._running.cut()

    async def hand_in(self) -> None:
        """After `stand_down`: record the ends there are, and put back what has not begun.

        Raises StoreUnavailable when the store is down.
        """
        await self._queue.until_nothing_is_claimed()
        async with self._recording:
            await self._queue.put_back_unbegun()
            while self._running.ended:
                if await self._settle() is None and not self._singly:
                    raise StoreUnavailable("The ends of runs could not be recorded.")

    async def _try(self, call: Callable[[], Awaitable[object]]) -> None:
        for _ in range(_CLOSING_TRIES):
            try:
                await call()
            except StoreUnavailable as error:
                _log.error("store_unavailable", error=error.message)
            else:
                return
