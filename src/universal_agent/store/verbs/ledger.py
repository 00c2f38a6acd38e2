"""Recorded history: the facts of ledgers, counts by hour, and the history of one slot."""

from datetime import datetime

from universal_agent.domain.explain import SlotHistory
from universal_agent.domain.ledger import LedgerFacts, MissedFact, SlotFact
from universal_agent.domain.slot import SlotKey, epoch, from_epoch
from universal_agent.errors import SlotNotFound
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.events import event_from_row
from universal_agent.store.rows.jobs import version_from_row
from universal_agent.store.rows.runs import run_from_row
from universal_agent.store.steps.cooldowns import read_open
from universal_agent.store.tx import Lane, Tx, in_lane
from universal_agent.store.verbs.stasis import find_missed


@in_lane(Lane.LONG)
def recorded_by_hour(
    tx: Tx, *, start: datetime, end: datetime, job_id: str | None
) -> list[tuple[int, int]]:
    """How many slots in (start, end] were recorded, for each hour that has any, in order.

    An hour is the epoch of its beginning.
    """
    rows = tx.all("recorded_by_hour", start=epoch(start), end=epoch(end), job_id=job_id)
    return [(hour, count) for hour, count in rows]


@in_lane(Lane.LONG)
def ledger_facts(tx: Tx, *, start: datetime, end: datetime, job_id: str | None) -> LedgerFacts:
    """Job versions, slots and missed spans that touch (start, end], from one snapshot."""
    window = {"start": epoch(start), "end": epoch(end), "job_id": job_id}
    versions = tx.all("ledger_versions", **window)
    if job_id is None:
        slots = tx.all("ledger_slots", start=epoch(start), end=epoch(end))
    else:
        slots = tx.all("ledger_slots_of_job", **window)
    return LedgerFacts(
        versions=decoded(tx, "job_versions", versions, lambda row: version_from_row(row, tx.specs)),
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


@in_lane(Lane.LONG)
def slot_history(tx: Tx, slot: SlotKey) -> SlotHistory:
    """Everything that was recorded about a slot, from one snapshot."""
    key = {
        "source": slot.source,
        "source_ref": slot.source_ref,
        "scheduled_at": epoch(slot.scheduled_at),
    }
    versions = [
        version
        for row in tx.all("versions_of_job", job_id=slot.source_ref)
        if (version := version_from_row(row, tx.specs)).spec.source is slot.source
    ]
    job = tx.one("job_ends", job_id=slot.source_ref)
    deleted_at, next_run_at = (None, None) if job is None else job
    row = tx.one("slot_state", **key)
    outcome, reason, start_at = (None, None, None) if row is None else row
    try:
        missed = find_missed(tx, slot)
    except SlotNotFound:
        missed = None
    return SlotHistory(
        cooldowns=tuple(read_open(tx).values()),
        versions=versions,
        deleted_at=None if deleted_at is None else from_epoch(deleted_at),
        next_run_at=None if next_run_at is None else from_epoch(next_run_at),
        outcome=outcome,
        reason=reason,
        start_at=None if start_at is None else from_epoch(start_at),
        runs=[run_from_row(row) for row in tx.all("runs_of_slot", **key)],
        missed=missed,
        events=[
            event_from_row(row)
            for row in tx.all(
                "events_of_slot",
                source_ref=slot.source_ref,
                event_id=slot.event_id,
                at=epoch(slot.scheduled_at),
            )
        ],
    )
