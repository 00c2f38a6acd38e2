"""Closing runs whose rows cannot be read, so that their jobs go on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from universal_agent.domain import events
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import from_epoch
from universal_agent.store.rows.runs import RUN_WIDTH, run_from_row
from universal_agent.store.tx import Row, Tx

T = TypeVar("T")


def run_or_stand_in(tx: Tx, row: Row) -> Run:
    """The run of a row; fields that cannot be read have defaults."""
    try:
        return run_from_row(row)
    except Exception as error:
        tx.set_aside.add("runs", row[0], error)
        return _stand_in(row)


def _stand_in(row: Row) -> Run:
    run_id, source, source_ref, status, trigger, attempt, scheduled_at = row[:7]
    has_slot, version, queued_at, started_at = row[7:11]
    never = from_epoch(0)
    return Run(
        run_id=RunId(str(run_id)),
        source=str(source),
        source_ref=str(source_ref),
        status=_or(lambda: RunStatus(status), RunStatus.ERROR),
        trigger=_or(lambda: Trigger(trigger), Trigger.SCHEDULE),
        attempt=_or(lambda: int(attempt), 1),
        scheduled_at=_or(lambda: from_epoch(scheduled_at), never),
        has_slot=bool(has_slot),
        job_version=_or(lambda: int(version), 0),
        queued_at=_or(lambda: from_epoch(queued_at), never),
        started_at=_or(lambda: from_epoch(started_at), None),
        process_id=None if row[RUN_WIDTH - 1] is None else str(row[RUN_WIDTH - 1]),
    )


def _or(read: Callable[[], T], default: T) -> T:
    try:
        return read()
    except (ValueError, TypeError, OverflowError, OSError):
        return default


def close_unreadable(
    tx: Tx, row: Row, status: RunStatus, error: Exception, *, now: datetime
) -> None:
    """End an open run that cannot be read, and its slot."""
    tx.set_aside.add("runs", row[0], error)
    text = f"what is stored of this run cannot be read ({type(error).__name__}: {error})"[:500]
    if not tx.run("close_run", run_id=row[0], status=status, now=now.timestamp(), error=text):
        return
    if row[7]:
        tx.run(
            "set_slot_outcome",
            source=row[1],
            source_ref=row[2],
            scheduled_at=row[6],
            run_id=row[0],
            outcome=status,
            reason=None,
            retry_at=None,
        )
    event = _closed(_stand_in(row[:RUN_WIDTH]), status, text, now=now)
    if event is not None:
        tx.append(event)


def _closed(run: Run, status: RunStatus, text: str, *, now: datetime) -> events.NewEvent | None:
    """The event of a closed run; None when the run's source is unknown."""
    kind = events.FAILED_RUN.get(run.source)
    if kind is None:
        return None
    record: dict[str, Any] = events.run_record(run)
    record |= {"status": status, "finished_at": now.timestamp(), "error": text}
    return events.NewEvent(
        source=run.source,
        type=kind,
        timestamp=now,
        source_ref=run.source_ref,
        owner_id="",
        session_id=None,
        status=status,
        data={"run": record},
    )
