"""How is a turn taken in a session, and how do its clients hear of it?

A turn is a run of the agent: queued, executed, recorded and recovered as any other. While it goes
on, what it says is passed on to the clients as it comes. How it ended is told to those who are
there; when nobody is, it waits in the store for the next one that attaches.
"""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.events import Event
from universal_agent.domain.job import JobSpec, Priority
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.schedule import make_once
from universal_agent.domain.session import Admitted, Session, Turn
from universal_agent.engine.executor import Executor
from universal_agent.engine.hub import Attachment, Hub
from universal_agent.engine.ids import new_id
from universal_agent.engine.run_ends import ended_run
from universal_agent.errors import InvalidInput
from universal_agent.metrics import Metrics
from universal_agent.runners.base import Runner
from universal_agent.runners.output import (
    ReplyListener,
    plain_text,
    read_log,
    reply_path,
    run_log_path,
)
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once

#: Who answers a turn. Never a shell: what is said is words.
AGENT = "agent"

#: How much of a reply a client that comes later is given.
REPLY_CHARS = 256 * 1024

_COUNTERS = {
    Admitted.BUSY: "turn_busy_rejected",
    Admitted.DUPLICATE_IN_PROGRESS: "turn_duplicate_in_progress",
    Admitted.DUPLICATE_COMPLETED: "turn_duplicate_completed",
}


@dataclass(slots=True)
class _Live:
    """A turn that waits or runs."""

    run_id: RunId
    session_id: str
    client_turn_id: str | None
    #: What it has said so far.
    text: str = ""


class Turns:
    """The turns of all sessions."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        executor: Executor,
        hub: Hub,
        *,
        agent: Runner | None,
        run_logs_dir: Path,
    ) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._executor = executor
        self._hub = hub
        self._agent = agent
        self._run_logs_dir = run_logs_dir
        #: Turns that were asked for here, or started here, and whose end was not told yet.
        self._live: dict[RunId, _Live] = {}
        #: The turn that is under way, by session.
        self._under_way: dict[str, RunId] = {}
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

        Raises InvalidInput when it could not be answered, SessionNotFound, or Conflict when the
        client's id is that of other words.
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
                # Somebody waits for it.
                "priority": Priority.CRITICAL,
                "turn": dict(metadata),
            },
        )
        once = None
        if client_turn_id is not None:
            once = Once(
                key=f"turn {session.session_id} {client_turn_id}",
                fingerprint=hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
            )
        # Before it is kept: it may be executed, and even end, before this goes on.
        self._live[run_id] = _Live(run_id, session.session_id, client_turn_id)
        try:
            turn = await self._store.write(
                verbs.sessions.add_turn, session.session_id, run_id, spec, now=now, once=once
            )
        except Exception:
            self._live.pop(run_id, None)
            raise
        finally:
            # Also for a caller that is cancelled while the turn is committed.
            self._executor.look_for_work()
        if turn.admitted is not Admitted.NEW:
            self._live.pop(run_id, None)
            self._metrics.count(_COUNTERS[turn.admitted])
        elif run_id in self._live:
            self._under_way[session.session_id] = run_id
        return turn

    async def cancel(
        self,
        session_id: str,
        reason: str,
        *,
        beats: bool,
        only: Collection[RunId] | None = None,
    ) -> list[RunId]:
        """Stop the turn that waits or runs, with `beats` those too; which runs those were.

        With `only`, no other runs than these.
        """
        stopped = []
        for run in await self._store.read(verbs.sessions.open_runs, session_id):
            if not (beats or run.brings_spec) or (only is not None and run.run_id not in only):
                continue
            if run.status is RunStatus.QUEUED:
                now = self._clock.now()
                if await self._store.write(
                    verbs.runs.cancel_queued, run.run_id, now=now, error=reason
                ):
                    stopped.append(run.run_id)
            elif self._executor.cancel(run.run_id, reason):
                stopped.append(run.run_id)
        return stopped

    def stop(self, run_ids: Sequence[RunId], reason: str) -> list[RunId]:
        """Stop runs that are in execution; which of them were."""
        return [run_id for run_id in run_ids if self._executor.cancel(run_id, reason)]

    # -- hearing: the executor calls these, and is not held up

    def listen(self, run: Run) -> ReplyListener:
        """Passes on what a turn says to its session's clients, from its start on."""
        session_id = run.source_ref
        live = self._live.setdefault(run.run_id, _Live(run.run_id, session_id, None))
        self._under_way[session_id] = run.run_id
        self._hub.publish(
            session_id,
            "status",
            {"status": "running", "run_id": live.run_id, "client_turn_id": live.client_turn_id},
        )

        def pass_on(text: str) -> None:
            said = plain_text(text)
            live.text = (live.text + said)[-REPLY_CHARS:]
            self._hub.publish(session_id, "text", {"run_id": live.run_id, "text": said})

        def restart() -> None:
            live.text = ""
            message = {"run_id": live.run_id, "text": "", "restart": True}
            self._hub.publish(session_id, "text", message)

        return ReplyListener(pass_on, restart)

    def notice(self, event: Event) -> None:
        """A turn has ended, in whatever way, and that is recorded: tell its session's clients."""
        run_id = ended_run(event) if event.source == "session" else None
        if run_id is None:
            return
        session_id, run = event.source_ref, event.data["run"]
        live = self._live.pop(run_id, None) or _Live(run_id, session_id, None)
        if self._under_way.get(session_id) == run_id:
            del self._under_way[session_id]
        began, ended = run["started_at"], run["finished_at"]
        result = self._result(
            run_id,
            client_turn_id=live.client_turn_id,
            status=RunStatus(run["status"]),
            error=run["error"],
            duration_seconds=None if began is None else ended - began,
            text=live.text,
        )
        if self._hub.publish(session_id, "query_complete", result):
            self._told.append((session_id, run_id))
            self._news.set()

    async def run(self) -> None:
        """Record which ends were told, for ever; one that is not recorded is told again."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._told:
                session_id, run_id = self._told.pop(0)
                await self._store.write(verbs.sessions.turn_told, session_id, run_id)

    # -- catching up

    def state(self, session_id: str) -> dict[str, Any] | None:
        """The turn that is under way, with what it has said so far; None when there is none."""
        live = self._live_in(session_id)
        if live is None:
            return None
        return {
            "run_id": live.run_id,
            "client_turn_id": live.client_turn_id,
            "text": live.text,
        }

    def _live_in(self, session_id: str) -> _Live | None:
        run_id = self._under_way.get(session_id)
        return None if run_id is None else self._live.get(run_id)

    async def catch_up(self, attachment: Attachment) -> None:
        """Tell a client that has attached how the last turn ended, when nobody was told."""
        session_id = attachment.session_id
        run = await self._store.read(verbs.sessions.untold_turn, session_id)
        live = self._live_in(session_id)
        if run is None or (live is not None and live.run_id == run.run_id):
            return  # of one that is about to be told, everybody hears
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
        """What the run has replied, from its file or else its log; its end when it is long."""
        log = run_log_path(self._run_logs_dir, run.run_id, run.queued_at)
        for path in (reply_path(log), log):
            try:
                text = read_log(path).decode("utf-8", "replace")
            except OSError:
                continue
            return plain_text(text)[-REPLY_CHARS:]
        return run.output_preview
