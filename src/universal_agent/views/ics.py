"""The calendar for calendar programs: RFC 5545, read only, the same window rules as the feed.

A slot keeps its UID whatever becomes of it, so that a program that subscribes sees one entry
change instead of two. A frequent job is one entry a day, with its counts.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar import Window
from universal_agent.views.calendar import CalendarView, FeedAnswer, FeedQuery
from universal_agent.views.calendar_text import FeedText

if TYPE_CHECKING:
    # Loaded when somebody asks for a calendar: it would be a twentieth of every start.
    import icalendar

#: How often a calendar program is asked to look again.
_REFRESH = timedelta(minutes=15)

#: An entry of no length is not shown by some programs.
_SHORTEST = timedelta(minutes=1)

_STATUS = {"missed": "TENTATIVE", "disabled": "CANCELLED"}


class IcsView:
    """Writes the feed as iCalendar."""

    def __init__(self, calendar: CalendarView) -> None:
        self._calendar = calendar
        #: The latest answer: programs that subscribe ask for the same again and again.
        self._latest: FeedAnswer | None = None

    async def answer(
        self, query: FeedQuery, *, now: datetime, if_none_match: str | None = None
    ) -> FeedAnswer:
        """The calendar as iCalendar, or no body when the client has it.

        Raises InvalidInput for a zone or window that makes no sense.
        """
        tag = await self._calendar.etag(query, now=now, form="ics")
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        if self._latest is None or self._latest.etag != tag:
            window, feed = await self._calendar.feed(query, now=now)
            body = await asyncio.to_thread(to_ics, feed, window)
            tag = await self._calendar.etag(query, now=now, form="ics", version=feed.version)
            self._latest = FeedAnswer(etag=tag, body=body)
        return self._latest


def to_ics(feed: FeedText, window: Window) -> bytes:
    """The feed as an iCalendar document, in the window's zone."""
    import icalendar

    calendar = icalendar.Calendar()
    calendar.add("PRODID", "-//universal-agent//calendar//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", "universal-agent")
    calendar.add("X-WR-TIMEZONE", window.zone.key)
    calendar.add("REFRESH-INTERVAL", _REFRESH, parameters={"VALUE": "DURATION"})
    stamp = feed.last_event_at or window.start
    for text in feed.rows:
        calendar.add_component(_slot(orjson.loads(text.json), window.zone, stamp))
    for text in feed.always_running:
        for day in _days(orjson.loads(text.json), window.zone, stamp):
            calendar.add_component(day)
    calendar.add_missing_timezones(
        first_date=window.start.date() - timedelta(days=1),
        last_date=window.end.date() + timedelta(days=1),
    )
    document: bytes = calendar.to_ical()
    return document


def _slot(row: Mapping[str, Any], zone: ZoneInfo, stamp: datetime) -> "icalendar.Event":
    moved_to = row.get("moved_to_utc")
    start = datetime.fromisoformat(moved_to or row["scheduled_at_utc"])
    length = timedelta(seconds=round(row["duration_seconds"] or 0))
    event = _entry(row, row["event_id"], stamp)
    event.add("DTSTART", _in_zone(start, zone))
    event.add("DTEND", _in_zone(start + max(length, _SHORTEST), zone))
    event.add("STATUS", _STATUS.get(row["status"], "CONFIRMED"))
    outcome = row["run_status"] or row["status"]
    reason = f" ({row['reason']})" if row["reason"] else ""
    event.add("DESCRIPTION", f"{row['description']}\n{outcome}{reason}")
    return event


def _in_zone(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(UTC if zone.key in ("UTC", "Etc/UTC") else zone)


def _days(row: Mapping[str, Any], zone: ZoneInfo, stamp: datetime) -> "list[icalendar.Event]":
    """An entry for each local day of a frequent job, with what became of its slots."""
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


def _entry(row: Mapping[str, Any], name: str, stamp: datetime) -> "icalendar.Event":
    import icalendar

    event = icalendar.Event()
    event.add("UID", f"{name}@universal-agent")
    event.add("DTSTAMP", stamp)
    event.add("SUMMARY", row["title"])
    event.add("CATEGORIES", [row["category"]])
    return event
