"""What does the store promise about sessions and their beats? A part of `store/base.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from universal_agent.domain.job import Job
from universal_agent.domain.run import Run, RunId
from universal_agent.domain.system_event import SystemEvent, WakeMode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Somebody, or something, that asks for a session's beat."""

    session_id: str
    #: The id that the beat's run will have, when it is a new one.
    run_id: RunId
    mode: WakeMode
    reason: str | None
    by: str
    #: How much may wait to be told to the session.
    keep: int


class SessionStore(Protocol):
    """The verbs of sessions."""

    # -- heartbeats

    async def list_beats(self) -> Sequence[Job]:
        """The beats of every session that has them; the job's id is the session's."""
        ...

    async def wake_beat(self, wake: Wake, *, now: datetime) -> Run | None:
        """Leave a session's next beat word of who asked for it, in place of a wake that waits.

        With mode `now` the run that will be that beat: one that waits already, or else a new one,
        without a slot. Raises SessionNotFound when the session has no beats.
        """
        ...

    async def queue_system_event(self, event: SystemEvent, *, keep: int) -> None:
        """Keep an event for the session's next beat; of more than `keep` the oldest go."""
        ...

    async def system_events(self, session_id: str) -> Sequence[SystemEvent]:
        """What no beat of the session has had and run well, oldest first."""
        ...
