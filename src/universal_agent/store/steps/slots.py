"""Runs and slots, written in bulk: inserted, queued, brought to an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.job import (
    PRIORITY_ORDER,
    JobSpec,
    OnMiss,
    Overlap,
    is_light,
    spec_to_record,
)
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import epoch
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.tx import Tx


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to insert."""

    run: Run
    spec: JobSpec
    #: Seconds that the run may wait for a worker; None: without limit.
    patience: int | None = None


def queue_patience(spec: JobSpec, *, is_held: bool) -> int | None:
    """Seconds that a slot's run may wait; `is_held`: a cooldown of a resource holds it.

    Such a run waits for as long as its job's miss policy lets a missed slot wait.
    """
    policy = spec.policy
    if is_held and policy.on_miss in (OnMiss.RUN_LATEST, OnMiss.RUN_ALL):
        return policy.useful_for_seconds
    return policy.queue_limit_seconds


def insert_runs(tx: Tx, new: Sequence[NewRun]) -> None:
    """Insert runs."""
    tx.many("insert_run", [_run_params(item) for item in new])


def queue_extra(
    tx: Tx,
    run_id: RunId,
    spec: JobSpec,
    *,
    source: str,
    source_ref: str,
    version: int,
    trigger: Trigger,
    now: datetime,
) -> Run:
    """Queue a run that no slot asks for."""
    run = Run(
        run_id=run_id,
        source=source,
        source_ref=source_ref,
        status=RunStatus.QUEUED,
        trigger=trigger,
        attempt=1,
        scheduled_at=now,
        has_slot=False,
        job_version=version,
        queued_at=now,
    )
    insert_runs(tx, [NewRun(run, spec)])
    tx.append(events.run_changed(run, spec, now=now))
    return run


def _run_params(item: NewRun) -> dict[str, object]:
    run, spec = item.run, item.spec
    queued_at = run.queued_at.timestamp()
    return {
        "run_id": run.run_id,
        "source": run.source,
        "source_ref": run.source_ref,
        "scheduled_at": run.scheduled_at.timestamp(),
        "has_slot": run.has_slot,
        "job_version": run.job_version,
        "status": run.status,
        "trigger": run.trigger,
        "attempt": run.attempt,
        "priority": PRIORITY_ORDER[spec.priority],
        "serial": spec.policy.overlap is not Overlap.ALLOW,
        "queued_at": queued_at,
        "queue_until": None if item.patience is None else queued_at + item.patience,
        "started_at": stamp(run.started_at),
        "host": run.host,
        "process_id": run.process_id,
        "approved_by": run.approved_by,
        "spec": to_json(spec_to_record(spec)) if run.brings_spec else None,
        "pool": spec.pool,
        "light": is_light(spec),
        "useful_until": useful_until(spec, run.scheduled_at) if run.trigger.is_late else None,
    }


def useful_until(spec: JobSpec, slot: datetime) -> float | None:
    """Until when the run of a missed slot is useful, in epoch seconds; None: without limit."""
    useful = spec.policy.useful_for_seconds
    return None if useful is None else slot.timestamp() + useful


def set_outcomes(tx: Tx, runs: Sequence[tuple[Run, datetime | None]]) -> None:
    """Set the outcomes of the runs' slots to the runs' status, each with the time of its retry."""
    tx.many(
        "set_slot_outcome",
        [
            {
                "source": run.source,
                "source_ref": run.source_ref,
                "scheduled_at": epoch(run.scheduled_at),
                "run_id": run.run_id,
                "outcome": run.status,
                "reason": run.reason,
                "retry_at": stamp(retry_at),
            }
            for run, retry_at in runs
            if run.has_slot
        ],
    )
