"""The calendar for calendar programs: RFC 5545, read only, the same window rules as the feed.

A slot keeps its UID whatever becomes of it, so that a program that subscribes sees one entry
change instead of two. Heartbeats and jobs that come often are one entry a day, with their counts,
unless every slot is asked for. Times are UTC: an hour that a zone's clock repeats has no other
name that all programs read alike.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from universal_agent.domain.calendar_facts import Window
from universal_agent.errors import WindowTooLarge
from universal_agent.views.calendar import CalendarView, FeedAnswer, FeedQuery
from universal_agent.views.calendar_text import FeedText

if TYPE_CHECKING:
    # Imported when a calendar is asked for: it would be a twentieth of every start.
    import icalendar

#: How often a calendar program is asked to look again.
_REFRESH = timedelta(minutes=15)

#: An entry of no length is not shown by some programs.
_SHORTEST = timedelta(minutes=1)

#: More entries than this are refused: no program can use them.
MOST_ENTRIES = 10_000

_STATUS = {"missed": "TENTATIVE", "disabled": "CANCELLED"}

#: What a program shows of a slot is its title, so the outcome is in it where it matters.
_TOLD = {"failed", "missed", "disabled"}


class IcsView:
    """Writes the feed as iCalendar."""

    def __init__(self, calendar: CalendarView) -> None:
        self._calendar = calendar

    async def answer(
        self, query: FeedQuery, *, now: datetime, if_none_match: str | None = None
    ) -> FeedAnswer:
        """The calendar as iCalendar, or no body when the client has it.

        Raises InvalidInput for a zone or window that makes no sense, and WindowTooLarge.
        """
        key, tag = await self._calendar.tag(query, now=now, form="ics")
        if if_none_match is not None and tag in if_none_match:
            return FeedAnswer(etag=tag, body=None)
        return await self._calendar.written(key, tag, "ics", lambda key, feed: to_ics(feed, key[1]))


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
    # Each entry is written by itself: as objects they take fifty times their text.
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
    # Of a run that was cut off, only the end of the outage is known.
    is_known = row["duration_seconds"] is not None and row["run_status"] != "interrupted"
    length = timedelta(seconds=round(row["duration_seconds"])) if is_known else _SHORTEST
    outcome = row["run_status"] or row["status"]
    reason = f" ({row['reason']})" if row["reason"] else ""
    told = f" ({outcome})" if row["status"] in _TOLD else ""
    event = _entry(row, row["event_id"], stamp, told)
    event.add("DTSTART", start.astimezone(UTC))
    event.add("DTEND", start.astimezone(UTC) + max(length, _SHORTEST))
    event.add("STATUS", _STATUS.get(row["status"], "CONFIRMED"))
    event.add("DESCRIPTION", f"{row['description']}\n{outcome}{reason}")
    return event


def _group(item: Mapping[str, Any], stamp: datetime) -> "icalendar.Event":
    """Missed slots that wait for a decision, of a job whose slots are not listed."""
    row, count = item["event"], item["group"]["count"]
    start = datetime.fromisoformat(row["scheduled_at_utc"])
    event = _entry(row, row["event_id"], stamp, f" ({count:,} missed)")
    event.add("DTSTART", start)
    event.add("DTEND", start + _SHORTEST)
    event.add("STATUS", _STATUS["missed"])
    event.add("DESCRIPTION", f"{row['description']}\n{count:,} missed ({item['cause']})")
    return event


def _days(row: Mapping[str, Any], zone: ZoneInfo, stamp: datetime) -> "list[icalendar.Event]":
    """An entry for each local day of a job that is counted, with what became of its slots."""
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
