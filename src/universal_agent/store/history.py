"""What was recorded about one slot, from one snapshot."""

from universal_agent.domain.explain import SlotHistory
from universal_agent.domain.slot import SlotKey, epoch, from_epoch
from universal_agent.errors import SlotNotFound
from universal_agent.store.rows import SpecCache, event_from_row, run_from_row, version_from_row
from universal_agent.store.stasis import find_missed
from universal_agent.store.tx import Tx


def slot_history(tx: Tx, slot: SlotKey, specs: SpecCache) -> SlotHistory:
    key = {
        "source": slot.source,
        "source_ref": slot.source_ref,
        "scheduled_at": epoch(slot.scheduled_at),
    }
    versions = [
        version
        for row in tx.all("versions_of_job", job_id=slot.source_ref)
        if (version := version_from_row(row, specs)).spec.source is slot.source
    ]
    job = tx.one("job_ends", job_id=slot.source_ref)
    deleted_at, next_run_at = (None, None) if job is None else job
    row = tx.one("slot_state", **key)
    outcome, reason, start_at = (None, None, None) if row is None else row
    try:
        missed = find_missed(tx, slot, specs)
    except SlotNotFound:
        missed = None
    return SlotHistory(
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
