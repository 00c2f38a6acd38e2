"""Events, decoded from rows of the log."""

from collections.abc import Iterable

from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.slot import from_epoch
from universal_agent.domain.unreadable_event import problem_of
from universal_agent.store.encoding import from_json
from universal_agent.store.tx import Row, Tx


def event_from_row(row: Row) -> Event:
    """An event from its columns; a stub where they cannot be read."""
    seq, source, kind, timestamp, source_ref, owner_id, session_id, status, data = row
    at = from_epoch(0)
    try:
        at = from_epoch(timestamp)
        known, content = EventType(kind), from_json(data)
        if not isinstance(content, dict):
            raise TypeError(f"expected an object, got {type(content).__name__}")
    except (ValueError, TypeError, OverflowError, OSError) as error:
        known, status, content = EventType.EVENT_UNREADABLE, "unreadable", problem_of(kind, error)
    return Event(
        seq=seq,
        source=source,
        type=known,
        timestamp=at,
        source_ref=source_ref,
        owner_id=owner_id,
        session_id=session_id,
        status=status,
        data=content,
    )


def events_from(tx: Tx, rows: Iterable[Row]) -> list[Event]:
    """Events decoded from rows; a row that cannot be read becomes an event that says so."""
    found = [event_from_row(row) for row in rows]
    for event in found:
        if event.type is EventType.EVENT_UNREADABLE:
            tx.set_aside.add("events", event.seq, ValueError(event.data["problem"]))
    return found
