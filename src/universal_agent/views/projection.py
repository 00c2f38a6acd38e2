"""The projector, which keeps the calendar's projection up to date with the event log.

The projector folds new events in batches; each batch commits in one transaction with its position.
A restart resumes at the position and does not replay the log. Reads wait until the projection has
caught up, unless it is far behind, as after an upgrade. A rebuild folds the log into a separate
database, and replaces the projection only if the two differ at the same event.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from universal_agent.clock import Clock
from universal_agent.errors import Conflict, StoreUnavailable
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import Store

if TYPE_CHECKING:
    from universal_agent.store.values import ProjectionPage

_log = structlog.get_logger(__name__)

#: Events per transaction. Other writes wait for it.
BATCH = 200

#: Rows copied per transaction.
PAGE = 1000

#: Larger than every seq.
_MAX_SEQ = 2**63

#: Reads do not wait for a projection that lacks more events.
PATIENCE_EVENTS = 5000

#: How many times two projections are advanced to a common event.
_ATTEMPTS = 5

#: The delay between an event and its fold, unless a read needs it earlier: many events share one
#: commit, and slots that are due together are admitted before the first of them is folded.
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Digests of the projection and of a rebuilt one, at the same event."""

    position: int
    hash: str
    expected_hash: str

    @property
    def ok(self) -> bool:
        """Whether the projection matches the log."""
        return self.hash == self.expected_hash


