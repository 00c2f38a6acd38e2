"""Incremental updates of cached feeds.

Each entry of a feed belongs to one job, and an event changes entries of its own job only. So an
update queries and builds the entries of the changed jobs, and replaces those in the cached feed.
"""

from dataclasses import dataclass

from universal_agent.domain.calendar import Feed, build_feed
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.projection import touched_by
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import Pool
from universal_agent.views.feed_cache import BUILT, FeedCache

#: With more events, or more changed jobs, the whole feed is rebuilt.
_MOST_EVENTS = 500
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class _Changes:
    """The jobs that changed in the events up to the seq `until`."""

    job_ids: frozenset[str]
    until: int


class KeptFeeds:
    """Cached feeds of the projection, which the caller has brought up to date with the log."""

    def __init__(self, store: Store, thread: Pool, cache: FeedCache) -> None:
        self._store = store
        self._thread = thread
        self._cache = cache

    async def feed(self, window: Window) -> Feed:
        """The feed of the window."""
        edition = self._cache.edition
        kept = self._cache.get(BUILT, window)
        changes = None if kept is None else await self._changes_after(kept.version)
        feed = None
        if kept is not None and changes is not None:
            feed = await self._updated(kept, changes, window)
        if feed is None:
            facts = await self._store.read(verbs.calendar.projected_calendar, window)
            feed = await self._thread.run(build_feed, facts, window)
        if window.source_ref is None:
            self._cache.put(BUILT, window, feed, edition=edition)
        return feed

    async def _updated(self, kept: Feed, changes: _Changes, window: Window) -> Feed | None:
        """The updated feed; None if it must be rebuilt.

        That is the case if the projection is older than the feed or newer than the changes, or if
        not all groups of missed slots are listed, so that others would replace removed groups.
        """
        if len(kept.stasis) >= MAX_GROUPS:
            return None
        facts = await self._store.read(
            verbs.calendar.projected_calendar, window, only=changes.job_ids
        )
        if not kept.version <= facts.version <= changes.until:
            return None
        feed = await self._thread.run(
            lambda: kept.with_jobs(changes.job_ids, build_feed(facts, window))
        )
        return None if len(feed.stasis) > MAX_GROUPS else feed

    async def _changes_after(self, version: int) -> _Changes | None:
        """The changes after a version; None if they are too many, or removed from the log."""
        events = await self._store.read_events(after_seq=version, limit=_MOST_EVENTS + 1)
        if len(events) > _MOST_EVENTS or (events and events[0].seq != version + 1):
            return None
        touched = touched_by(events)
        job_ids = touched.job_ids.union(job_id for job_id, _ in touched.slots)
        if len(job_ids) > _MOST_JOBS:
            return None
        return _Changes(frozenset(job_ids), events[-1].seq if events else version)
