"""How does the calendar's projection follow the event log?

The projector folds what was appended, in batches, each in one transaction with its position. A
start goes on from there and never replays the log. Whoever reads the projection first has it
brought up to the head; one that is far behind, as after an upgrade, is not waited for.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from universal_agent.clock import Clock
from universal_agent.errors import Conflict, StoreUnavailable
from universal_agent.metrics import Metrics
from universal_agent.store.base import ProjectionPage, Store
from universal_agent.store.checkpoint import Checkpoint

_log = structlog.get_logger(__name__)

#: Events folded in one transaction. Others wait for the writer meanwhile.
BATCH = 200

#: Rows copied in one transaction.
PAGE = 1000

#: Beyond every seq.
_FOR_EVER = 2**63

#: A projection further behind than this is not waited for.
PATIENCE_EVENTS = 5000

#: From an event until it is folded unasked: many share one commit, and slots that come due together
#: are admitted, and their runs ended, before the first of them is folded.
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What folding the log anew came to."""

    position: int
    hash: str
    expected_hash: str

    @property
    def ok(self) -> bool:
        """Whether the projection is what the log makes of it."""
        return self.hash == self.expected_hash


class Projector:
    """Keeps the projection."""

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
        self._made_anew: Callable[[], None] = lambda: None
        #: The seq of the last event that is known to be in it.
        self.position = 0

    def when_made_anew(self, call: Callable[[], None]) -> None:
        """Call this when the projection was thrown away and is made anew."""
        self._made_anew = call

    async def run(self) -> None:
        """Follow the log for ever, while the projection is wanted."""
        self.position = await self._store.projection_position()
        if self._wanted():
            await self.catch_up()
        async for _ in self._store.appended(after_seq=self.position):
            if self._wanted():
                await self._clock.sleep(_PAUSE_SECONDS)
                await self.catch_up()

    async def catch_up(self) -> None:
        """Fold everything that is in the log."""
        async with self._folding:
            if not self.position:
                self.position = await self._store.projection_position()
            async for position in self._fold(self._store, after=self.position):
                self._metrics.count("projection_applied", position - self.position)
                self.position = position

    async def _fold(self, into: Store, *, after: int, until: int = _FOR_EVER) -> AsyncIterator[int]:
        """Fold the log into a projection; where it is after each batch.

        What is gone from the log is taken from the checkpoint. Raises Conflict when that does not
        reach the log's beginning.
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
                position = await into.project(events)
                # What has come meanwhile can wait for more of it: a batch costs by itself.
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
        """Put a projection to where the log begins; its position."""
        if into is self._store:
            self._made_anew()
        await into.clear_projection()
        bounds = await self._store.log_bounds()
        if bounds.oldest_seq == 1:
            return 0
        async with self._checkpoint.opened(bounds.stream_id) as checkpoint:
            page: ProjectionPage | None = None
            while page := await checkpoint.read_projection(after=page, limit=PAGE):
                await into.write_projection(page)
        return await into.projection_position()

    async def is_caught_up(self) -> bool:
        """Whether the projection has every event up to now; waits while few are missing.

        It cannot catch up while the database takes no writes. What is asked for can be read all
        the same, from the tables.
        """
        newest = (await self._store.log_bounds()).newest_seq
        if not self.position:
            self.position = await self._store.projection_position()
        if newest - self.position > PATIENCE_EVENTS:
            return False
        if newest > self.position:
            try:
                await self.catch_up()
            except StoreUnavailable:
                return False
        return True

    # -- whether it is right

    async def verify(self) -> Verdict:
        """Fold the log anew beside the projection, and compare."""
        await self.catch_up()
        held = await self._store.projection_digest()
        with tempfile.TemporaryDirectory(prefix="ua-projection-") as folder:
            scratch = self._scratch(Path(folder) / "scratch.db")
            await scratch.open()
            try:
                begin = await self._begin(scratch)
                async for _ in self._fold(scratch, after=begin, until=held.position):
                    pass
                expected = await scratch.projection_digest()
            finally:
                await scratch.close()
        return Verdict(position=held.position, hash=held.hash, expected_hash=expected.hash)

    async def rebuild(self) -> Verdict:
        """Throw the projection away and fold the log anew; feeds are scanned meanwhile."""
        before = await self._store.projection_digest()
        async with self._folding:
            self.position = 0
            self.position = await self._begin(self._store)
        await self.catch_up()
        after = await self._store.projection_digest()
        sizes = await self._store.sizes()
        self._metrics.count("projection_seed_count")
        self._metrics.count("projection_seed_jobs", sizes.jobs)
        self._metrics.count("projection_seed_runs", sizes.runs)
        _log.info("projection_rebuilt", action="projection_rebuilt", position=after.position)
        return Verdict(position=after.position, hash=before.hash, expected_hash=after.hash)
