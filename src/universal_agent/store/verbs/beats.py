"""Heartbeats: their jobs, wakes, and the system events that wait for a session's next beat.

A system event is delivered to the beat that starts next and is deleted when that beat succeeds.
Otherwise it is delivered to the following beat.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.run import Run, RunStatus, Trigger
from universal_agent.domain.slot import Source, from_epoch
from universal_agent.domain.system_event import SystemEvent, WakeMode, wake
from universal_agent.errors import SessionNotFound
from universal_agent.store.effects import effect_unless
from universal_agent.store.encoding import from_json, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.jobs import job_from_row
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.slots import queue_extra
from universal_agent.store.tx import Row, Tx
from universal_agent.store.values import Claimed, Told, Wake
from universal_agent.store.verbs.jobs import get_job


def queue_event(tx: Tx, event: SystemEvent, *, keep: int) -> None:
    """Insert a system event, and delete the oldest ones of the session beyond `keep`."""
    tx.run(
        "queue_system_event",
        session_id=event.session_id,
        event_type=event.event_type,
        payload=to_json(event.payload),
        created_at=event.created_at.timestamp(),
        created_by=event.created_by,
    )
    tx.run("trim_system_events", session_id=event.session_id, keep=keep)


def system_events(tx: Tx, session_id: str) -> list[SystemEvent]:
    """System events that no successful beat of the session has had yet, oldest first."""
    rows = tx.all("system_events_of", session_id=session_id)
    return decoded(tx, "system_events", rows, _from_row)


def _from_row(row: Row) -> SystemEvent:
    event_id, session_id, event_type, payload, created_at, created_by = row
    return SystemEvent(
        event_id=event_id,
        session_id=session_id,
        event_type=event_type,
        payload=from_json(payload),
        created_at=from_epoch(created_at),
        created_by=created_by,
    )


def deliver_events(tx: Tx, claimed: Claimed) -> Claimed:
    """The run that starts; a beat gets the system events that wait for its session."""
    if claimed.run.source != Source.HEARTBEAT:
        return claimed
    run = claimed.run
    rows = tx.all("deliver_events", run_id=run.run_id, session_id=run.source_ref)
    return replace(claimed, notes=tuple(decoded(tx, "system_events", sorted(rows), _from_row)))


def acknowledge(tx: Tx, run: Run) -> None:
    """Delete the system events of a beat that succeeded, and its wake in any case.

    A wake for the next beat stays when the beat was skipped.
    """
    if run.source == Source.HEARTBEAT:
        tx.run(
            "acknowledge",
            run_id=run.run_id,
            ran_well=run.status is RunStatus.SUCCESS,
            ran=run.status is not RunStatus.SKIPPED,
        )


def queue_wake(tx: Tx, job: Job, asked: Wake, *, now: datetime) -> Run | None:
    """As `wake_beat`, for the beats' job."""
    waiting = [WakeMode(word) for (word,) in tx.all("drop_wakes", session_id=job.job_id)]
    kept = WakeMode.NOW if WakeMode.NOW in waiting else asked.mode
    note = wake(job.job_id, kept, reason=asked.reason, by=asked.by, now=now)
    queue_event(tx, note, keep=asked.keep)
    row = tx.one("waiting_beat", session_id=job.job_id)
    # A beat that is queued already: any number of wakes is one beat.
    waits = None if row is None else run_from_row(row)
    is_now = asked.mode is WakeMode.NOW
    run_id = (asked.run_id if waits is None else waits.run_id) if is_now else None
    tx.append(
        events.wake_requested(
            job, now=now, mode=asked.mode, reason=asked.reason, by=asked.by, run_id=run_id
        )
    )
    if not is_now:
        return None
    return waits or queue_extra(
        tx,
        asked.run_id,
        job.spec,
        source=job.source,
        source_ref=job.job_id,
        version=job.version,
        trigger=Trigger.WAKE,
        now=now,
    )


@effect_unless()
def wake_beat(tx: Tx, wake: Wake, *, now: datetime) -> Run | None:
    """Queue a wake for the session's next beat, in place of a wake that waits.

    With mode `now`, returns the run that will be that beat: one that is queued already, or a new
    one without a slot. Raises SessionNotFound when the session has no beats.
    """
    job = get_job(tx, wake.session_id)
    if job is None or job.source is not Source.HEARTBEAT:
        raise SessionNotFound(f"There is no session {wake.session_id!r} with heartbeats.")
    return queue_wake(tx, job, wake, now=now)


def list_beats(tx: Tx) -> list[Job]:
    """The beats of every session that has them; the job's id is the session's."""
    rows = tx.all("list_beats")
    return decoded(tx, "jobs", rows, lambda row: job_from_row(row, tx.specs))


def tell_beats(
    tx: Tx,
    told: Sequence[SystemEvent],
    wakes: Sequence[Wake],
    *,
    keep: int,
    now: datetime,
) -> Told:
    """Queue system events (at most `keep` for each session) and wake sessions.

    Sessions without beats are left out.
    """
    session_ids = dict.fromkeys((*(e.session_id for e in told), *(w.session_id for w in wakes)))
    jobs: dict[str, Job] = {}
    for session_id in session_ids:
        job = get_job(tx, session_id)
        if job is not None and job.source is Source.HEARTBEAT:
            jobs[session_id] = job
    for event in told:
        if event.session_id in jobs:
            queue_event(tx, event, keep=keep)
    runs = [
        queue_wake(tx, jobs[asked.session_id], asked, now=now)
        for asked in wakes
        if asked.session_id in jobs
    ]
    return Told(session_ids=tuple(jobs), runs=tuple(run for run in runs if run is not None))
