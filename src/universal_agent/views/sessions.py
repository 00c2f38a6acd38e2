"""Sessions and their status."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from universal_agent.domain.run import JobId, Run
from universal_agent.domain.session import Session, SessionStatus
from universal_agent.errors import SessionNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.views.cron import run_document
from universal_agent.views.filled import BATCH, fill

#: The most runs in the document of a session.
_RUNS = 20


class SessionView:
    """Queries about sessions."""

    def __init__(
        self,
        store: Store,
        connected: Callable[[str], int],
        attached: Callable[[], frozenset[str]],
        *,
        workspaces_root: Path,
    ) -> None:
        """`connected`: number of clients of a session; `attached`: sessions with clients."""
        self._store = store
        self._connected = connected
        self._attached = attached
        self._workspaces_root = workspaces_root

    def document(self, session: Session) -> dict[str, Any]:
        """The wire form (docs/contract.md, Sessions)."""
        return {
            "session_id": session.session_id,
            "user_id": session.user_id,
            "workspace_dir": str(self._workspaces_root / session.workspace_dir),
            "metadata": dict(session.metadata),
            "source": session.source,
            "status": self.status(session),
            "clients": self._connected(session.session_id),
            "created_at": session.created_at.isoformat(),
            "last_active_at": session.last_active_at.isoformat(),
        }

    def status(self, session: Session) -> SessionStatus:
        """The status of the session."""
        if session.busy:
            return SessionStatus.RUNNING
        return SessionStatus.ACTIVE if self._connected(session.session_id) else SessionStatus.IDLE

    async def page(
        self,
        *,
        limit: int,
        cursor: str | None,
        status: SessionStatus | None = None,
        source: str | None = None,
        owner: str | None = None,
    ) -> dict[str, Any]:
        """Sessions in order of creation, after `cursor`, that match all filters."""

        def fits(session: Session) -> bool:
            return (
                (status is None or self.status(session) is status)
                and (source is None or session.source == source)
                and (owner is None or session.user_id == owner)
            )

        async def read(after: str, wanted: int) -> Sequence[Session]:
            found: list[Session] = []
            while len(found) < wanted:
                batch = await self._store.read(
                    verbs.sessions.list_sessions, limit=BATCH, cursor=after
                )
                found += filter(fits, batch)
                if len(batch) < BATCH:
                    break
                after = batch[-1].session_id
            return found[:wanted]

        found = await fill(
            read,
            self.document,
            lambda session: session.session_id,
            after=cursor or "",
            limit=limit + 1,
        )
        more = found.is_full or len(found.entries) > limit
        shown = found.documents[:limit]
        return {
            "sessions": shown,
            "total": await self._store.read(verbs.sessions.count_sessions),
            "next_cursor": shown[-1]["session_id"] if more else None,
        }

    async def session(self, session_id: str) -> dict[str, Any]:
        """The session; the query does not resume it. Raises SessionNotFound."""
        session = await self._store.read(verbs.sessions.get_session, session_id)
        if session is None:
            raise SessionNotFound(f"There is no session {session_id!r}.")
        return self.document(session)

    async def latest_run(self, session_id: str) -> Run | None:
        """The latest turn or beat of a session; None before the first. Raises SessionNotFound."""
        await self.session(session_id)
        runs = await self._store.read(
            verbs.runs.list_runs, job_id=JobId(session_id), source=None, limit=1
        )
        return runs[0] if runs else None

    async def with_turns(self, session_id: str) -> dict[str, Any]:
        """The session with its latest runs, both turns and beats. Raises SessionNotFound."""
        document = await self.session(session_id)
        runs = await self._store.read(
            verbs.runs.list_runs, job_id=JobId(session_id), source=None, limit=_RUNS
        )
        return {**document, "runs": [run_document(run) for run in runs]}

    async def counts(self) -> dict[str, int]:
        """The number of sessions, and of those that have a client or a run."""
        active = self._attached() | set(await self._store.read(verbs.sessions.busy_sessions))
        return {
            "active": len(active),
            "total": await self._store.read(verbs.sessions.count_sessions),
        }
