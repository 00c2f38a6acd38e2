"""What is a session: a workspace with an owner, where turns are taken and beats are run?

A session is kept until it is deleted; whether somebody is attached, or the gateway was restarted
meanwhile, makes no difference to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from universal_agent.domain.run import Run
from universal_agent.domain.slot import REF_PATTERN
from universal_agent.errors import InvalidInput

#: The longest thing that may be said in one turn, in characters.
TURN_CHARS = 64 * 1024


class SessionStatus(StrEnum):
    """What a session is doing; the values are the wire's."""

    #: A turn or a beat runs.
    RUNNING = "running"
    #: A client is attached.
    ACTIVE = "active"
    #: Neither.
    IDLE = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as it is kept."""

    session_id: str
    user_id: str
    #: Relative to the workspaces folder.
    workspace_dir: str
    created_at: datetime
    last_active_at: datetime
    #: Who made it: `api`, `cli`, `dashboard`.
    source: str = "api"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    #: A turn or a beat of it runs or waits.
    busy: bool = False


class Admitted(StrEnum):
    """What became of a turn that was asked for."""

    NEW = "new"
    #: It runs already: the same request came before.
    DUPLICATE_IN_PROGRESS = "duplicate_in_progress"
    #: It has run already.
    DUPLICATE_COMPLETED = "duplicate_completed"
    #: Another turn of the session runs.
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The run of a turn. Of one that was refused as busy, the run that is in its way."""

    run: Run
    admitted: Admitted


def check_session_id(session_id: str) -> str:
    """The id. Raises InvalidInput when it could not be one: it names events and is in paths."""
    if not REF_PATTERN.fullmatch(session_id):
        raise InvalidInput(
            f"expected an id of letters, digits, _ and -, 64 at most, got {session_id[:100]!r}",
            field="session_id",
        )
    return session_id
