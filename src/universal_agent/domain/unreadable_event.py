"""Stubs for events that cannot be read from the log or written to a client.

Such an event stops neither replay nor streams nor folds: the stub keeps its place and says what is
wrong.
"""

from collections.abc import Mapping
from typing import Any

from universal_agent.domain.event_types import (
    EventType,
)

_PROBLEM_CHARS = 200


def problem_of(kind: str, error: Exception) -> dict[str, Any]:
    """The data of the stub."""
    return {"type": str(kind)[:100], "problem": str(error)[:_PROBLEM_CHARS]}


def stub_of(envelope: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    """The wire form of the stub, in place of an envelope that cannot be written."""
    return {
        **envelope,
        "type": EventType.EVENT_UNREADABLE,
        "status": "unreadable",
        "data": problem_of(envelope["type"], error),
    }
