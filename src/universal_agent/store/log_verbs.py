"""What happened, read back: the event log, runs, the ledger's facts."""

from collections.abc import Iterable
from datetime import datetime

from universal_agent.domain.events import AUDITED, Event, EventType
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.ledger import LedgerFacts, MissedFact, SlotFact
from universal_agent.domain.run import Run, RunId
from universal_agent.domain.slot import SlotKey, epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.base import LogBounds, Sizes
from universal_agent.store.missed_rows import missed_from_row
from universal_agent.store.rows import SpecCache, event_from_row, run_from_row, version_from_row
from universal_agent.store.set_aside import decoded
from universal_agent.store.tx import Row, Tx, to_json

#: Sorts after every run id.
_LAST = "~"


def read_events(tx: Tx, *, after_seq: int, limit: int) -> list[Event]:
    return events_from(tx, tx.all("read_events", after_seq=after_seq, limit=limit))


def events_from(tx: Tx, rows: Iterable[Row]) -> list[Event]:
    """The events of rows; of one that cannot be read, an event that says so."""
    found = [event_from_row(row) for row in rows]
    for event in found:
        if event.type is EventType.EVENT_UNREADABLE:
            tx.set_aside.add("events", event.seq, ValueError(event.data["problem"]))
    return found


def log_bounds(tx: Tx) -> LogBounds:
    row = tx.one("log_bounds")
    assert row is not None
    stream_id, oldest, newest = row
    newest = newest or 0
    return LogBounds(
        stream_id=stream_id,
        oldest_seq=newest + 1 if oldest is None else oldest,
        newest_seq=newest,
    )


def audit(tx: Tx, *, limit: int, before_seq: int | None) -> list[Event]:
    rows = tx.all(
        "audit_events",
        types=to_json(AUDITED),
        before_seq=2**53 if before_seq is None else before_seq,
        limit=limit,
    )
    return events_from(tx, rows)


def sizes(tx: Tx) -> Sizes:
    row = tx.one("sizes")
    assert row is not None
    jobs, beats, runs, last_event_at = row
    return Sizes(
        jobs=jobs - beats,
        sessions_with_beats=beats,
        runs=runs,
        last_event_at=None if last_event_at is None else from_epoch(last_event_at),
    )


def get_run(tx: Tx, run_id: str) -> Run | None:
    row = tx.one("get_run", run_id=run_id)
    return None if row is None else run_from_row(row)


def run_of_slot(tx: Tx, slot: SlotKey) -> RunId | None:
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
    job_id: str | None,
    source: str | None,
    status: str | None,
    limit: int,
    before: str | None,
) -> list[Run]:
    asked = {"source": source, "status": status, "limit": limit, "before": before or _LAST}
    if job_id is None:
        rows = tx.all("list_runs", **asked)
    else:
        rows = tx.all("list_runs_of_job", job_id=job_id, **asked)
    return decoded(tx, "runs", rows, run_from_row)


def missed_spans(
    tx: Tx, *, status: MissedStatus, job_id: str | None, limit: int
) -> list[MissedRecord]:
    rows = tx.all("missed_spans", status=status, job_id=job_id, limit=limit)
    return decoded(tx, "missed", rows, missed_from_row)


def recorded_by_hour(
    tx: Tx, *, start: datetime, end: datetime, job_id: str | None
) -> list[tuple[int, int]]:
    rows = tx.all("recorded_by_hour", start=epoch(start), end=epoch(end), job_id=job_id)
    return [(hour, count) for hour, count in rows]


def ledger_facts(
    tx: Tx, *, start: datetime, end: datetime, job_id: str | None, specs: SpecCache
) -> LedgerFacts:
    window = {"start": epoch(start), "end": epoch(end), "job_id": job_id}
    versions = tx.all("ledger_versions", **window)
    if job_id is None:
        slots = tx.all("ledger_slots", start=epoch(start), end=epoch(end))
    else:
        slots = tx.all("ledger_slots_of_job", **window)
    return LedgerFacts(
        versions=decoded(tx, "job_versions", versions, lambda row: version_from_row(row, specs)),
        slots=[
            SlotFact(
                source_ref=source_ref,
                scheduled_at=scheduled_at,
                outcome=outcome,
                reason=reason,
                missed=bool(missed),
            )
            for source_ref, scheduled_at, outcome, reason, missed in slots
        ],
        missed=[
            MissedFact(
                source_ref=source_ref,
                first_at=first_at,
                last_at=last_at,
                job_version=job_version,
                cause=cause,
                status=status,
            )
            for source_ref, first_at, last_at, job_version, cause, status in tx.all(
                "ledger_missed", **window
            )
        ],
    )
