"""How is a feed brought up to date without building it anew?

Everything in a feed is of one job, and an event changes nothing about other jobs than its own. So
what has changed since a feed was built is read and built for those jobs alone, and takes the place
of what was there about them.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from universal_agent.domain.calendar import Feed, Window, build_feed
from universal_agent.domain.projection import touched_by
from universal_agent.store.base import Store

#: Feeds kept: the windows of a few dashboards.
_KEPT = 4

#: Beyond so many events, or jobs that they are about, all is built anew.
_MOST_EVENTS = 500
_MOST_JOBS = 50


@dataclass(frozen=True, slots=True)
class _Changes:
    """The jobs that events up to the seq `until` are about."""

    job_ids: frozenset[str]
    until: int


class KeptFeeds:
    """Feeds from the projection, which whoever asks has brought up to the log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[Window, Feed] = OrderedDict()

    def forget(self) -> None:
        """Keep none: the projection was made anew."""
        self._kept = OrderedDict()  # a feed in the making goes where nobody finds it

    async def feed(self, window: Window) -> Feed:
        """What stands in the window."""
        feeds = self._kept
        kept = feeds.pop(window, None)
        changes = None if kept is None else await self._changes_after(kept.version)
        feed = None
        if kept is not None and changes is not None:
            feed = await self._brought_up(kept, changes, window)
        if feed is None:
            facts = await self._store.projected_calendar(window)
            feed = await asyncio.to_thread(build_feed, facts, window)
        if window.source_ref is None:
            feeds[window] = feed
            if len(feeds) > _KEPT:
                feeds.popitem(last=False)
        return feed

    async def _brought_up(self, kept: Feed, changes: _Changes, window: Window) -> Feed | None:
        """None when the projection is not between the feed and the last of the changes."""
        facts = await self._store.projected_calendar(window, only=changes.job_ids)
        if not kept.version <= facts.version <= changes.until:
            return None
        return await asyncio.to_thread(
            lambda: kept.with_jobs(changes.job_ids, build_feed(facts, window))
        )

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
