"""The calendar as iCalendar (RFC 5545), read-only, with the same windows as the feed.

The UID of a slot never changes, so a subscribed program sees one entry change instead of two.
Heartbeats and frequent jobs have one entry per day with counts, unless all slots are requested.
Times are UTC, because programs disagree on local times in an hour that the clock repeats.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar_facts import Detail, Window
from universal_agent.errors import WindowTooLarge
from universal_agent.views.calendar import CalendarView, FeedAnswer, FeedQuery
from universal_agent.views.calendar_text import FeedText

if TYPE_CHECKING:
    # Imported at first use: it would take a twentieth of the start-up time.
    import icalendar

#: The refresh interval that is suggested to calendar programs.
_REFRESH = timedelta(minutes=15)

#: The shortest time that is summarised.
_LEAST = timedelta(days=2)

#: The shortest entry: some programs do not show an entry of no length.
_SHORTEST = timedelta(minutes=1)

#: The most entries: calendar programs cannot handle more.
MOST_ENTRIES = 10_000

_STATUS = {"missed": "TENTATIVE", "disabled": "CANCELLED"}

#: Outcomes that are part of the title, which is all that many programs show.
_TITLED_OUTCOMES = {"failed", "missed", "disabled"}


class IcsView:
    """Serves the feed as iCalendar."""

    def __init__(self, calendar: CalendarView) -> None:
        self._calendar = calendar

    async def answer(
        self, query: FeedQuery, *, now: datetime, if_none_match: str | None = None
    ) -> FeedAnswer:
        """The calendar as iCalendar, without a body if the client has the current version.

        A summary that is too large is summarised further. Raises InvalidInput for an invalid zone
        or window, and WindowTooLarge.
        """
        key, tag = await self._calendar.tag(query, now=now, form="ics")
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        if query.detail is not Detail.SUMMARY:
            return await self._written(key, tag)
        smaller = self._smaller(*key)
        while True:
            try:
                found = await self._written(key, tag)
                # The client's tag is that of what it asked for.
                return FeedAnswer(etag=tag, body=found.body)
            except WindowTooLarge:
                following = next(smaller, None)
                if following is None:
                    raise
                key = following

    async def _written(self, key: tuple[FeedQuery, Window], tag: str) -> FeedAnswer:
        return await self._calendar.written(key, tag, "ics", lambda key, feed: to_ics(feed, key[1]))

    def _smaller(self, query: FeedQuery, window: Window) -> Iterator[tuple[FeedQuery, Window]]:
        """Smaller summaries: with less detail, then of a shorter time where none was asked for."""
        for detail in (Detail.DAILY, Detail.COUNTS):
            query, window = replace(query, detail=detail), replace(window, detail=detail)
            yield query, window
        while query.start is None and query.end is None and window.end - window.start > _LEAST:
            # Three eighths less: it lies for two thirds before now.
            window = replace(
                window,
                start=window.start + _floored((window.end - window.start) / 4),
                end=window.end - _floored((window.end - window.start) / 8),
            )
            yield query, window


def _floored(length: timedelta) -> timedelta:
    return length - length % timedelta(hours=1)


def to_ics(feed: FeedText, window: Window) -> bytes:
    """The feed as an iCalendar document. Raises WindowTooLarge."""
    import icalendar

    if len(feed.rows) > MOST_ENTRIES:
        end = orjson.loads(feed.rows[MOST_ENTRIES].json)["scheduled_at_utc"]
        raise WindowTooLarge(
            f"expected a window with at most {MOST_ENTRIES:,} entries, got {len(feed.rows):,}. "
            f"Ask for a shorter window, such as end={end}, for less of it with owner or source, "
            "or without detail=all.",
            field="end",
            details={"estimated_events": len(feed.rows), "suggested_end": end},
        )
    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//universal-agent//calendar//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", "universal-agent")
    calendar.add("X-WR-TIMEZONE", window.zone.key)
    calendar.add("REFRESH-INTERVAL", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT15M")
    end = b"END:VCALENDAR\r\n"
    head: bytes = calendar.to_ical().removesuffix(end)
    # Entries are serialized one at a time: as objects they take fifty times the memory.
    return b"".join([head, *(entry.to_ical() for entry in _entries(feed, window)), end])


def _entries(feed: FeedText, window: Window) -> "Iterator[icalendar.Event]":
    stamp = feed.last_event_at or window.start
    listed = set()
    for text in feed.rows:
        listed.add(text.name)
        yield _slot(orjson.loads(text.json), stamp)
    for text in feed.always_running:
        yield from _days(orjson.loads(text.json), window.zone, stamp)
    for text in feed.stasis_queue:
        item = orjson.loads(text.json)
        at = datetime.fromisoformat(item["event"]["scheduled_at_utc"])
        if text.name not in listed and window.start <= at < window.end:
            yield _group(item, stamp)


def _slot(row: Mapping[str, Any], stamp: datetime) -> "icalendar.Event":
    start = datetime.fromisoformat(row.get("moved_to_utc") or row["scheduled_at_utc"])
    # The duration of an interrupted run is unknown.
    is_known = row["duration_seconds"] is not None and row["run_status"] != "interrupted"
    length = timedelta(seconds=round(row["duration_seconds"])) if is_known else _SHORTEST
    outcome = row["run_status"] or row["status"]
    reason = f" ({row['reason']})" if row["reason"] else ""
    told = f" ({outcome})" if row["status"] in _TITLED_OUTCOMES else ""
    event = _entry(row, row["event_id"], stamp, told)
    event.add("DTSTART", start.astimezone(UTC))
    event.add("DTEND", start.astimezone(UTC) + max(length, _SHORTEST))
    event.add("STATUS", _STATUS.get(row["status"], "CONFIRMED"))
    event.add("DESCRIPTION", f"{row['description']}\n{outcome}{reason}")
    return event


def _group(item: Mapping[str, Any], stamp: datetime) -> "icalendar.Event":
    """Pending missed slots of a job whose slots are not listed."""
    row, count = item["event"], item["group"]["count"]
    start = datetime.fromisoformat(row["scheduled_at_utc"])
    event = _entry(row, row["event_id"], stamp, f" ({count:,} missed)")
    event.add("DTSTART", start)
    event.add("DTEND", start + _SHORTEST)
    event.add("STATUS", _STATUS["missed"])
    event.add("DESCRIPTION", f"{row['description']}\n{count:,} missed ({item['cause']})")
    return event


def _days(row: Mapping[str, Any], zone: ZoneInfo, stamp: datetime) -> "list[icalendar.Event]":
    """One entry per local day of a frequent job, with the outcomes of its slots."""
    counts: dict[date, Counter[str]] = {}
    for hour in row["hourly"]:
        day = datetime.fromisoformat(hour["start_utc"]).astimezone(zone).date()
        counts.setdefault(day, Counter()).update(hour["counts"])
    entries = []
    for day, found in sorted(counts.items()):
        event = _entry(row, f"{row['source']}|{row['source_ref']}|{day:%Y%m%d}", stamp)
        event.add("DTSTART", day)
        event.add("DTEND", day + timedelta(days=1))
        event.add("STATUS", "CONFIRMED")
        event.add("TRANSP", "TRANSPARENT")
        told = ", ".join(f"{count:,} {status}" for status, count in sorted(found.items()))
        event.add("DESCRIPTION", f"{row['description']}\n{told}")
        entries.append(event)
    return entries


def _entry(row: Mapping[str, Any], name: str, stamp: datetime, told: str = "") -> "icalendar.Event":
    import icalendar

    event = icalendar.Event()
    event.add("UID", f"{name}@universal-agent")
    event.add("DTSTAMP", stamp)
    event.add("SUMMARY", f"{row['title']}{told}")
    event.add("CATEGORIES", [row["category"]])
    return event
