"""System events: news for a session's next beat.

A system event stays queued until a beat that received it succeeds. Waking a session leaves one too,
of its own type, so that the beat knows who asked for it and why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

#: The type of the events that a wake leaves; a later wake replaces a queued one.
WAKE = "heartbeat_wake"


class WakeMode(StrEnum):
    """When a session that is woken has its beat."""

    #: As soon as it is free, at any hour.
    NOW = "now"
    #: When it is due.
    NEXT = "next"


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemEvent:
    """An event for a session."""

    #: Its place in the session's queue; 0 until it is stored.
    event_id: int = 0
    session_id: str
    event_type: str
    payload: Mapping[str, Any]
    created_at: datetime
    #: Who sent it.
    created_by: str = ""

    @property
    def wake_mode(self) -> WakeMode | None:
        """When it asks for a beat; None for anything but a wake."""
        return WakeMode(self.payload["mode"]) if self.event_type == WAKE else None

    def document(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Sessions)."""
        return {
            "event_id": self.event_id,
            "session_id": self.session_id,
            "event_type": self.event_type,
            "payload": dict(self.payload),
            "created_at": self.created_at.isoformat(),
            "created_by": self.created_by,
        }


def wake(
    session_id: str, mode: WakeMode, *, reason: str | None, by: str, now: datetime
) -> SystemEvent:
    """The event that tells a beat why it was asked for."""
    return SystemEvent(
        session_id=session_id,
        event_type=WAKE,
        payload={"mode": mode, "reason": reason},
        created_at=now,
        created_by=by,
    )


def asks_now(notes: Iterable[SystemEvent]) -> bool:
    """Whether one of them asks for a beat at any hour."""
    return any(note.wake_mode is WakeMode.NOW for note in notes)
