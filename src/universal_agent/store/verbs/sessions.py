"""Sessions and their turns."""

from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.session import Admitted, Session, Turn
from universal_agent.domain.slot import from_epoch
from universal_agent.errors import Conflict, SessionNotFound
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.slots import queue_extra
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import Once, SessionEnd
from universal_agent.store.verbs.cancels import request_cancel
from universal_agent.store.verbs.idempotency import answer_of, recall
from universal_agent.store.verbs.jobs import delete_job, get_job
from universal_agent.store.verbs.runs import cancel_queued

#: How long equal words without an id from the client count as the same turn.
_SAME_WORDS = timedelta(seconds=5)


def session_from_row(row: Row) -> Session:
    session_id, user_id, workspace_dir, source, metadata, created_at, last_active_at, busy = row
    return Session(
        session_id=session_id,
        user_id=user_id,
        workspace_dir=workspace_dir,
        created_at=from_epoch(created_at),
        last_active_at=from_epoch(last_active_at),
        source=source,
        metadata=from_json(metadata),
        busy=bool(busy),
    )


def create_session(tx: Tx, session: Session, *, now: datetime) -> Session:
    """Insert a session, or return the one that its owner has in that workspace already.

    Raises Conflict when the workspace is another user's, or the id was taken before.
    """
    held = tx.one("session_in_workspace", workspace_dir=session.workspace_dir)
    if held is not None:
        there = session_from_row(held)
        if there.user_id != session.user_id:
            raise Conflict("This workspace is another session's.", field="workspace_dir")
        return there
    if tx.one("workspace_of_others", workspace_dir=session.workspace_dir, user_id=session.user_id):
        # In it, around it, or its former one: files left there are not for others to read.
        raise Conflict("This workspace is another user's.", field="workspace_dir")
    # A session without a given folder gets a new one, which no job can know yet.
    if session.workspace_dir != session.session_id and tx.one(
        "workspace_of_others_jobs",
        workspace_dir=session.workspace_dir,
        user_id=session.user_id,
    ):
        raise Conflict("A job of another user works in this workspace.", field="workspace_dir")
    if not tx.run(
        "create_session",
        session_id=session.session_id,
        user_id=session.user_id,
        workspace_dir=session.workspace_dir,
        source=session.source,
        metadata=to_json(session.metadata),
        now=now.timestamp(),
    ):
        held = tx.one("session_in_workspace", workspace_dir=session.workspace_dir)
        if held is not None and session_from_row(held).user_id == session.user_id:
            return session_from_row(held)  # another process has made it in between
        raise Conflict(f"There was a session {session.session_id!r} before.", field="session_id")
    tx.append(events.session_created(session, now=now))
    return session


def get_session(tx: Tx, session_id: str) -> Session | None:
    """The session, or None when there is none or it was deleted."""
    row = tx.one("get_session", session_id=session_id)
    return None if row is None else session_from_row(row)


def list_sessions(tx: Tx, *, limit: int, cursor: str = "") -> list[Session]:
    """Sessions in the order of their ids, from after `cursor`."""
    rows = tx.all("list_sessions", limit=limit, cursor=cursor)
    return decoded(tx, "sessions", rows, session_from_row)


def count_sessions(tx: Tx) -> int:
    """How many sessions there are."""
    row = tx.one("count_sessions")
    return int(row[0]) if row else 0


def busy_sessions(tx: Tx) -> list[str]:
    """The sessions with a queued or running turn or beat."""
    return [str(row[0]) for row in tx.all("busy_sessions")]


def touch_session(tx: Tx, session_id: str, *, now: datetime) -> None:
    """Record that a client was active."""
    tx.run("touch_session", session_id=session_id, now=now.timestamp())


def delete_session(
    tx: Tx,
    session_id: str,
    *,
    by: str,
    now: datetime,
    beats: Job | None = None,
    closed_at: datetime | None = None,
) -> SessionEnd | None:
    """Delete a session with its beats, whose expectation ends at `closed_at`; cancel queued runs.

    Its history stays. Returns None when the session's beats are not as in `beats`, under the same
    conditions as `update_job`. Raises SessionNotFound.
    """
    session = _existing(tx, session_id)
    job = get_job(tx, session_id)
    if (job is None) is not (beats is None):
        return None
    open_runs = [run_from_row(row) for row in tx.all("open_runs_of_session", session_id=session_id)]
    if beats is not None:
        assert closed_at is not None
        if not delete_job(tx, beats, closed_at=closed_at, now=now):
            return None
    for run in open_runs:
        # Runs of the beats' job are cancelled with the job.
        cancel_queued(tx, run.run_id, now=now, reason="session_deleted")
        request_cancel(tx, run.run_id, reason=f"its session was deleted by {by}", by=by, now=now)
    tx.run("delete_session", session_id=session_id, now=now.timestamp())
    tx.append(events.session_deleted(session, by=by, now=now))
    return SessionEnd(
        cancelled=tuple(run.run_id for run in open_runs if run.status is RunStatus.QUEUED),
        running=tuple(run.run_id for run in open_runs if run.status is RunStatus.RUNNING),
    )


def _existing(tx: Tx, session_id: str) -> Session:
    session = get_session(tx, session_id)
    if session is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    return session


def add_turn(
    tx: Tx, session_id: str, run_id: RunId, spec: JobSpec, *, now: datetime, once: Once | None
) -> Turn:
    """Queue a turn, unless the same one was queued before or another one is open.

    Two turns are the same under one `once`, or without it when their words are equal within a few
    seconds. Raises SessionNotFound, or Conflict when `once` is another request's.
    """
    _existing(tx, session_id)
    before = _same_turn(tx, session_id, spec, now=now, once=once)
    if before is not None:
        done = before.status.is_final
        return Turn(
            run=before,
            admitted=Admitted.DUPLICATE_COMPLETED if done else Admitted.DUPLICATE_IN_PROGRESS,
        )
    for row in tx.all("open_runs_of_session", session_id=session_id):
        run = run_from_row(row)
        if run.brings_spec:
            return Turn(run=run, admitted=Admitted.BUSY)
    recall(tx, once, run_id, now=now)
    run = queue_extra(
        tx,
        run_id,
        spec,
        source="session",
        source_ref=session_id,
        version=0,
        trigger=Trigger.TURN,
        now=now,
    )
    tx.run("touch_session", session_id=session_id, now=now.timestamp())
    return Turn(run=run, admitted=Admitted.NEW)


def _same_turn(
    tx: Tx, session_id: str, spec: JobSpec, *, now: datetime, once: Once | None
) -> Run | None:
    if once is None:
        row = tx.one(
            "said_before",
            session_id=session_id,
            text=spec.command,
            since=(now - _SAME_WORDS).timestamp(),
        )
    else:
        made = answer_of(tx, once)
        row = None if made is None else tx.one("get_run", run_id=made)
    return None if row is None else run_from_row(row)


def open_runs(tx: Tx, session_id: str) -> list[Run]:
    """Turns and beats of the session that are queued or running."""
    rows = tx.all("open_runs_of_session", session_id=session_id)
    return decoded(tx, "runs", rows, run_from_row)


def untold_turn(tx: Tx, session_id: str) -> Run | None:
    """The latest turn, when it has ended and no client got its end."""
    row = tx.one("untold_turn", session_id=session_id)
    return None if row is None else run_from_row(row)


def turn_told(tx: Tx, session_id: str, run_id: RunId) -> None:
    """Record that a client got the turn's end."""
    tx.run("turn_told", session_id=session_id, run_id=run_id)
