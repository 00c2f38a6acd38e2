"""The calendar feed: what was, what is, what comes, and what waits for a decision."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.bounded import BoundedCache
from universal_agent.domain.calendar_days import View, days_of, view_bounds
from universal_agent.domain.calendar_facts import Detail, Window
from universal_agent.domain.calendar_row import LEGEND
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.slot import Source
from universal_agent.errors import InvalidInput
from universal_agent.threads import Pool
from universal_agent.views.calendar_provider import CalendarProvider
from universal_agent.views.calendar_text import FeedText, Text, written_with

LONGEST = timedelta(days=62)
BACK = timedelta(days=30)
AHEAD = timedelta(days=14)

#: Bytes of the answers that are kept to be given again, and of the feeds that are kept to tell
#: changes from. The largest ones are made again each time: who polls them has a tag.
_ANSWER_BYTES = 8_000_000
_HELD_BYTES = 8_000_000

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


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
    detail: Detail = Detail.ALL


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
        self,
        provider: CalendarProvider,
        thread: Pool,
        *,
        stream_id: Callable[[], str],
        default_zone: str,
    ) -> None:
        self._provider = provider
        self._thread = thread
        self._stream_id = stream_id
        self._default_zone = default_zone
        #: Answers to give again while nothing has changed, by their tag.
        self._answers: BoundedCache[str, bytes] = BoundedCache(_ANSWER_BYTES)
        #: Feeds that clients may hold, to tell them what has changed since.
        self._held: BoundedCache[tuple[_Key, int], FeedText] = BoundedCache(_HELD_BYTES)
        #: Answers that are being made, by the tag that was asked for.
        self._making: dict[str, asyncio.Task[FeedAnswer]] = {}
        #: How often all of that was dropped: a tag from before is no tag of a feed from after.
        self._edition = 0

    def forget(self) -> None:
        """Answer from nothing that is kept: the projection was rebuilt, at the same version."""
        self._edition += 1
        self._answers.clear()
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

        Raises InvalidInput for a zone or window that makes no sense, and WindowTooLarge.
        """
        key = (query, self.window(query, now=now))
        version = await self._provider.version()
        tag = self._etag(key, version)
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        held = None if since_version is None else self._held.get((key, since_version))
        if held is not None:
            feed = held if since_version == version else await self._feed(key)
            tag = self._etag(key, feed.version)
            return FeedAnswer(etag=tag, body=await self._thread.run(_delta, key, held, feed))
        return await self.written(key, tag, "json", _document)

    async def written(
        self, key: _Key, tag: str, form: str, write: Callable[[_Key, FeedText], bytes]
    ) -> FeedAnswer:
        """The feed in a form, as it is at the version of the tag or at a later one.

        Callers that ask for the same at the same time share one answer.
        """
        body = self._answers.get(tag)
        if body is not None:
            return FeedAnswer(etag=tag, body=body)
        making = self._making.get(tag)
        if making is None:
            making = asyncio.ensure_future(self._written(key, form, write))
            self._making[tag] = making
            making.add_done_callback(partial(self._made, tag))
        return await asyncio.shield(making)

    async def _written(
        self, key: _Key, form: str, write: Callable[[_Key, FeedText], bytes]
    ) -> FeedAnswer:
        edition = self._edition
        feed = await self._feed(key)
        body = await self._thread.run(write, key, feed)
        tag = self._etag(key, feed.version, form)
        if edition == self._edition:
            self._answers.put(tag, body, len(body))
        return FeedAnswer(etag=tag, body=body)

    def _made(self, tag: str, making: asyncio.Task[FeedAnswer]) -> None:
        del self._making[tag]
        if not making.cancelled():
            making.exception()  # the caller may have left

    async def tag(self, query: FeedQuery, *, now: datetime, form: str) -> tuple[_Key, str]:
        """What a query means at this time, and the tag of its answer in a form."""
        key = (query, self.window(query, now=now))
        return key, self._etag(key, await self._provider.version(), form)

    async def _feed(self, key: _Key) -> FeedText:
        feed = await self._provider.feed(key[1])
        self._held.put((key, feed.version), feed, feed.held_bytes)
        return feed

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
            # What depends on the present is on the hour: clients that poll ask for one feed, and
            # not for another one each minute.
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
    """The whole feed (docs/contract.md, Calendar)."""
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
    """What turns the feed that the client holds into the present one.

    The lists that are short are there as a whole, and only when something in them has changed.
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