class Projector:
    """Keeps the projection up to date, verifies it and rebuilds it."""

    def __init__(
        self,
        store: Store,
        checkpoint: Checkpoint,
        clock: Clock,
        metrics: Metrics,
        *,
        wanted: Callable[[], bool],
        scratch: Callable[[Path], Store],
    ) -> None:
        self._store = store
        self._checkpoint = checkpoint
        self._clock = clock
        self._metrics = metrics
        self._wanted = wanted
        self._scratch = scratch
        self._folding = asyncio.Lock()
        self._on_rebuild: Callable[[], None] = lambda: None
        #: Its rows are being replaced, so reads scan the tables.
        self._is_replaced = False
        #: It cannot follow the log, and the error was logged.
        self._is_stuck = False
        #: The seq of the last folded event, as far as known.
        self.position = 0

    def on_rebuild(self, call: Callable[[], None]) -> None:
        """Register a callback for when the projection's rows are replaced."""
        self._on_rebuild = call

    async def run(self) -> None:
        """Follow the log while the projection is enabled."""
        self.position = await self._store.read(verbs.projection.projection_position)
        if self._wanted():
            await self._follow()
        async for _ in self._store.appended(after_seq=self.position):
            if self._wanted():
                await self._clock.sleep(_PAUSE_SECONDS)
                await self._follow()

    async def _follow(self) -> bool:
        """Catch up. Returns False if required events were removed; feeds then scan the tables."""
        try:
            await self.catch_up()
        except Conflict as error:
            if not self._is_stuck:
                _log.error("projection_stuck", error=error.message)
            self._is_stuck = True
        else:
            self._is_stuck = False
        return not self._is_stuck

    async def catch_up(self) -> None:
        """Fold all events of the log."""
        async with self._folding:
            if not self.position:
                self.position = await self._store.read(verbs.projection.projection_position)
            async for position in self._fold(self._store, after=self.position):
                self._metrics.count("projection_applied", position - self.position)
                self.position = position

    async def _fold(self, into: Store, *, after: int, until: int = _MAX_SEQ) -> AsyncIterator[int]:
        """Fold the log into a projection; yields its position after each batch.

        Events that were removed from the log are taken from the checkpoint. Raises Conflict if the
        checkpoint does not reach the log's beginning.
        """
        position = after
        while position < until:
            limit = min(BATCH, until - position)
            events = await self._store.read_events(after_seq=position, limit=limit)
            if not events:
                return
            before = position
            is_end = False
            if events[0].seq == position + 1:
                position = await into.write(verbs.projection.project, events)
                # Events that arrived during the fold wait for more, since each batch has a fixed
                # cost.
                is_end = len(events) < limit
            else:
                position = await self._begin(into)
            if position <= before:
                raise Conflict(
                    f"The projection is at event {before}, and the log goes on with "
                    f"{events[0].seq}: what lies between is gone, so it cannot follow."
                )
            yield position
            if is_end:
                return

    async def _begin(self, into: Store) -> int:
        """Set a projection to the beginning of the log; returns its position.

        Raises Conflict, without a change, if the checkpoint does not reach that far.
        """
        bounds = await self._store.read(verbs.event_log.log_bounds)
        if bounds.oldest_seq == 1:
            await self._clear(into)
            return 0
        async with self._checkpoint.opened(bounds.stream_id) as checkpoint:
            reached = await checkpoint.read(verbs.projection.projection_position)
            if reached < bounds.oldest_seq - 1:
                raise Conflict(
                    f"The event log begins with event {bounds.oldest_seq}, and the checkpoint of "
                    f"what came before reaches event {reached}: the projection cannot be made from "
                    "them and stays unchanged. Restore the checkpoint file from a backup; it is "
                    "next to the database."
                )
            await self._clear(into)
            await self._copy(checkpoint, into)
        return await into.read(verbs.projection.projection_position)

    async def _clear(self, projection: Store) -> None:
        if projection is self._store:
            self._on_rebuild()
        await projection.write(verbs.projection.clear_projection)

    @staticmethod
    async def _copy(source: Store, into: Store) -> None:
        page: ProjectionPage | None = None
        while page := await source.read(verbs.projection.read_projection, after=page, limit=PAGE):
            await into.write(verbs.projection.write_projection, page)

    async def is_caught_up(self) -> bool:
        """Whether the projection contains all events up to now; waits if only few are missing.

        It cannot catch up while the database accepts no writes, if missing events were removed from
        the log, or while its rows are replaced. The tables remain readable.
        """
        if self._is_replaced:
            return False
        newest = (await self._store.read(verbs.event_log.log_bounds)).newest_seq
        if not self.position:
            self.position = await self._store.read(verbs.projection.projection_position)
        if newest - self.position > PATIENCE_EVENTS:
            return False
        if newest > self.position:
            try:
                return await self._follow()
            except StoreUnavailable:
                return False
        return True

    # -- verification

    async def verify(self) -> Verdict:
        """Compare with a separate projection. Raises Conflict if none can be built."""
        async with self._aside() as aside:
            return await self._compared(aside)

    async def rebuild(self) -> Verdict:
        """Build a separate projection, and replace the rows if they differ.

        Raises Conflict, without a change, if none can be built.
        """
        async with self._aside() as aside:
            verdict = await self._compared(aside)
            if not verdict.ok:
                await self._replace(aside)
        self._on_rebuild()
        sizes = await self._store.read(verbs.event_log.sizes)
        self._metrics.count("projection_seed_count")
        self._metrics.count("projection_seed_jobs", sizes.jobs)
        self._metrics.count("projection_seed_runs", sizes.runs)
        _log.info(
            "projection_rebuilt",
            position=verdict.position,
            was_right=verdict.ok,
        )
        return verdict

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[Store]:
        """A projection in a separate database, with all current events."""
        with tempfile.TemporaryDirectory(prefix="ua-projection-") as folder:
            scratch = self._scratch(Path(folder) / "scratch.db")
            await scratch.open()
            try:
                begin = await self._begin(scratch)
                async for _ in self._fold(scratch, after=begin):
                    pass
                yield scratch
            finally:
                await scratch.close()

    async def _compared(self, aside: Store) -> Verdict:
        """The verdict at a common event, while new events may arrive."""
        for _ in range(_ATTEMPTS):
            await self.catch_up()
            held = await self._store.read(verbs.projection.projection_digest)
            position = await aside.read(verbs.projection.projection_position)
            async for _position in self._fold(aside, after=position, until=held.position):
                pass
            expected = await aside.read(verbs.projection.projection_digest)
            # It is ahead if the beginning of the log was removed during the build.
            if expected.position == held.position:
                break
        return Verdict(position=held.position, hash=held.hash, expected_hash=expected.hash)

    async def _replace(self, aside: Store) -> None:
        """Copy the rows of another projection. Reads scan the tables during the copy."""
        self._is_replaced = True
        try:
            async with self._folding:
                await self._clear(self._store)
                await self._copy(aside, self._store)
                self.position = await self._store.read(verbs.projection.projection_position)
        finally:
            self._is_replaced = False
