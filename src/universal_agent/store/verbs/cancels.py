"""Cancelling runs. One that waits ends in the transaction; one in execution is asked to end.

The request is a fact of the run's row and an event: the process that executes the run follows the
log, and a start after a crash closes the run as cancelled, not as interrupted.
"""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.run import Run, RunId
from universal_agent.errors import Conflict, RunNotFound
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.steps.job_versions import spec_of
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.values import Once
from universal_agent.store.verbs.idempotency import recall
from universal_agent.store.verbs.runs import cancel_queued, get_run


def cancel_run(
    tx: Tx,
    run_id: RunId,
    *,
    reason: str,
    by: str,
    now: datetime,
    once: Once | None = None,
) -> Run:
    """Cancel a run that waits, or ask for the end of one in execution; the run as it then is.

    Raises RunNotFound, and Conflict if it has ended, unless `once` has cancelled it before.
    """
    cancelled = (
        recall(tx, once, run_id, now=now) is not None
        or cancel_queued(tx, run_id, now=now, error=reason)
        or request_cancel(tx, run_id, reason=reason, by=by, now=now)
    )
    run = _read(tx, run_id)
    if not cancelled:
        raise Conflict(f"expected a run that waits or runs, got one that ended: {run.status}")
    return run


def cancel_open_runs(
    tx: Tx,
    session_id: str,
    *,
    beats: bool,
    reason: str,
    by: str,
    now: datetime,
    once: Once | None = None,
) -> list[RunId]:
    """Cancel a session's turn, and with `beats` its beats, as `cancel_run` does each.

    Returns these runs; with a known `once`, those of the first request.
    """
    rows = tx.all("open_runs_of_session", session_id=session_id)
    runs = [run for run in map(run_from_row, rows) if beats or run.brings_spec]
    made = recall(tx, once, " ".join(run.run_id for run in runs), now=now)
    if made is not None:
        return [RunId(run_id) for run_id in made.split()]
    for run in runs:
        if not cancel_queued(tx, run.run_id, now=now, error=reason):
            request_cancel(tx, run.run_id, reason=reason, by=by, now=now)
    return [run.run_id for run in runs]


def _read(tx: Tx, run_id: RunId) -> Run:
    run = get_run(tx, run_id)
    if run is None:
        raise RunNotFound(f"There is no run {run_id!r}.")
    return run


def request_cancel(tx: Tx, run_id: RunId, *, reason: str, by: str, now: datetime) -> bool:
    """Ask for the end of a run in execution; False if it is not in execution.

    The first request counts: a further one changes nothing.
    """
    row = tx.one("running_run", run_id=run_id)
    if row is None:
        return False
    if row[RUN_WIDTH] is None:
        run = run_from_row(row)
        if tx.run("request_cancel", run_id=run_id, reason=reason):
            spec = spec_of(tx, run)
            tx.append(events.cancel_requested(run, spec, reason=reason, by=by, now=now))
    return True


@in_lane(Lane.ENGINE)
def cancels_requested(tx: Tx) -> Sequence[tuple[RunId, str]]:
    """The runs in execution that were asked to end, and why."""
    return [(RunId(run_id), reason) for run_id, reason in tx.all("cancels_requested")]
