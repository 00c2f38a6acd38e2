"""Processes: registered, kept alive by beats, and closed when they are lost.

A process is lost when it has been silent for too long, or when another fact proves that it is dead.
Its row is the lock: the runs of a lost process are closed in transactions that hold the row, and
the row goes with the last of them. A process without a row claims nothing.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from universal_agent.domain.process import Process
from universal_agent.domain.run import Run, RunId
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.steps.job_versions import spec_of
from universal_agent.store.steps.unreadable_runs import run_or_stand_in
from universal_agent.store.tx import Tx
from universal_agent.store.values import Claimed
from universal_agent.store.verbs.misses import (
    POISON_CRASHES,
    Interruption,
    crashes_of,
    interrupt_left,
)


def register(tx: Tx, process: Process, *, now: datetime) -> None:
    """Insert the process, so that it may claim runs.

    Claims of processes without a row, as earlier versions left them, get one: they are closed like
    those of any lost process.
    """
    tx.run("name_unknown_claims")
    tx.run("insert_unknown_processes")
    tx.run(
        "insert_process",
        process_id=process.process_id,
        host=process.host,
        kind=process.kind,
        started_at=process.started_at.timestamp(),
        now=now.timestamp(),
    )


def beat(tx: Tx, process_id: str, *, now: datetime) -> bool:
    """Record that the process is alive; False when it was given up as lost."""
    return bool(tx.run("beat", process_id=process_id, now=now.timestamp()))


def silent_processes(tx: Tx, *, but: str, silent_for: timedelta | None, now: datetime) -> list[str]:
    """The processes without a beat in that time, except `but`; None: all of them, oldest first."""
    rows = tx.all("silent_processes", but=but, **_silence(silent_for, now))
    return [process_id for (process_id,) in rows]


def left_running(tx: Tx, process_id: str, *, limit: int) -> list[Run]:
    """The runs that a process has claimed and not ended."""
    rows = tx.all("left_running", process_id=process_id, kept="[]", limit=limit)
    return [run_or_stand_in(tx, row) for row in rows]


def count_crash(tx: Tx, process_id: str) -> None:
    """Record with the runs of a process that it has crashed while they were in execution."""
    tx.run("count_crashes", process_id=process_id)


def adopt(tx: Tx, run_ids: Sequence[RunId], *, process_id: str, host: str) -> list[Claimed]:
    """Move the claims on runs that go on without their process to another one.

    A run that has ended, that is to be cancelled, or that was in execution at too many crashes is
    left out.
    """
    rows = tx.all("running_among", run_ids=to_json(list(run_ids)))
    left = [run_or_stand_in(tx, row) for row in rows if row[RUN_WIDTH] is None]
    fit = [run.run_id for run in left if crashes_of(tx, run) < POISON_CRASHES]
    rows = tx.all("adopt_runs", run_ids=to_json(fit), process_id=process_id, host=host)
    runs = decoded(tx, "runs", rows, run_from_row)
    return [Claimed(run=run, spec=spec_of(tx, run)) for run in runs]


def close_process(
    tx: Tx,
    process_id: str,
    *,
    silent_for: timedelta | None,
    now: datetime,
    outage_id: str,
    missed_ids: Sequence[str],
    kept: Collection[RunId] = (),
    planned: bool = False,
) -> tuple[RunId, ...] | None:
    """Close runs that a lost process left `running`, at most one for each of `missed_ids`.

    They become `interrupted`, or cancelled where that was requested; those in `kept` go on. The
    process's row is deleted with the last of them. None when the process is not lost: it has a beat
    again, or another process has closed it.
    """
    if tx.one("lock_silent_process", process_id=process_id, **_silence(silent_for, now)) is None:
        return None
    why = Interruption(now, outage_id, missed_ids, planned=planned)
    closed = interrupt_left(tx, process_id, why, kept=kept)
    tx.run("forget_process", process_id=process_id)
    return closed


def _silence(silent_for: timedelta | None, now: datetime) -> dict[str, float | None]:
    seconds = None if silent_for is None else silent_for.total_seconds()
    return {"silent_for": seconds, "now": now.timestamp()}
