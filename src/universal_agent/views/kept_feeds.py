"""Feeds that are brought up to date instead of being built again.

Everything in a feed is of one job, and an event changes nothing about other jobs than its own. So
what has changed since a feed was built is read and built for those jobs alone, and takes the place
of what was there about them.
"""

from dataclasses import dataclass

from universal_agent.domain.bounded import BoundedCache
from universal_agent.domain.calendar import Feed, build_feed
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.calendar_size import MAX_GROUPS
from universal_agent.domain.projection import touched_by
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import Pool

#: Rows and hours of kept feeds: the windows of a few dashboards, about 6 MB.
_KEPT_ROWS = 20_000

#: With more events than this, or jobs that they are about, the whole feed is built again.
_MOST_EVENTS = 500
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class _Changes:
    """The jobs that events up to the seq `until` are about."""

    job_ids: frozenset[str]
    until: int


class KeptFeeds:
    """Feeds from the projection, which the caller has brought up to the log."""

    def __init__(self, store: Store, thread: Pool) -> None:
        self._store = store
        self._thread = thread
        self._kept: BoundedCache[Window, Feed] = BoundedCache(_KEPT_ROWS)

    def forget(self) -> None:
        """Drop all of them: the projection was rebuilt."""
        # A feed that is being built is put into the cache that nobody reads any more.
        self._kept = BoundedCache(_KEPT_ROWS)

    async def feed(self, window: Window) -> Feed:
        """What stands in the window."""
        feeds = self._kept
        kept = feeds.get(window)
        changes = None if kept is None else await self._changes_after(kept.version)
        feed = None
        if kept is not None and changes is not None:
            feed = await self._brought_up(kept, changes, window)
        if feed is None:
            facts = await self._store.read(verbs.calendar.projected_calendar, window)
            feed = await self._thread.run(build_feed, facts, window)
        if window.source_ref is None:
            feeds.put(window, feed, _weight(feed))
        return feed

    async def _brought_up(self, kept: Feed, changes: _Changes, window: Window) -> Feed | None:
        """None when the projection is not between the feed and the last of the changes, or when
        not all groups of missed slots are listed: others would take the place of those that go.
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
        """None when they are too many, or gone from the log."""
        events = await self._store.read_events(after_seq=version, limit=_MOST_EVENTS + 1)
        if len(events) > _MOST_EVENTS or (events and events[0].seq != version + 1):
            return None
        touched = touched_by(events)
        job_ids = touched.job_ids.union(job_id for job_id, _ in touched.slots)
        if len(job_ids) > _MOST_JOBS:
            return None
        return _Changes(frozenset(job_ids), events[-1].seq if events else version)


def _weight(feed: Feed) -> int:
    return len(feed.rows) + len(feed.stasis) + sum(len(row.hours) for row in feed.always_running)
