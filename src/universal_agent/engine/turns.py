"""Turns of sessions: taken as runs of the agent, and told to the session's clients.

A turn is queued, executed, recorded and recovered like any other run. While it runs, its text goes
to the clients as it comes (`live_turns.py`). Its end is sent to the clients that are attached; if
there are none, it waits in the store for the next one that attaches.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.job import JobSpec, Priority
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.schedule import make_once
from universal_agent.domain.session import Admitted, Session, Turn
from universal_agent.engine.hub import Attachment, Hub
from universal_agent.engine.ids import new_id
from universal_agent.engine.live_turns import REPLY_CHARS, LiveTurn, LiveTurns
from universal_agent.engine.run_ends import ended_run
from universal_agent.errors import InvalidInput
from universal_agent.metrics import Metrics
from universal_agent.runners.base import Runner
from universal_agent.runners.output import plain_text, read_log, reply_path, run_log_path
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once

#: The runner of turns. Never a shell: what is said is words.
AGENT = "agent"

_COUNTERS = {
    Admitted.BUSY: "turn_busy_rejected",
    Admitted.DUPLICATE_IN_PROGRESS: "turn_duplicate_in_progress",
    Admitted.DUPLICATE_COMPLETED: "turn_duplicate_completed",
}


class Turns:
    """The turns of all sessions."""

    event_types = (EventType.SESSION_TURN_COMPLETED, EventType.SESSION_TURN_FAILED)

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        hub: Hub,
        live: LiveTurns,
        *,
        agent: Runner | None,
        run_logs_dir: Path,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._hub = hub
        self._live = live
        self._agent = agent
        self._run_logs_dir = run_logs_dir
        #: Turns whose end was told, until that is recorded.
        self._told: list[tuple[str, RunId]] = []
        self._news = asyncio.Event()

    # -- asking

    async def execute(
        self,
        session: Session,
        text: str,
        *,
        client_turn_id: str | None,
        metadata: Mapping[str, Any],
    ) -> Turn:
        """Take a turn, unless it was taken before or another one is under way.

        Raises InvalidInput if it could not be answered, SessionNotFound, or Conflict if the
        client's id belongs to another text.
        """
        if self._agent is None:
            raise InvalidInput("the runner `agent` is not installed", field="runner")
        self._agent.check(text)
        now = self._clock.now()
        run_id = RunId(new_id("run", now))
        spec = JobSpec(
            command=text,
            runner=AGENT,
            schedule=make_once(now),
            user_id=session.user_id,
            workspace_dir=session.workspace_dir,
            metadata={
                "session_id": session.session_id,
                # A person waits for it.
                "priority": Priority.CRITICAL,
                "turn": dict(metadata),
            },
            light=True,
        )
        once = None
        if client_turn_id is not None:
            once = Once(
                key=f"turn {session.session_id} {client_turn_id}",
                fingerprint=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            )
        self._live.expect(LiveTurn(run_id, session.session_id, client_turn_id))
        try:
            turn = await self._store.write(
                verbs.sessions.add_turn, session.session_id, run_id, spec, now=now, once=once
            )
        except Exception:
            self._live.drop(run_id)
            raise
        if turn.admitted is Admitted.NEW:
            self._live.admitted(run_id)
        else:
            self._live.drop(run_id)
            self._metrics.count(_COUNTERS[turn.admitted])
        return turn

    # -- telling how turns ended

    def notice(self, event: Event) -> None:
        """A turn has ended, and that is recorded: tell its session's clients."""
        run_id, run = ended_run(event), event.data["run"]
        if run_id is None:
            return
        began, ended = run["started_at"], run["finished_at"]
        self._tell(
            run_id,
            event.source_ref,
            status=RunStatus(run["status"]),
            error=run["error"],
            duration_seconds=None if began is None else ended - began,
        )

    async def look(self) -> None:
        """Tell how turns ended that are still kept as live."""
        for run_id in self._live.run_ids():
            run = await self._store.read(verbs.runs.get_run, run_id)
            if run is not None and run.status.is_final and run_id in self._live:
                duration = run.duration
                self._tell(
                    run_id,
                    run.source_ref,
                    status=run.status,
                    error=run.error,
                    duration_seconds=None if duration is None else duration.total_seconds(),
                )

    def _tell(
        self,
        run_id: RunId,
        session_id: str,
        *,
        status: RunStatus,
        error: str | None,
        duration_seconds: float | None,
    ) -> None:
        live = self._live.drop(run_id) or LiveTurn(run_id, session_id)
        result = self._result(
            run_id,
            client_turn_id=live.client_turn_id,
            status=status,
            error=error,
            duration_seconds=duration_seconds,
            text=live.text,
        )
        if self._hub.publish(session_id, "query_complete", result):
            self._told.append((session_id, run_id))
            self._news.set()

    async def run(self) -> None:
        """Record delivered ends, until cancelled; an unrecorded one is delivered again."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._told:
                session_id, run_id = self._told.pop(0)
                await self._store.write(verbs.sessions.turn_told, session_id, run_id)

    # -- catching up

    def state(self, session_id: str) -> dict[str, Any] | None:
        """The turn that is under way, with its text so far; None if there is none."""
        live = self._live.of_session(session_id)
        if live is None:
            return None
        return {
            "run_id": live.run_id,
            "client_turn_id": live.client_turn_id,
            "text": live.text,
        }

    async def catch_up(self, attachment: Attachment) -> None:
        """Tell a client that has attached how the last turn ended, if no client was told."""
        session_id = attachment.session_id
        run = await self._store.read(verbs.sessions.untold_turn, session_id)
        live = self._live.of_session(session_id)
        if run is None or (live is not None and live.run_id == run.run_id):
            return  # every client is about to receive it
        result = self.result(run, client_turn_id=None)
        if attachment.put(self._hub.message("query_complete", {**result, "replayed": True})):
            await self._store.write(verbs.sessions.turn_told, session_id, run.run_id)

    def result(self, run: Run, *, client_turn_id: str | None) -> dict[str, Any]:
        """How a turn ended that is over, with its reply from the run's log."""
        duration = run.duration
        return self._result(
            run.run_id,
            client_turn_id=client_turn_id,
            status=run.status,
            error=run.error,
            duration_seconds=None if duration is None else duration.total_seconds(),
            text=self._reply(run),
        )

    def _result(
        self,
        run_id: RunId,
        *,
        client_turn_id: str | None,
        status: RunStatus,
        error: str | None,
        duration_seconds: float | None,
        text: str,
    ) -> dict[str, Any]:
        return {
            "run_id": run_id,
            "client_turn_id": client_turn_id,
            "status": status,
            "text": text,
            "error": error,
            "duration_seconds": duration_seconds,
        }

    def _reply(self, run: Run) -> str:
        """The run's reply, from its file or else its log; the end of it if it is long."""
        log = run_log_path(self._run_logs_dir, run.run_id, run.queued_at)
        for path in (reply_path(log), log):
            try:
                text = read_log(path).decode("utf-8", "replace")
            except OSError:
                continue
            return plain_text(text)[-REPLY_CHARS:]
        return run.output_preview
