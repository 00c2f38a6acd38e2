"""Which sessions are there, and who may have which workspace?

A session outlives the process: one that is asked for and not in memory is resumed, which gives it
its workspace and its beats again. A deleted one never comes back. Nothing here waits for a run.
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

    def notice(self, session_id: str) -> None:
        """Look soon whether its files have changed."""
        ...


class Listener(Protocol):
    """Somebody who has something for a client that attaches."""

    async def attached(self, session_id: str) -> None: ...


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
        reports: Listener,
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
        """Delete a session: its beats end, and what runs is stopped; its workspace stays.

        The runs that were stopped. Raises SessionNotFound.
        """
        ended = await self._beats.end_session(session_id, by=by)
        self._in_memory.discard(session_id)
        stopped = self._turns.stop(ended.running, f"its session was deleted by {by}")
        self._hub.close(session_id, "the session was deleted")
        return [*ended.cancelled, *stopped]

    async def _furnish(self, session: Session) -> None:
        """Give a session its folder and its beats. Raises Unavailable when the folder is bad."""
        try:
            with open_workspace(self._workspaces_root, session.workspace_dir, create=True):
                pass
        except OSError as error:
            _log.error(
                "session_without_workspace",
                action="session_without_workspace",
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
        """A new client of the session, told of `hello`, of the turn that is under way, and of all
        that nobody was there for. Raises LimitReached.
        """
        session_id = session.session_id
        attachment = self._hub.attach(session_id)
        # Together, so that no text of the turn is told twice or left out.
        turn = self._turns.state(session_id)
        attachment.put(self._hub.message("connected", {**hello, "turn": turn}))
        try:
            await self._store.write(verbs.sessions.touch_session, session_id, now=self._clock.now())
            await self._turns.catch_up(attachment)
            await self._reports.attached(session_id)
            self._beats.notice(session_id)
        except BaseException:
            self._hub.detach(attachment)
            raise
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """The client has gone; what runs goes on."""
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
        """Stop a session's turn, with `beats` what else it runs; which runs those were.

        With a known `once`, the runs that it was about, and no others. Raises SessionNotFound.
        """
        session = await self.get(session_id)
        only = None
        if once is not None:
            only = await self._runs_meant(session_id, beats=beats, once=once)
        stopped = await self._turns.cancel(
            session.session_id, f"cancelled by {by}", beats=beats, only=only
        )
        return stopped if only is None else only

    async def _runs_meant(self, session_id: str, *, beats: bool, once: Once) -> list[RunId]:
        """The runs that were open when the key came first."""
        part = once.part("runs")
        kept = await self._store.read(verbs.idempotency.answer_of, part)
        if kept is None:
            runs = await self._store.read(verbs.sessions.open_runs, session_id)
            kept = " ".join(run.run_id for run in runs if beats or run.brings_spec)
            await self._store.write(
                verbs.idempotency.keep_answer, part, kept, now=self._clock.now()
            )
        return [RunId(run_id) for run_id in kept.split()]
