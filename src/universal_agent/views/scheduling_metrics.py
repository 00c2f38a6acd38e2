"""The scheduling-runtime document: counters since the start, lateness, and fill levels."""

from datetime import datetime
from typing import Any

from universal_agent.domain.continuity import Thresholds, continuity_document
from universal_agent.metrics import COUNTERS, Metrics
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.event_feed import EventFeed
from universal_agent.views.projection import Projector


class SchedulingMetrics:
    """Assembles the document from the counters, the event feed and the store."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        feed: EventFeed,
        projector: Projector,
        *,
        started_at: datetime,
    ) -> None:
        self._projector = projector
        self._store = store
        self._metrics = metrics
        self._feed = feed
        self._started_at = started_at

    def continuity(self, thresholds: Thresholds) -> dict[str, Any]:
        """The session-continuity document (docs/contract.md, Health and metrics)."""
        return {
            "started_at": self._started_at.isoformat(),
            **continuity_document(self._metrics.counters, thresholds),
        }

    async def document(self, *, now: datetime, projection_enabled: bool) -> dict[str, Any]:
        """The wire form (docs/contract.md, Health and metrics)."""
        metrics = self._metrics
        bounds = await self._store.read(verbs.event_log.log_bounds)
        sizes = await self._store.read(verbs.event_log.sizes)
        newest = bounds.newest_seq
        position = self._projector.position
        return {
            "started_at": self._started_at.isoformat(),
            "uptime_seconds": (now - self._started_at).total_seconds(),
            "counters": {name: metrics.counters[name] for name in COUNTERS},
            "event_counts": {
                source: dict(sorted(counts.items()))
                for source, counts in self._feed.event_counts.items()
            },
            "projection": {
                "builds": metrics.builds.count,
                **metrics.builds.figures("duration_ms"),
                "events_total": metrics.feed_sizes["events"],
                "always_running_total": metrics.feed_sizes["always_running"],
                "stasis_total": metrics.feed_sizes["stasis"],
                "due_lag_samples": metrics.lags.count,
                **metrics.lags.figures("due_lag_seconds"),
                **metrics.lags.quantiles("due_lag_seconds"),
            },
            "event_bus": {
                "seq": newest,
                "max_events": self._feed.size,
                "buffered_events": self._feed.buffered_events,
                "subscriber_count": self._feed.subscriber_count,
                "oldest_seq": bounds.oldest_seq,
                "stream_id": bounds.stream_id,
            },
            "projection_state": {
                "enabled": projection_enabled,
                "seeded": position > 0 or newest == 0,
                "version": position,
                "last_event_seq": position,
                "last_updated_at": None
                if sizes.last_event_at is None
                else sizes.last_event_at.isoformat(),
                "cron_jobs": sizes.jobs,
                "cron_runs": sizes.runs,
                "heartbeat_sessions": sizes.sessions_with_beats,
                "lag_events": max(0, newest - position),
            },
        }
