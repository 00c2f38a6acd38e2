"""How is kept what waits to be told to a session's beat? Each function is part of a transaction.

An event is handed to the beat that starts next, and let go when that has run well; until then it
stays, and is handed to the one after.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import Job
from universal_agent.domain.run import Run, RunStatus, Trigger
from universal_agent.domain.slot import Source, from_epoch
from universal_agent.domain.system_event import SystemEvent, WakeMode, wake
from universal_agent.store.base import Claimed
from universal_agent.store.job_verbs import read_job
from universal_agent.store.rows import SpecCache, run_from_row
from universal_agent.store.session_store import Told, Wake
from universal_agent.store.set_aside import decoded
from universal_agent.store.slots import queue_extra
from universal_agent.store.tx import Row, Tx, from_json, to_json


def queue_event(tx: Tx, event: SystemEvent, *, keep: int) -> None:
    """Keep an event; of a session's more than `keep` the oldest are let go."""
    tx.run(
        "queue_system_event",
        session_id=event.session_id,
        event_type=event.event_type,
        payload=to_json(event.payload),
        created_at=event.created_at.timestamp(),
        created_by=event.created_by,
    )
    tx.run("trim_system_events", session_id=event.session_id, keep=keep)


def events_of(tx: Tx, session_id: str) -> list[SystemEvent]:
    """What waits to be told to the session, oldest first."""
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


def hand_over(tx: Tx, claimed: Claimed) -> Claimed:
    """A run that starts, with what it is to be told when it is a beat."""
    if claimed.run.source != Source.HEARTBEAT:
        return claimed
    run = claimed.run
    rows = tx.all("hand_over", run_id=run.run_id, session_id=run.source_ref)
    return replace(claimed, notes=tuple(decoded(tx, "system_events", sorted(rows), _from_row)))


def acknowledge(tx: Tx, run: Run) -> None:
    """A beat has ended: what it was told is let go when it ran well, and the wake in any case.

    A wake for the next beat waits on where that was skipped.
    """
    if run.source == Source.HEARTBEAT:
        tx.run(
            "acknowledge",
            run_id=run.run_id,
            ran_well=run.status is RunStatus.SUCCESS,
            ran=run.status is not RunStatus.SKIPPED,
        )


def wake_beat(tx: Tx, job: Job, asked: Wake, *, now: datetime) -> Run | None:
    waiting = [WakeMode(word) for (word,) in tx.all("drop_wakes", session_id=job.job_id)]
    kept = WakeMode.NOW if WakeMode.NOW in waiting else asked.mode
    note = wake(job.job_id, kept, reason=asked.reason, by=asked.by, now=now)
    queue_event(tx, note, keep=asked.keep)
    row = tx.one("waiting_beat", session_id=job.job_id)
    # The beat that waits already: however often somebody asks, it is one.
    waits = None if row is None else run_from_row(row)
    at_once = asked.mode is WakeMode.NOW
    run_id = (asked.run_id if waits is None else waits.run_id) if at_once else None
    tx.append(
        events.wake_requested(
            job, now=now, mode=asked.mode, reason=asked.reason, by=asked.by, run_id=run_id
        )
    )
    if not at_once:
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


def tell_beats(
    tx: Tx,
    told: Sequence[SystemEvent],
    wakes: Sequence[Wake],
    *,
    keep: int,
    specs: SpecCache,
    now: datetime,
) -> Told:
    session_ids = dict.fromkeys((*(e.session_id for e in told), *(w.session_id for w in wakes)))
    jobs: dict[str, Job] = {}
    for session_id in session_ids:
        job = read_job(tx, session_id, specs)
        if job is not None and job.source is Source.HEARTBEAT:
            jobs[session_id] = job
    for event in told:
        if event.session_id in jobs:
            queue_event(tx, event, keep=keep)
    runs = [
        wake_beat(tx, jobs[asked.session_id], asked, now=now)
        for asked in wakes
        if asked.session_id in jobs
    ]
    return Told(session_ids=tuple(jobs), runs=tuple(run for run in runs if run is not None))
