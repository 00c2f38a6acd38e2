"""Planned attempts that are dropped, and what becomes of their slots. Parts of transactions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from universal_agent.domain import events
from universal_agent.domain.event_types import RETRY_DROPPED
from universal_agent.domain.job import JobSpec
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import Run, RunStatus
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.missed import move_to_missed
from universal_agent.store.tx import Row, Tx


class Dropped(StrEnum):
    """Why a planned attempt is dropped."""

    #: The job's next slot was admitted first.
    NEXT_SLOT = "next_slot"
    #: Its time passed by more than the job's grace.
    LATE = "late"
    #: The job was switched off.
    JOB_OFF = "job_off"
    JOB_DELETED = "job_deleted"


#: Reasons for which the slot counts as failed: the job is still on.
_COUNTED = (Dropped.NEXT_SLOT, Dropped.LATE)


def drop_retries(tx: Tx, jobs: Mapping[str, JobSpec], why: Dropped, *, now: datetime) -> None:
    """Drop the planned attempts at all slots of these jobs."""
    if jobs:
        rows = tx.all("drop_retries", refs=to_json(list(jobs)), reason=_reason(why))
        _record(tx, rows, jobs, why, now=now)


def drop_retry(
    tx: Tx, key: Mapping[str, object], spec: JobSpec, why: Dropped, *, now: datetime
) -> None:
    """Drop the planned attempt at the slot with this key."""
    rows = tx.all("drop_retry", **key, reason=_reason(why))
    _record(tx, rows, {str(key["source_ref"]): spec}, why, now=now)


def _reason(why: Dropped) -> str:
    return f"{RETRY_DROPPED}:{why}"


def _record(
    tx: Tx, rows: Sequence[Row], jobs: Mapping[str, JobSpec], why: Dropped, *, now: datetime
) -> None:
    for (run_id,) in rows:
        row = tx.one("get_run", run_id=run_id)
        assert row is not None, f"the run {run_id} of a slot is gone"
        run = run_from_row(row)
        spec = jobs[run.source_ref]
        if run.status is RunStatus.INTERRUPTED:
            _miss(tx, run, spec, now=now)
            continue
        tx.append(events.retry_dropped(run, spec, why, now=now))
        if why in _COUNTED and not run.is_outage:
            tx.many("count_outcome", [{"job_id": run.source_ref, "failed": True}])


def _miss(tx: Tx, run: Run, spec: JobSpec, *, now: datetime) -> None:
    """Record the slot of an interrupted run as missed: what the run did is unknown, so a person
    decides.
    """
    number = run.run_id.removeprefix("run_")
    move_to_missed(
        tx,
        run,
        lambda _: spec,
        f"mis_{number}",
        Cause.INTERRUPTED,
        outcome=RunStatus.INTERRUPTED,
        outage_id=f"out_{number}",
        now=now,
    )
