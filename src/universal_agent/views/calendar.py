"""The calendar feed: what was, what is, what comes, and what waits for a decision."""

import asyncio
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from universal_agent.domain.calendar import LEGEND, Window, build_feed
from universal_agent.domain.calendar_days import View, days_of, view_bounds
from universal_agent.domain.phrases import parse_instant
from universal_agent.errors import InvalidInput
from universal_agent.store.base import Store

LONGEST = timedelta(days=62)
BACK = timedelta(days=30)
AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedQuery:
    """What a client asked for, as it came."""

    source: str = "all"
    view: View | None = None
    start: str | None = None
    end: str | None = None
    owner: str | None = None
    timezone: str | None = None
    source_ref: str | None = None
    include_resolved: bool = False


class CalendarView:
    """Builds feeds."""

    def __init__(self, store: Store, *, default_zone: str) -> None:
        self._store = store
        self._default_zone = default_zone

    async def feed(self, query: FeedQuery, *, now: datetime) -> dict[str, Any]:
        """The feed document. Raises InvalidInput for a zone or window that makes no sense."""
        window = self.window(query, now=now)
        facts = await self._store.scan_calendar(window)
        feed = await asyncio.to_thread(build_feed, facts, window)
        cron = query.source in ("all", "cron")
        last_event_at = facts.last_event_at
        return {
            "timezone": window.zone.key,
            "view": query.view or "range",
            "start_utc": window.start.isoformat(),
            "end_utc": window.end.isoformat(),
            "start_local": window.start.astimezone(window.zone).isoformat(),
            "end_local": window.end.astimezone(window.zone).isoformat(),
            "events": feed.events if cron else [],
            "always_running": feed.always_running if cron else [],
            "stasis_queue": feed.stasis_queue if cron else [],
            "legend": LEGEND,
            "version": facts.version,
            "last_event_at_utc": None if last_event_at is None else last_event_at.isoformat(),
            "days": days_of(window.start, window.end, window.zone),
        }

    async def stasis_queue(self, *, now: datetime) -> list[dict[str, Any]]:
        """Every group that waits, whatever the window."""
        moment = self.window(FeedQuery(view=View.DAY), now=now)
        facts = await self._store.scan_calendar(replace(moment, end=moment.start))
        return build_feed(facts, moment).stasis_queue

    def window(self, query: FeedQuery, *, now: datetime) -> Window:
        """The window that a query means."""
        zone = self._zone(query.timezone)
        start = self._instant(query.start, "start", zone, now)
        end = self._instant(query.end, "end", zone, now)
        if end is None and query.view is not None:
            start, end = view_bounds(query.view, start or now, zone)
        else:
            start = start or (end - BACK if end else now - BACK)
            end = end or (start + BACK + AHEAD if query.start else now + AHEAD)
            # Whole minutes, so that a feed asked for twice in a row is the same feed.
            start, end = _minute(start), _minute(end)
        if not start < end:
            raise InvalidInput(
                f"expected start before end, got {start.isoformat()} and {end.isoformat()}",
                field="start",
            )
        if end - start > LONGEST + timedelta(hours=3):
            raise InvalidInput(
                f"expected a window of at most {LONGEST.days} days, got {(end - start).days}",
                field="end",
            )
        if query.source_ref is not None and end - start > timedelta(hours=25):
            raise InvalidInput(
                "expected a window of at most one day with source_ref", field="source_ref"
            )
        return Window(
            start=start,
            end=end,
            zone=zone,
            source_ref=query.source_ref,
            owner_id=query.owner,
            include_resolved=query.include_resolved,
        )

    def _zone(self, name: str | None) -> ZoneInfo:
        try:
            return ZoneInfo(name or self._default_zone)
        except (ValueError, OSError, KeyError):
            raise InvalidInput(
                f"expected an IANA zone such as Europe/Berlin, got {name!r}",
                field="timezone_name",
            ) from None

    def _instant(
        self, text: str | None, field: str, zone: ZoneInfo, now: datetime
    ) -> datetime | None:
        if text is None:
            return None
        return parse_instant(text, now=now, timezone=zone.key, field=field)


def etag(document: dict[str, Any], query: FeedQuery, stream_id: str) -> str:
    """A strong tag: the same for the same version of the same window of the same database."""
    parts = (stream_id, document["version"], document["start_utc"], document["end_utc"], query)
    return f'"{hashlib.blake2b(repr(parts).encode(), digest_size=12).hexdigest()}"'


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
