"""Claims: runs that are marked `running` for a process."""

from dataclasses import replace
from datetime import datetime

from universal_agent.domain.process import Process
from universal_agent.domain.run import Run, RunStatus
from universal_agent.store.tx import Tx


def workers_of(tx: Tx, process: Process, free_workers: int) -> int:
    """How many runs the process may claim: none once it was given up as lost.

    Its row is locked from here on, so that its claims are not closed in between.
    """
    if free_workers and tx.one("lock_process", process_id=process.process_id) is None:
        return 0
    return free_workers


def claimed_by(process: Process, run: Run, *, now: datetime) -> Run:
    """The run as the process has claimed it."""
    return replace(
        run,
        status=RunStatus.RUNNING,
        started_at=now,
        host=process.host,
        process_id=process.process_id,
    )
