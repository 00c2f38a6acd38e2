"""The calendar's projection: events folded into rows, and the rows read or written page by page.

Events are folded in batches, each in one transaction with the position that it brings the
projection to. Events at or before the position are skipped, so a batch may be passed in any number
of times.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.job import schedule_from_record
from universal_agent.domain.projection import (
    ProjectedJob,
    ProjectedSlot,
    Projection,
    SlotRef,
    touched_by,
)
from universal_agent.store.encoding import to_json
from universal_agent.store.rows.events import events_from
from universal_agent.store.steps.each import for_each
from universal_agent.store.tx import Lane, PartFailed, Row, Tx, in_lane
from universal_agent.store.values import ProjectionDigest, ProjectionPage

_HOUR = 3600


def projection_position(tx: Tx) -> int:
    """The seq of the last event that was folded into the projection."""
    row = tx.one("feed_state")
    assert row is not None
    return int(row[0])


def project(tx: Tx, events: Sequence[Event]) -> int:
    """Fold the events that come next into the projection; returns the new position.

    Events that were folded before are skipped. Nothing is done when the next event is not among
    them.
    """
    done = projection_position(tx)
    new = [event for event in events if event.seq > done]
    if not new or new[0].seq != done + 1:
        return done
    last = new[-1]
    if not tx.run(
        "advance_feed_state",
        seen=done,
        position=last.seq,
        last_event_at=last.timestamp.timestamp(),
    ):
        return projection_position(tx)  # another process has folded them
    _fold(tx, new)
    return last.seq


def project_all(tx: Tx) -> None:
    """Fold every event of the log that follows the position."""
    done = projection_position(tx)
    while rows := tx.all("read_events", after_seq=done, limit=1000):
        before, done = done, project(tx, events_from(tx, rows))
        if done == before:
            return


def _fold(tx: Tx, events: Sequence[Event]) -> None:
    """Fold events together, or each alone when one of them cannot be folded."""
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
    # A session's beats have their own row, at any frequency.
    always = _kinds(tx, {(job.job_id, job.version) for job in jobs})
    tx.many(
        "put_feed_job",
        [{**job._asdict(), "frequent": (job.job_id, job.version) in always} for job in jobs],
    )


def _kinds(tx: Tx, versions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool]:
    """Whether each of the versions is frequent; versions that are neither frequent nor beats are
    left out.
    """
    rows = tx.all("feed_kinds_of_versions", versions=to_json(list(versions)))
    return {(job_id, version): bool(frequent) for job_id, version, frequent in rows}


def _frequent(tx: Tx, versions: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """The versions that have more than 288 slots a day."""
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


# -- the whole projection, page by page


#: Rows of one page of the hash.
_HASHED_ROWS = 5000


class _Table(NamedTuple):
    """A table of the projection, with its rows in the order of the key."""

    #: The key columns, which come first in a row, each with a value below all others.
    key: Mapping[str, object]
    #: The other columns.
    rest: tuple[str, ...]
    #: The statement that puts a row.
    put: str


_TABLES = {
    "jobs": _Table(
        {"job_id": ""}, ("version", "next_run_at", "deleted", "frequent"), "put_feed_job"
    ),
    "versions": _Table(
        {"job_id": "", "version": -1}, ("spec", "frequent", "source"), "put_feed_version"
    ),
    "slots": _Table(
        {"lane": "", "scheduled_at": -1, "source": "", "source_ref": ""},
        ("job_version", "outcome", "reason", "run_id", "duration_seconds", "moved_to"),
        "put_feed_slot",
    ),
    "hours": _Table({"hour": -1, "source_ref": "", "outcome": ""}, ("count",), "add_to_feed_hour"),
    "missed": _Table(
        {"missed_id": ""},
        (
            *("source", "source_ref", "job_version", "first_at", "last_at", "count", "cause"),
            *(
                "outage_id",
                "status",
                "created_at",
                "updated_at",
                "useful_until",
                "note",
                "decided_by",
                "run_id",
                "held_by",
            ),
        ),
        "put_feed_missed",
    ),
    # The last table, so that an incomplete copy has no position.
    "state": _Table({"position": -1}, ("last_event_at",), "set_feed_state"),
}


@in_lane(Lane.LONG)
def read_projection(tx: Tx, *, after: ProjectionPage | None, limit: int) -> ProjectionPage | None:
    """The next rows after a page; None when there are no more."""
    names = list(_TABLES)
    for name in names if after is None else names[names.index(after.table) :]:
        last = after.rows[-1] if after is not None and after.table == name else None
        if rows := _rows(tx, name, last, limit=limit):
            return ProjectionPage(table=name, rows=rows)
    return None


def _rows(tx: Tx, name: str, last: Row | None, *, limit: int) -> list[Row]:
    key = _TABLES[name].key
    after = key if last is None else dict(zip(key, last, strict=False))
    return tx.all(f"feed_dump_{name}", **after, limit=limit)


def write_projection(tx: Tx, page: ProjectionPage) -> None:
    """Insert the rows of a page. The last page has the position."""
    table = _TABLES[page.table]
    columns = (*table.key, *table.rest)
    tx.many(table.put, [dict(zip(columns, row, strict=True)) for row in page.rows])


@in_lane(Lane.LONG)
def projection_digest(tx: Tx) -> ProjectionDigest:
    """A hash of the whole projection and its position, from one snapshot."""
    hashed = hashlib.blake2b(digest_size=16)
    page: ProjectionPage | None = None
    while (page := read_projection(tx, after=page, limit=_HASHED_ROWS)) is not None:
        if page.table != "state":
            hashed.update(page.table.encode())
            for row in page.rows:
                hashed.update(to_json(row).encode())
    return ProjectionDigest(position=projection_position(tx), hash=hashed.hexdigest())


def clear_projection(tx: Tx) -> None:
    """Delete the projection."""
    for name in _TABLES:
        if name != "state":
            tx.run(f"clear_feed_{name}")
    tx.run("set_feed_state", position=0, last_event_at=None)
