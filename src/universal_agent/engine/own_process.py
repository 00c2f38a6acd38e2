"""This process among those that share the database: its row, its beat, and what a lost beat means.

A process beats every BEAT_SECONDS. Others close its runs after SILENT_SECONDS of silence
(reconciler.py), so a process that could not beat for FENCE_SECONDS, by its monotonic clock, stops
earlier: it claims nothing more and ends its children. Once the database answers again it records
the ends that it knows, closes what it cut, and goes on under a new id. The claims of the old id
stay fenced: an end counts only under the claim that it belongs to.

Where the process holds the database alone, the lock is its lease (ADR 11). Nobody else can close
its runs, so it neither beats nor stops.
"""

import asyncio

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.process import Process
from universal_agent.engine.executor import Executor
from universal_agent.engine.ids import new_id
from universal_agent.engine.reconciler import SILENT_SECONDS, Reconciler
from universal_agent.engine.run_queue import RunQueue
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0

#: Seconds without a beat after which a process stops working. Its children have ended before
#: another process may start their runs again.
FENCE_SECONDS = 20.0
assert FENCE_SECONDS < SILENT_SECONDS


def new_process(clock: Clock, host: str) -> Process:
    """A process of this host that starts now."""
    now = clock.now()
    return Process(process_id=new_id("proc", now), host=host, started_at=now)


class OwnProcess:
    """Registers this process, keeps it alive in the database, and stops it when that fails."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        reconciler: Reconciler,
        queue: RunQueue,
        executor: Executor,
    ) -> None:
        self._store = store
        self._clock = clock
        self._reconciler = reconciler
        self._queue = queue
        self._executor = executor
        #: When the latest recorded beat was sent, by the monotonic clock.
        self._beat_at = clock.monotonic()
        #: Whether another process has given this one up as lost.
        self._given_up = False
        #: Set by each beat that the database has answered.
        self._answered = asyncio.Event()
        #: Set when it may be time to stop working.
        self._look = asyncio.Event()

    @property
    def process(self) -> Process:
        """The process as it claims runs."""
        return self._queue.process

    @property
    def id(self) -> str:
        """The id that runs are claimed under."""
        return self.process.process_id

    async def register(self) -> None:
        """Insert the process's row: from now on it may claim runs."""
        beat_at = self._clock.monotonic()
        await self._store.write(verbs.processes.register, self.process, now=self._clock.now())
        self._beat_at = beat_at

    async def leave(self) -> None:
        """Close what this process leaves; runs with keepers go on without it."""
        await self._reconciler.leave(self.id)

    # -- on a database that other processes share

    async def run_beats(self) -> None:
        """Record every BEAT_SECONDS that this process is alive, until cancelled."""
        while True:
            process_id, sent_at = self.id, self._clock.monotonic()
            try:
                now = self._clock.now()
                if await self._store.write(verbs.processes.beat, process_id, now=now):
                    self._beat_at = sent_at
                elif process_id == self.id:
                    self._given_up = True
                    self._look.set()
                self._answered.set()
            except StoreUnavailable as error:
                _log.error("store_unavailable", error=error.message)
            await self._clock.sleep(BEAT_SECONDS)

    async def run_reconciler(self) -> None:
        """Close the runs of lost processes, until cancelled. It delays no beat."""
        while True:
            try:
                await self._reconciler.close_lost(but=self.id)
            except StoreUnavailable as error:
                _log.error("store_unavailable", error=error.message)
            await self._clock.sleep(BEAT_SECONDS)

    async def run_fence(self) -> None:
        """Stop the work of this process whenever it is lost, until cancelled."""
        while True:
            if not self._queue.is_closed:
                await self._until_lost()
                _log.error("process_lost", process_id=self.id, is_given_up=self._given_up)
                await self._executor.stand_down()
            await self._rejoin()

    async def _until_lost(self) -> None:
        """Return when another process has given this one up, or may do so soon."""
        while not self._given_up:
            silent = self._clock.monotonic() - self._beat_at
            if silent >= FENCE_SECONDS:
                return
            self._look.clear()
            timer = self._clock.call_later(FENCE_SECONDS - silent, self._look.set)
            try:
                await self._look.wait()
            finally:
                timer.cancel()

    async def _rejoin(self) -> None:
        """Once the database answers: settle what the old id has claimed, and take a new id."""
        self._answered.clear()
        await self._answered.wait()
        await self._executor.hand_in()
        await self._reconciler.close(self.id)
        lost, self._queue.process = self.id, new_process(self._clock, self.process.host)
        await self.register()
        self._given_up = False
        self._queue.reopen()
        _log.warning("process_rejoined", process_id=self.id, before=lost)
