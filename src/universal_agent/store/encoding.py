"""Values as the database stores them: JSON text, instants as epoch seconds."""

from datetime import datetime
from typing import Any

import orjson

from universal_agent.domain.events import NewEvent


def to_json(value: object) -> str:
    """Compact JSON text."""
    return orjson.dumps(value).decode()


def from_json(text: str) -> Any:
    """The value of JSON text."""
    return orjson.loads(text)


def stamp(instant: datetime | None) -> float | None:
    """An instant as it is stored."""
    return None if instant is None else instant.timestamp()


def event_params(event: NewEvent) -> dict[str, object]:
    """An event as the parameters of `append_event`."""
    run = event.data.get("run")
    return {
        "source": event.source,
        "type": event.type,
        "timestamp": event.timestamp.timestamp(),
        "source_ref": event.source_ref,
        "owner_id": event.owner_id,
        "session_id": event.session_id,
        "status": event.status,
        "data": to_json(event.data),
        "run_slot_at": None if run is None else run["scheduled_at"],
    }
