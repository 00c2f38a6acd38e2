"""How is the calendar's projection kept?

Events are folded in batches, each in one transaction with the position that it brings the
projection to. An event at or before the position is in it already and is passed over, so that it
does not matter how often a batch is handed in.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.events import Event
from universal_agent.domain.job import schedule_from_record
from universal_agent.domain.projection import (
    ProjectedJob,
    ProjectedSlot,
    Projection,
    SlotRef,
    touched_by,
)
from universal_agent.store.log_verbs import events_from
from universal_agent.store.set_aside import for_each
from universal_agent.store.tx import PartFailed, Row, Tx, to_json

_HOUR = 3600


def position(tx: Tx) -> int:
    row = tx.one("feed_state")
    assert row is not None
    return int(row[0])


def project(tx: Tx, events: Sequence[Event]) -> int:
    done = position(tx)
    new = [event for event in events if event.seq > done]
    if not new or new[0].seq != done + 1:
        return done
    _fold(tx, new)
    last = new[-1]
    tx.run("set_feed_state", position=last.seq, last_event_at=last.timestamp.timestamp())
    return last.seq


def project_all(tx: Tx) -> None:
    """Bring the projection up to the log as this transaction sees it, as far as that follows it."""
    done = position(tx)
    while rows := tx.all("read_events", after_seq=done, limit=1000):
        before, done = done, project(tx, events_from(tx, rows))
        if done == before:
            return


def _fold(tx: Tx, events: Sequence[Event]) -> None:
    """Fold events together; each alone, where one of them cannot be folded."""
    try:
        with tx.part():
            _fold_together(tx, events)
    except PartFailed:
        for_each(
            tx,
            "events",
            events,
            lambda event: _fold_together(tx, [event]),
            key=lambda event: event.seq,
            put_off=lambda event, error: None,
        )


def _fold_together(tx: Tx, events: Sequence[Event]) -> None:
    touched = touched_by(events)
    rows = [
        *tx.all("feed_slot_states", keys=to_json(list(touched.slots))),
        *_exceptions(tx, touched.edited_ids, touched.edited_after),
    ]
    before: dict[SlotRef, ProjectedSlot] = {}
    for row in rows:
        slot = ProjectedSlot(*row)
        before[slot.source_ref, slot.scheduled_at] = slot
    jobs = {
        job_id: ProjectedJob(job_id, version, next_run_at, bool(deleted))
        for job_id, version, next_run_at, deleted in tx.all(
            "feed_job_states", refs=to_json(list(touched.job_ids))
        )
    }
    projection = Projection(jobs=dict(jobs), slots=dict(before))
    for event in events:
        projection.apply(event)
    _put_versions(tx, projection)
    _put_jobs(tx, [job for job_id, job in projection.jobs.items() if jobs.get(job_id) != job])
    _put_slots(tx, before, projection.slots)
    tx.many("put_feed_missed", [dict(record) for record in projection.missed.values()])


def _exceptions(tx: Tx, job_ids: Iterable[str], after: float) -> list[Row]:
    refs = list(job_ids)
    return tx.all("feed_exceptions", refs=to_json(refs), after=after) if refs else []


def _put_versions(tx: Tx, projection: Projection) -> None:
    tx.many(
        "put_feed_version",
        [
            {
                "job_id": job_id,
                "version": version,
                "spec": to_json(spec),
                "frequent": is_frequent(schedule_from_record(spec["schedule"])),
                "source": spec.get("source", "cron"),
            }
            for (job_id, version), spec in projection.versions.items()
        ],
    )


def _put_jobs(tx: Tx, jobs: Sequence[ProjectedJob]) -> None:
    # A session's beats have a row of their own, however rarely they come.
    always = _kinds(tx, {(job.job_id, job.version) for job in jobs})
    tx.many(
        "put_feed_job",
        [{**job._asdict(), "frequent": (job.job_id, job.version) in always} for job in jobs],
    )


def _kinds(tx: Tx, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool]:
    """Those of the versions that are frequent or beats; whether they are frequent."""
    rows = tx.all("feed_kinds_of_versions", versions=to_json(list(versions)))
    return {(job_id, version): bool(frequent) for job_id, version, frequent in rows}


def _frequent(tx: Tx, versions: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the versions that have more than 288 slots a day."""
    return {version for version, frequent in _kinds(tx, versions).items() if frequent}


def _put_slots(
    tx: Tx, before: dict[SlotRef, ProjectedSlot], after: dict[SlotRef, ProjectedSlot | None]
) -> None:
    changes = [(before.get(ref), slot) for ref, slot in after.items() if before.get(ref) != slot]
    frequent = _frequent(
        tx, {(slot.source_ref, slot.job_version) for pair in changes for slot in pair if slot}
    )
    put: list[dict[str, object]] = []
    drop: list[dict[str, object]] = []
    hours: Counter[tuple[int, str, str]] = Counter()
    for was, now in changes:
        for slot, change in ((was, -1), (now, 1)):
            if slot and (slot.source_ref, slot.job_version) in frequent:
                hour = slot.scheduled_at - slot.scheduled_at % _HOUR
                hours[hour, slot.source_ref, slot.outcome] += change
        last = now or was
        assert last is not None
        lane = last.source_ref if (last.source_ref, last.job_version) in frequent else ""
        (put if now else drop).append({"lane": lane, **last._asdict()})
    tx.many("put_feed_slot", put)
    tx.many("drop_feed_slot", drop)
    counts = [
        {"hour": hour, "source_ref": source_ref, "outcome": outcome, "count": count}
        for (hour, source_ref, outcome), count in hours.items()
        if count
    ]
    tx.many("add_to_feed_hour", counts)
    tx.many("drop_empty_feed_hour", counts)
