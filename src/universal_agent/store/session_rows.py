"""How are sessions and their turns kept? Each function is part of a transaction."""

from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.session import Admitted, Session, Turn
from universal_agent.domain.slot import from_epoch
from universal_agent.errors import Conflict, SessionNotFound
from universal_agent.store.base import Once
from universal_agent.store.job_verbs import cancel_queued, delete_job, made_by, read_job, recall
from universal_agent.store.rows import SpecCache, run_from_row
from universal_agent.store.session_store import SessionEnd
from universal_agent.store.slots import queue_extra
from universal_agent.store.tx import Row, Tx, from_json, to_json

#: How long the same words without an id of the client's are taken for the same turn.
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
    """Keep a new session; the one that its owner has in the workspace already, if there is one.

    Raises Conflict when the workspace is somebody else's, or the id was taken before.
    """
    held = tx.one("session_in_workspace", workspace_dir=session.workspace_dir)
    if held is not None:
        there = session_from_row(held)
        if there.user_id != session.user_id:
            raise Conflict("This workspace is another session's.", field="workspace_dir")
        return there
    if tx.one("workspace_of_others", workspace_dir=session.workspace_dir, user_id=session.user_id):
        # In it, around it, or once its own: what they have left there is not for others to read.
        raise Conflict("This workspace is another user's.", field="workspace_dir")
    # A session that was given no folder has one of its own, which no job can know yet.
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
        raise Conflict(f"There was a session {session.session_id!r} before.", field="session_id")
    tx.append(events.session_created(session, now=now))
    return session


def read_session(tx: Tx, session_id: str) -> Session | None:
    row = tx.one("get_session", session_id=session_id)
    return None if row is None else session_from_row(row)


def delete_session(
    tx: Tx,
    session_id: str,
    *,
    by: str,
    now: datetime,
    beats: Job | None,
    closed_at: datetime | None,
    specs: SpecCache,
) -> SessionEnd | None:
    session = _existing(tx, session_id)
    job = read_job(tx, session_id, specs)
    if (job is None) is not (beats is None):
        return None
    open_runs = [run_from_row(row) for row in tx.all("open_runs_of_session", session_id=session_id)]
    if beats is not None:
        assert closed_at is not None
        if not delete_job(tx, beats, specs=specs, closed_at=closed_at, now=now):
            return None
    for run in open_runs:
        # Those of the beats' job are cancelled with it.
        cancel_queued(tx, run.run_id, specs=specs, now=now, reason="session_deleted")
    tx.run("delete_session", session_id=session_id, now=now.timestamp())
    tx.append(events.session_deleted(session, by=by, now=now))
    return SessionEnd(
        cancelled=tuple(run.run_id for run in open_runs if run.status is RunStatus.QUEUED),
        running=tuple(run.run_id for run in open_runs if run.status is RunStatus.RUNNING),
    )


def _existing(tx: Tx, session_id: str) -> Session:
    session = read_session(tx, session_id)
    if session is None:
        raise SessionNotFound(f"There is no session {session_id!r}.")
    return session


def add_turn(
    tx: Tx, session_id: str, run_id: RunId, spec: JobSpec, *, now: datetime, once: Once | None
) -> Turn:
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
        made = made_by(tx, once)
        row = None if made is None else tx.one("get_run", run_id=made)
    return None if row is None else run_from_row(row)
