"""Sessions: a workspace with an owner, turns and beats.

A session is kept until it is deleted; attached clients and restarts of the gateway do not affect
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from universal_agent.domain.run import Run

#: The longest text of one turn, in characters.
TURN_CHARS = 64 * 1024


class SessionStatus(StrEnum):
    """The state of a session; the values are the wire's."""

    #: A turn or a beat runs.
    RUNNING = "running"
    #: A client is attached.
    ACTIVE = "active"
    #: Neither.
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A stored session."""

    session_id: str
    user_id: str
    #: Relative to the workspaces folder.
    workspace_dir: str
    created_at: datetime
    last_active_at: datetime
    #: Its origin: `api`, `cli`, `dashboard`.
    source: str = "api"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: A turn or a beat of it runs or waits.
    busy: bool = False


class Admitted(StrEnum):
    """The admission of a requested turn."""

    NEW = "new"
    #: The same request is already running.
    DUPLICATE_IN_PROGRESS = "duplicate_in_progress"
    #: The same request has already run.
    DUPLICATE_COMPLETED = "duplicate_completed"
    #: Another turn of the session runs.
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The run of a turn. Of one that was refused as busy, the run that is in its way."""

    run: Run
    admitted: Admitted
