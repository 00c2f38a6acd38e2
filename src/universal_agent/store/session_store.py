"""What does the store promise about sessions and their beats? A part of `store/base.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from universal_agent.domain.job import Job
from universal_agent.domain.run import Run, RunId
from universal_agent.domain.system_event import SystemEvent, WakeMode


class SessionStore(Protocol):
    """The verbs of sessions."""

    # -- heartbeats

    async def list_beats(self) -> Sequence[Job]:
        """The beats of every session that has them; the job's id is the session's."""
        ...

    async def wake_beat(
        self,
        job: Job,
        run_id: RunId,
        *,
        mode: WakeMode,
        reason: str | None,
        by: str,
        keep: int,
        now: datetime,
    ) -> Run | None:
        """Leave a session's next beat word of who asked for it, in place of a wake that waits.

        With mode `now` the run that will be that beat: one that waits already, or else a new one,
        without a slot.
        """
        ...

    async def queue_system_event(self, event: SystemEvent, *, keep: int) -> None:
        """Keep an event for the session's next beat; of more than `keep` the oldest go."""
        ...

    async def system_events(self, session_id: str) -> Sequence[SystemEvent]:
        """What no beat of the session has had and run well, oldest first."""
        ...
