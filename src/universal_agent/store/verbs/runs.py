"""Runs: looked up, listed, and cancelled while they wait."""

from collections.abc import Collection
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.domain.slot import SlotKey, epoch
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.job_versions import spec_of
from universal_agent.store.tx import Tx

#: Sorts after every run id.
_LAST = "~"


def get_run(tx: Tx, run_id: str) -> Run | None:
    """The run, or None."""
    row = tx.one("get_run", run_id=run_id)
    return None if row is None else run_from_row(row)


def count_waiting(tx: Tx) -> int:
    """How many runs wait for a worker."""
    row = tx.one("count_waiting_runs")
    return 0 if row is None else int(row[0])


def run_of_slot(tx: Tx, slot: SlotKey) -> RunId | None:
    """The id of the slot's last attempt, or None."""
    row = tx.one(
        "run_of_slot",
        source=slot.source,
        source_ref=slot.source_ref,
        scheduled_at=epoch(slot.scheduled_at),
    )
    return None if row is None or row[0] is None else RunId(row[0])


def list_runs(
    tx: Tx,
    *,
    job_id: str | None = None,
    source: str | None = "cron",
    statuses: Collection[str] | None = None,
    limit: int,
    before: str | None = None,
) -> list[Run]:
    """Runs, newest first, from before the run `before`; None lists every source or status."""
    asked = {
        "source": source,
        "statuses": None if statuses is None else to_json(list(statuses)),
        "limit": limit,
        "before": before or _LAST,
    }
    if job_id is None:
        rows = tx.all("list_runs", **asked)
    else:
        rows = tx.all("list_runs_of_job", job_id=job_id, **asked)
    return decoded(tx, "runs", rows, run_from_row)


def cancel_queued(
    tx: Tx,
    run_id: RunId,
    *,
    now: datetime,
    reason: str | None = None,
    error: str | None = None,
) -> bool:
    """Cancel a queued run; False when it is not queued."""
    error = error or "cancelled while it waited for a worker"
    return drop_queued(tx, run_id, RunStatus.CANCELLED, error=error, reason=reason, now=now)


def drop_queued(
    tx: Tx,
    run_id: RunId,
    status: RunStatus,
    *,
    error: str | None,
    reason: str | None,
    now: datetime,
) -> bool:
    """Close a queued run; False when it is not queued."""
    row = tx.one(
        "drop_queued_run",
        run_id=run_id,
        status=status,
        error=error,
        reason=reason,
        now=now.timestamp(),
    )
    if row is None:
        return False
    run = run_from_row(row)
    if run.has_slot:
        tx.run(
            "set_slot_outcome",
            source=run.source,
            source_ref=run.source_ref,
            scheduled_at=epoch(run.scheduled_at),
            run_id=run.run_id,
            outcome=run.status,
            reason=reason,
            retry_at=None,
        )
    tx.append(events.run_changed(run, spec_of(tx, run), now=now))
    return True
