"""The calendar's projection and how it follows the event log.

The projector folds what was appended, in batches, each in one transaction with its position. A
start goes on from there and never replays the log. A reader first has the projection brought up to
the head; one that is far behind, as after an upgrade, is not waited for. A rebuild is made aside,
and takes the projection's place only where the two differ at the same event.
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

#: Events folded in one transaction. Others wait for the writer meanwhile.
BATCH = 200

#: Rows copied in one transaction.
PAGE = 1000

#: Beyond every seq.
_FOR_EVER = 2**63

#: A projection further behind than this is not waited for.
PATIENCE_EVENTS = 5000

#: How often two projections are brought to one event.
_ATTEMPTS = 5

#: From an event until it is folded unasked: many share one commit, and slots that come due together
#: are admitted, and their runs ended, before the first of them is folded.
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a projection made aside came to, and what the one in use is, at the same event."""

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
        self._on_rebuild: Callable[[], None] = lambda: None
        #: Its rows are being replaced: readers scan the tables.
        self._is_replaced = False
        #: It cannot follow the log, and that was logged.
        self._is_stuck = False
        #: The seq of the last event that is known to be in it.
        self.position = 0

    def on_rebuild(self, call: Callable[[], None]) -> None:
        """Call this when the projection's rows are replaced."""
        self._on_rebuild = call

    async def run(self) -> None:
        """Follow the log while the projection is wanted."""
        self.position = await self._store.read(verbs.projection.projection_position)
        if self._wanted():
            await self._follow()
        async for _ in self._store.appended(after_seq=self.position):
            if self._wanted():
                await self._clock.sleep(_PAUSE_SECONDS)
                await self._follow()

    async def _follow(self) -> bool:
        """Catch up. False where what lies between is gone: feeds are scanned then."""
        try:
            await self.catch_up()
        except Conflict as error:
            if not self._is_stuck:
                _log.error("projection_stuck", action="projection_stuck", error=error.message)
            self._is_stuck = True
        else:
            self._is_stuck = False
        return not self._is_stuck

    async def catch_up(self) -> None:
        """Fold everything that is in the log."""
        async with self._folding:
            if not self.position:
                self.position = await self._store.read(verbs.projection.projection_position)
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
                position = await into.write(verbs.projection.project, events)
                # Events that came while it was folded wait for more: each batch has its cost.
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
        """Put a projection to where the log begins; its position.

        Raises Conflict, and leaves it as it is, when the checkpoint does not reach that far.
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
                    "them and stays as it is. Restore the checkpoint file from a backup; it lies "
                    "beside the database."
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
        """Whether the projection has every event up to now; waits while few are missing.

        It cannot catch up while the database takes no writes, where events that it lacks are gone
        from the log, or while it is replaced. The tables can be read all the same.
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

    # -- whether it is right

    async def verify(self) -> Verdict:
        """Make a projection aside, and compare. Raises Conflict when none can be made."""
        async with self._aside() as aside:
            return await self._compared(aside)

    async def rebuild(self) -> Verdict:
        """Make a projection aside and put its rows in the place of others that differ.

        Raises Conflict, and changes nothing, when none can be made.
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
            action="projection_rebuilt",
            position=verdict.position,
            was_right=verdict.ok,
        )
        return verdict

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[Store]:
        """A projection in a database of its own, as far as the log reaches now."""
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
        """The verdict at one event, whatever comes in meanwhile."""
        for _ in range(_ATTEMPTS):
            await self.catch_up()
            held = await self._store.read(verbs.projection.projection_digest)
            position = await aside.read(verbs.projection.projection_position)
            async for _position in self._fold(aside, after=position, until=held.position):
                pass
            expected = await aside.read(verbs.projection.projection_digest)
            # It is ahead where the log's beginning went while it was made.
            if expected.position == held.position:
                break
        return Verdict(position=held.position, hash=held.hash, expected_hash=expected.hash)

    async def _replace(self, aside: Store) -> None:
        """Take the rows of another projection. Readers scan the tables while it lasts."""
        self._is_replaced = True
        try:
            async with self._folding:
                await self._clear(self._store)
                await self._copy(aside, self._store)
                self.position = await self._store.read(verbs.projection.projection_position)
        finally:
            self._is_replaced = False
