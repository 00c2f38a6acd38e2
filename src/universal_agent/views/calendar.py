"""The calendar feed: past, current and future slots, and missed slots that await a decision."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from universal_agent.domain.calendar_days import View, days_of, view_bounds
from universal_agent.domain.calendar_facts import Detail, Window
from universal_agent.domain.calendar_row import LEGEND
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.slot import Source
from universal_agent.errors import InvalidInput
from universal_agent.threads import Pool
from universal_agent.views.calendar_provider import CalendarProvider
from universal_agent.views.calendar_text import FeedText, Text, written_with
from universal_agent.views.feed_cache import ANSWER, HELD, FeedCache

LONGEST = timedelta(days=62)
BACK = timedelta(days=30)
AHEAD = timedelta(days=14)

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedQuery:
    """The parameters of a request, as received."""

    source: str = "all"
    view: View | None = None
    start: str | None = None
    end: str | None = None
    owner: str | None = None
    timezone: str | None = None
    source_ref: str | None = None
    include_resolved: bool = False
    detail: Detail = Detail.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAnswer:
    """A feed in its wire form; without a body if the client has the current version."""

    etag: str
    body: bytes | None


#: Identifies a feed: the query and the window that it resolves to.
_Key = tuple[FeedQuery, Window]


class CalendarView:
    """Answers requests for feeds: in full, as a delta, or as not modified."""

    def __init__(
        self,
        provider: CalendarProvider,
        thread: Pool,
        cache: FeedCache,
        *,
        stream_id: Callable[[], str],
        default_zone: str,
    ) -> None:
        self._provider = provider
        self._thread = thread
        self._stream_id = stream_id
        self._default_zone = default_zone
        self._cache = cache
        #: Answers in progress, by the requested etag.
        self._in_progress: dict[str, asyncio.Task[FeedAnswer]] = {}

    async def answer(
        self,
        query: FeedQuery,
        *,
        now: datetime,
        if_none_match: str | None = None,
        since_version: int | None = None,
    ) -> FeedAnswer:
        """The feed, or the changes since the version that the client holds.

        Raises InvalidInput for an invalid zone or window, and WindowTooLarge.
        """
        key = (query, self.window(query, now=now))
        version = await self._provider.version()
        tag = self._etag(key, version)
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        held = None if since_version is None else self._cache.get(HELD, (key, since_version))
        if held is not None:
            feed = held if since_version == version else await self._feed(key)
            tag = self._etag(key, feed.version)
            return FeedAnswer(etag=tag, body=await self._thread.run(_delta, key, held, feed))
        return await self.written(key, tag, "json", _document)

    async def written(
        self, key: _Key, tag: str, form: str, write: Callable[[_Key, FeedText], bytes]
    ) -> FeedAnswer:
        """The feed in a format, at the version of the etag or later.

        Concurrent requests for the same feed share one answer.
        """
        body = self._cache.get(ANSWER, tag)
        if body is not None:
            return FeedAnswer(etag=tag, body=body)
        making = self._in_progress.get(tag)
        if making is None:
            making = asyncio.ensure_future(self._written(key, form, write))
            self._in_progress[tag] = making
            making.add_done_callback(partial(self._finished, tag))
        return await asyncio.shield(making)

    async def _written(
        self, key: _Key, form: str, write: Callable[[_Key, FeedText], bytes]
    ) -> FeedAnswer:
        edition = self._cache.edition
        feed = await self._feed(key)
        body = await self._thread.run(write, key, feed)
        tag = self._etag(key, feed.version, form, edition=edition)
        self._cache.put(ANSWER, tag, body, edition=edition)
        return FeedAnswer(etag=tag, body=body)

    def _finished(self, tag: str, making: asyncio.Task[FeedAnswer]) -> None:
        del self._in_progress[tag]
        if not making.cancelled():
            making.exception()  # mark it as retrieved: the caller may be gone

    async def tag(self, query: FeedQuery, *, now: datetime, form: str) -> tuple[_Key, str]:
        """The key of a query at this time, and the etag of its answer in a format."""
        key = (query, self.window(query, now=now))
        return key, self._etag(key, await self._provider.version(), form)

    async def _feed(self, key: _Key) -> FeedText:
        edition = self._cache.edition
        feed = await self._provider.feed(key[1])
        self._cache.put(HELD, (key, feed.version), feed, edition=edition)
        return feed

    def _etag(
        self, key: _Key, version: int, form: str = "json", *, edition: int | None = None
    ) -> str:
        """A strong etag: it identifies a version of a window of a database."""
        edition = self._cache.edition if edition is None else edition
        parts = repr((self._stream_id(), edition, version, form, *key))
        return f'"{hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()}"'

    async def stasis_items(self, *, now: datetime) -> Sequence[Text]:
        """The groups of missed slots that await a decision, regardless of the window."""
        moment = self.window(FeedQuery(view=View.DAY), now=now)
        feed = await self._provider.feed(replace(moment, end=moment.start))
        return feed.stasis_queue

    def window(self, query: FeedQuery, *, now: datetime) -> Window:
        """The window that a query resolves to. Raises InvalidInput."""
        zone = self._zone(query.timezone)
        start = self._instant(query.start, "start", zone, now)
        end = self._instant(query.end, "end", zone, now)
        if end is None and query.view is not None:
            start, end = view_bounds(query.view, start or now, zone)
        else:
            # Bounds relative to now are rounded to the hour, so that polling clients share a feed
            # instead of requesting a new one each minute.
            start = start or (end - BACK if end else _floor(now, _HOUR) - BACK)
            end = end or (
                start + BACK + AHEAD if query.start else _floor(now, _HOUR) + _HOUR + AHEAD
            )
            start, end = _floor(start, _MINUTE), _floor(end, _MINUTE)
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
            source=None if query.source == "all" else Source(query.source),
            include_resolved=query.include_resolved,
            detail=query.detail,
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
        "detail": window.detail,
        "start_utc": window.start.isoformat(),
        "end_utc": window.end.isoformat(),
        "start_local": window.start.astimezone(window.zone).isoformat(),
        "end_local": window.end.astimezone(window.zone).isoformat(),
        "version": feed.version,
        "last_event_at_utc": None if last_event_at is None else last_event_at.isoformat(),
    }


def _document(key: _Key, feed: FeedText) -> bytes:
    """The full feed (docs/contract.md, Calendar)."""
    window = key[1]
    return written_with(
        {
            **_head(key, feed),
            "legend": LEGEND,
            "days": days_of(window.start, window.end, window.zone),
        },
        {
            "events": feed.rows,
            "always_running": feed.always_running,
            "stasis_queue": feed.stasis_queue,
        },
    )


def _delta(key: _Key, held: FeedText, feed: FeedText) -> bytes:
    """The difference between the feed that the client holds and the current one.

    The short lists are included in full, and only if they changed.
    """
    before, now = dict(held.rows), dict(feed.rows)
    lists: dict[str, Sequence[Text]] = {
        "upserts": [row for row in feed.rows if before.get(row.name) != row.json]
    }
    if feed.always_running != held.always_running:
        lists["always_running"] = feed.always_running
    if feed.stasis_queue != held.stasis_queue:
        lists["stasis_queue"] = feed.stasis_queue
    return written_with(
        {
            **_head(key, feed),
            "delta": True,
            "since_version": held.version,
            "removed": [name for name in before if name not in now],
        },
        lists,
    )


def _floor(instant: datetime, unit: timedelta) -> datetime:
    return instant - (instant - datetime.min.replace(tzinfo=UTC)) % unit
