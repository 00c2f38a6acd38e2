"""What does the store promise about sessions and their beats? A part of `store/base.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import Run, RunId
from universal_agent.domain.session import Session, Turn
from universal_agent.domain.system_event import SystemEvent, WakeMode

if TYPE_CHECKING:
    from universal_agent.store.base import Once


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Which sessions were told something or woken, and the beats that come of it right away."""

    session_ids: tuple[str, ...]
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """What the deletion of a session found open."""

    #: Runs that waited, and are cancelled.
    cancelled: tuple[RunId, ...]
    #: Runs that are in execution.
    running: tuple[RunId, ...]


class SessionStore(Protocol):
    """The verbs of sessions."""

    # -- sessions

    async def create_session(self, session: Session, *, now: datetime) -> Session:
        """Keep a new session, or give the one that its owner has in that workspace already.

        Raises Conflict when the workspace is somebody else's, or the id was taken before.
        """
        ...

    async def get_session(self, session_id: str) -> Session | None:
        """The session, or None when there is none or it was deleted."""
        ...

    async def list_sessions(self, *, limit: int, cursor: str = "") -> Sequence[Session]:
        """Sessions in the order of their ids, from after `cursor`."""
        ...

    async def count_sessions(self) -> int:
        """How many there are."""
        ...

    async def busy_sessions(self) -> Sequence[str]:
        """Which of them have a turn or a beat that waits or runs."""
        ...

    async def delete_session(
        self,
        session_id: str,
        *,
        by: str,
        now: datetime,
        beats: Job | None = None,
        closed_at: datetime | None = None,
    ) -> SessionEnd | None:
        """Delete it with its beats, whose expectation ends at `closed_at`, and cancel what waits.

        What was recorded of it stays. None when `beats` is not how they are, under the same
        conditions as `update_job`. Raises SessionNotFound.
        """
        ...

    async def touch_session(self, session_id: str, *, now: datetime) -> None:
        """Somebody is there."""
        ...

    # -- turns

    async def add_turn(
        self, session_id: str, run_id: RunId, spec: JobSpec, *, now: datetime, once: "Once | None"
    ) -> Turn:
        """Queue a turn, unless the same one was queued before or another one is open.

        The same: of the same `once`, or without one the same words a few seconds ago. Raises
        SessionNotFound, or Conflict when `once` is another request's.
        """
        ...

    async def open_runs(self, session_id: str) -> Sequence[Run]:
        """Turns and beats of the session that wait or run."""
        ...

    async def untold_turn(self, session_id: str) -> Run | None:
        """The latest turn, when it has ended and no client was told."""
        ...

    async def turn_told(self, session_id: str, run_id: RunId) -> None:
        """A client was told how the turn ended."""
        ...

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

    async def tell_beats(
        self,
        events: Sequence[SystemEvent],
        wakes: Sequence[Wake],
        *,
        keep: int,
        now: datetime,
    ) -> "Told":
        """Keep events for sessions' next beats (of more than `keep` the oldest go) and wake
        sessions, all in one transaction. Sessions that have no beats any more are passed over.
        """
        ...

    async def system_events(self, session_id: str) -> Sequence[SystemEvent]:
        """What no beat of the session has had and run well, oldest first."""
        ...
