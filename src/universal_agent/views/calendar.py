"""The calendar feed: what was, what is, what comes, and what waits for a decision."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar import Window
from universal_agent.domain.calendar_days import View, days_of, view_bounds
from universal_agent.domain.calendar_row import LEGEND
from universal_agent.domain.phrases import parse_instant
from universal_agent.errors import InvalidInput
from universal_agent.views.calendar_provider import CalendarProvider
from universal_agent.views.calendar_text import FeedText, joined

LONGEST = timedelta(days=62)
BACK = timedelta(days=30)
AHEAD = timedelta(days=14)

#: Feeds kept to tell changes from, and how much of encoded answers.
_HELD_FEEDS = 16
_KEPT_BYTES = 32_000_000


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAnswer:
    """A feed as it goes over the wire; without a body when the client has it already."""

    etag: str
    body: bytes | None


#: What a feed is made for: the query and the window it came to.
_Key = tuple[FeedQuery, Window]


class CalendarView:
    """Answers for feeds: whole, what changed since a version, or that nothing did."""

    def __init__(
        self, provider: CalendarProvider, *, stream_id: Callable[[], str], default_zone: str
    ) -> None:
        self._provider = provider
        self._stream_id = stream_id
        self._default_zone = default_zone
        #: Answers to give again for as long as nothing has changed.
        self._bodies: OrderedDict[_Key, tuple[int, bytes]] = OrderedDict()
        #: Feeds that clients may hold, to tell them what has changed since.
        self._held: OrderedDict[tuple[_Key, int], FeedText] = OrderedDict()
        #: How often all of that was forgotten: a tag from before is no tag of a feed from after.
        self._edition = 0

    def forget(self) -> None:
        """Answer anew: the projection was made anew, and its version is the same."""
        self._edition += 1
        self._bodies.clear()
        self._held.clear()
        self._provider.forget()

    async def answer(
        self,
        query: FeedQuery,
        *,
        now: datetime,
        if_none_match: str | None = None,
        since_version: int | None = None,
    ) -> FeedAnswer:
        """The feed's document, or what changed in it since the version that the client holds.

        Raises InvalidInput for a zone or window that makes no sense.
        """
        key = (query, self.window(query, now=now))
        version = await self._provider.version()
        tag = self._etag(key, version)
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        held = None if since_version is None else self._held.get((key, since_version))
        if held is None:
            body = self._kept_body(key, version)
            if body is not None:
                return FeedAnswer(etag=tag, body=body)
        feed = held if held is not None and since_version == version else None
        feed = feed or await self._feed(key)
        tag = self._etag(key, feed.version)
        if held is not None:
            return FeedAnswer(etag=tag, body=await asyncio.to_thread(_delta, key, held, feed))
        body = await asyncio.to_thread(_document, key, feed)
        self._keep_body(key, feed.version, body)
        return FeedAnswer(etag=tag, body=body)

    async def feed(self, query: FeedQuery, *, now: datetime) -> tuple[Window, FeedText]:
        """What a query comes to, for those who write it in another form."""
        key = (query, self.window(query, now=now))
        return key[1], await self._feed(key)

    async def etag(
        self, query: FeedQuery, *, now: datetime, form: str, version: int | None = None
    ) -> str:
        """The tag of the feed in another form, as it is now or at a version."""
        key = (query, self.window(query, now=now))
        if version is None:
            version = await self._provider.version()
        return self._etag(key, version, form)

    async def _feed(self, key: _Key) -> FeedText:
        query, window = key
        feed = await self._provider.feed(window)
        if query.source != "all":
            feed = feed.of_source(query.source)
        self._held[key, feed.version] = feed
        if len(self._held) > _HELD_FEEDS:
            self._held.popitem(last=False)
        return feed

    def _kept_body(self, key: _Key, version: int) -> bytes | None:
        kept = self._bodies.get(key)
        if kept is None or kept[0] != version:
            return None
        self._bodies.move_to_end(key)
        return kept[1]

    def _keep_body(self, key: _Key, version: int, body: bytes) -> None:
        self._bodies[key] = version, body
        self._bodies.move_to_end(key)
        while sum(len(body) for _, body in self._bodies.values()) > _KEPT_BYTES:
            self._bodies.popitem(last=False)

    def _etag(self, key: _Key, version: int, form: str = "json") -> str:
        """Strong: the same for the same version of the same window of the same database."""
        parts = repr((self._stream_id(), self._edition, version, form, *key))
        return f'"{hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()}"'

    async def stasis_queue(self, *, now: datetime) -> list[orjson.Fragment]:
        """Every group that waits, whatever the window."""
        moment = self.window(FeedQuery(view=View.DAY), now=now)
        feed = await self._provider.feed(replace(moment, end=moment.start))
        return [orjson.Fragment(item.json) for item in feed.stasis_queue]

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


def _head(key: _Key, feed: FeedText) -> dict[str, Any]:
    query, window = key
    last_event_at = feed.last_event_at
    return {
        "timezone": window.zone.key,
        "view": query.view or "range",
        "start_utc": window.start.isoformat(),
        "end_utc": window.end.isoformat(),
        "start_local": window.start.astimezone(window.zone).isoformat(),
        "end_local": window.end.astimezone(window.zone).isoformat(),
        "version": feed.version,
        "last_event_at_utc": None if last_event_at is None else last_event_at.isoformat(),
    }


def _document(key: _Key, feed: FeedText) -> bytes:
    """The whole feed (docs/contract.md, Calendar)."""
    window = key[1]
    return orjson.dumps(
        {
            **_head(key, feed),
            "events": joined(feed.rows),
            "always_running": joined(feed.always_running),
            "stasis_queue": joined(feed.stasis_queue),
            "legend": LEGEND,
            "days": days_of(window.start, window.end, window.zone),
        }
    )


def _delta(key: _Key, held: FeedText, feed: FeedText) -> bytes:
    """What turns the feed that the client holds into the present one.

    The lists that are short are there as a whole, and only when something in them has changed.
    """
    before, now = dict(held.rows), dict(feed.rows)
    document: dict[str, Any] = {
        **_head(key, feed),
        "delta": True,
        "since_version": held.version,
        "upserts": joined(row for row in feed.rows if before.get(row.name) != row.json),
        "removed": [name for name in before if name not in now],
    }
    if feed.always_running != held.always_running:
        document["always_running"] = joined(feed.always_running)
    if feed.stasis_queue != held.stasis_queue:
        document["stasis_queue"] = joined(feed.stasis_queue)
    return orjson.dumps(document)


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
