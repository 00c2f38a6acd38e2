"""The sources of calendar entries.

`CalendarProvider` is the interface; an external calendar would be another provider. The internal
provider reads the store, with the runtime scan (V1) or from the event projection (V2), depending on
the current flags.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.calendar import Feed, build_feed
from universal_agent.domain.calendar_facts import CalendarFacts, Window
from universal_agent.domain.calendar_size import MAX_BYTES, Size, too_large
from universal_agent.metrics import Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import Pool
from universal_agent.views.calendar_text import FeedText, RowWriter
from universal_agent.views.feed_cache import BUILT, FeedCache
from universal_agent.views.kept_feeds import KeptFeeds
from universal_agent.views.projection import Projector

_log = structlog.get_logger(__name__)

#: The most differences in one log line.
_LOGGED_DIFFERENCES = 5

#: How often a snapshot is tried in which the projection has every event.
_SNAPSHOT_TRIES = 20


class CalendarProvider(Protocol):
    """A source of calendar entries."""

    async def version(self) -> int:
        """A number that changes whenever the result of `feed` may change."""
        ...

    async def feed(self, window: Window) -> FeedText:
        """The entries of the window, as JSON. Raises WindowTooLarge."""
        ...


async def both_calendars(store: Store, window: Window) -> tuple[CalendarFacts, CalendarFacts]:
    """The scan's facts and the projection's, the latter brought up to the same event."""
    # The writer folds what is missing and does not wait for the reading, unless events come
    # too quickly for a snapshot in between.
    for _ in range(_SNAPSHOT_TRIES):
        await store.write(verbs.projection.project_all)
        found = await store.read(verbs.calendar.both_calendars_if_level, window)
        if found is not None:
            return found
    return await store.write(verbs.calendar.both_calendars_made_level, window)


class InternalCalendar:
    """The provider of this gateway's own jobs."""

    def __init__(
        self,
        store: Store,
        projector: Projector,
        clock: Clock,
        metrics: Metrics,
        thread: Pool,
        cache: FeedCache,
        *,
        projected: Callable[[], bool],
        shadowed: Callable[[], bool],
    ) -> None:
        self._store = store
        self._projector = projector
        self._clock = clock
        self._metrics = metrics
        self._projected = projected
        self._shadowed = shadowed
        self._thread = thread
        self._cache = cache
        self._kept = KeptFeeds(store, thread, cache)
        self._writer = RowWriter()
        #: One feed is built at a time, to limit memory.
        self._building = asyncio.Lock()

    async def version(self) -> int:
        return (await self._store.read(verbs.event_log.log_bounds)).newest_seq

    async def feed(self, window: Window) -> FeedText:
        if window.start == window.end:
            return await self._moment(window)
        async with self._building:
            began = self._clock.monotonic()
            if self._shadowed() and await self._projector.is_caught_up():
                text = await self._compared(window)
            else:
                text = await self._written(await self._built(window), window)
            if text.json_bytes > MAX_BYTES:
                self._cache.drop(BUILT, window)
                raise too_large(window, Size(len(text.rows), text.json_bytes), None)
            self._metrics.builds.add(1000 * (self._clock.monotonic() - began))
            self._metrics.feed_sizes["events"] = len(text.rows)
            self._metrics.feed_sizes["always_running"] = len(text.always_running)
            self._metrics.feed_sizes["stasis"] = len(text.stasis_queue)
            return text

    async def _moment(self, window: Window) -> FeedText:
        """A feed of pending missed slots only. It does not wait for other feeds."""
        if self._projected() and await self._projector.is_caught_up():
            facts = await self._store.read(verbs.calendar.projected_calendar, window)
        else:
            facts = await self._store.read(verbs.calendar.scan_calendar, window)
        return await asyncio.to_thread(
            lambda: RowWriter().write(build_feed(facts, window), window.zone)
        )

    async def _built(self, window: Window) -> Feed:
        if self._projected() and await self._projector.is_caught_up():
            self._metrics.count("projection_read_hits")
            return await self._kept.feed(window)
        facts = await self._store.read(verbs.calendar.scan_calendar, window)
        return await self._thread.run(build_feed, facts, window)

    async def _written(self, feed: Feed, window: Window) -> FeedText:
        return await self._thread.run(self._writer.write, feed, window.zone)

    async def _compared(self, window: Window) -> FeedText:
        """Build both feeds from one snapshot, log differences, and return the enabled one."""
        scanned, projected = await both_calendars(self._store, window)
        scan, projection = [
            await self._written(await self._thread.run(build_feed, facts, window), window)
            for facts in (scanned, projected)
        ]
        self._metrics.count("projection_shadow_compares")
        differences = scan.differences(projection)
        if differences:
            self._metrics.count("projection_shadow_mismatches")
            _log.error(
                "projection_mismatch",
                version=projection.version,
                start=window.start.isoformat(),
                end=window.end.isoformat(),
                count=len(differences),
                differences=differences[:_LOGGED_DIFFERENCES],
            )
        return projection if self._projected() else scan
