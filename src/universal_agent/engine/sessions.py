"""Commands on sessions: make, resume, attach, take a turn, cancel, delete.

A session outlives the process: one that is asked for and not in memory is resumed, which gives it
its workspace and its beats again. A deleted session never comes back. Nothing here waits for a run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.run import RunId
from universal_agent.domain.session import Session, Turn
from universal_agent.engine.continuity import Continuity
from universal_agent.engine.hub import Attachment, Hub
from universal_agent.engine.ids import new_id
from universal_agent.engine.jobs import workspace_inside
from universal_agent.engine.turns import Turns
from universal_agent.errors import SessionNotFound, Unavailable, UniversalAgentError
from universal_agent.runners.workspace_files import open_workspace
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once, SessionEnd

_log = structlog.get_logger(__name__)


class SessionBeats(Protocol):
    """The beats of sessions, as far as sessions come and go."""

    async def ensure(self, session_id: str, *, workspace_dir: str, owner_id: str) -> object:
        """Give a session its beats, or bring those it has in line."""
        ...

    async def end_session(self, session_id: str, *, by: str) -> SessionEnd:
        """Delete the session with them. Raises SessionNotFound."""
        ...

    def read_soon(self, session_id: str) -> None:
        """Read its files soon, in case they have changed."""
        ...


class Reports(Protocol):
    """What waits for a client that attaches."""

    async def attached(self, session_id: str) -> None:
        """Tell the session's clients what waits for them."""
        ...


class Sessions:
    """The sessions, their clients and what these say."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        continuity: Continuity,
        hub: Hub,
        turns: Turns,
        beats: SessionBeats,
        reports: Reports,
        *,
        workspaces_root: Path,
    ) -> None:
        self._store = store
        self._clock = clock
        self._continuity = continuity
        self._hub = hub
        self._turns = turns
        self._beats = beats
        self._reports = reports
        self._workspaces_root = workspaces_root
        #: Sessions that were made or resumed since the start.
        self._in_memory: set[str] = set()

    # -- coming and going

    async def create(
        self,
        *,
        user_id: str,
        workspace_dir: str | None,
        source: str,
        metadata: Mapping[str, Any],
    ) -> Session:
        """A new session, or the one that this user has in the workspace already.

        Raises InvalidInput for a workspace that is not under the workspaces folder, Conflict for
        one that another user has or had.
        """
        now = self._clock.now()
        session_id = new_id("ses", now)
        inside = session_id
        if workspace_dir is not None:
            inside = workspace_inside(self._workspaces_root, workspace_dir)
        session = await self._store.write(
            verbs.sessions.create_session,
            Session(
                session_id=session_id,
                user_id=user_id,
                workspace_dir=inside,
                created_at=now,
                last_active_at=now,
                source=source,
                metadata=metadata,
            ),
            now=now,
        )
        if session.session_id == session_id:
            await self._furnish(session)
            self._in_memory.add(session_id)
            self._continuity.count("sessions_created")
        return session

    async def get(self, session_id: str) -> Session:
        """The session, resumed when it is not in memory.

        Raises SessionNotFound, which is no failure to resume, or Unavailable, which is one.
        """
        session = await self._store.read(verbs.sessions.get_session, session_id)
        if session is None:
            raise SessionNotFound(f"There is no session {session_id!r}.")
        if session_id not in self._in_memory:
            try:
                await self._furnish(session)
            except UniversalAgentError:
                self._continuity.count("resume_attempts", "resume_failures")
                raise
            self._in_memory.add(session_id)
            self._continuity.count("resume_attempts", "resume_successes")
        return session

    async def delete(self, session_id: str, *, by: str) -> list[RunId]:
        """Delete a session with its beats, and cancel its runs; its workspace stays.

        Returns the runs that were cancelled. Raises SessionNotFound.
        """
        ended = await self._beats.end_session(session_id, by=by)
        self._in_memory.discard(session_id)
        self._hub.close(session_id, "the session was deleted")
        return [*ended.cancelled, *ended.running]

    async def _furnish(self, session: Session) -> None:
        """Give a session its folder and its beats. Raises Unavailable if the folder is unusable."""
        try:
            with open_workspace(self._workspaces_root, session.workspace_dir, create=True):
                pass
        except OSError as error:
            _log.error(
                "session_without_workspace",
                session_id=session.session_id,
                error=str(error),
            )
            raise Unavailable(
                f"The workspace of session {session.session_id!r} cannot be used; the log has why."
            ) from None
        await self._beats.ensure(
            session.session_id, workspace_dir=session.workspace_dir, owner_id=session.user_id
        )

    # -- clients

    async def attach(self, session: Session, hello: Mapping[str, Any]) -> Attachment:
        """A new client of the session. It receives `hello`, the turn that is under way, and what no
        client was there for. Raises LimitReached.
        """
        session_id = session.session_id
        attachment = self._hub.attach(session_id)
        # In one step of the event loop, so that no text of the turn is repeated or left out.
        turn = self._turns.state(session_id)
        attachment.put(self._hub.message("connected", {**hello, "turn": turn}))
        try:
            await self._store.write(verbs.sessions.touch_session, session_id, now=self._clock.now())
            await self._turns.catch_up(attachment)
            await self._reports.attached(session_id)
            self._beats.read_soon(session_id)
        except BaseException:
            self._hub.detach(attachment)
            raise
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """The client has gone; its turn continues."""
        self._hub.detach(attachment)

    # -- turns

    async def execute(
        self,
        session_id: str,
        text: str,
        *,
        client_turn_id: str | None,
        metadata: Mapping[str, Any],
    ) -> Turn:
        """Take a turn in a session. Raises as `Turns.execute`, and SessionNotFound."""
        session = await self.get(session_id)
        return await self._turns.execute(
            session, text, client_turn_id=client_turn_id, metadata=metadata
        )

    async def cancel(
        self, session_id: str, *, by: str, beats: bool, once: Once | None = None
    ) -> list[RunId]:
        """Cancel a session's turn, and with `beats` its beats; return these runs.

        With a known `once`, the runs of the first request, and no others. Raises SessionNotFound.
        """
        await self.get(session_id)
        cancelled = await self._store.write(
            verbs.cancels.cancel_open_runs,
            session_id,
            beats=beats,
            reason=f"cancelled by {by}",
            by=by,
            now=self._clock.now(),
            once=None if once is None else once.part("runs"),
        )
        return list(cancelled)
