"""Slots that were decided ahead of their time, and how later decisions pass over them.

A person may skip a slot, move it or run it early. Later decisions about the job's slots pass over
such a slot: the high-water mark never stands on one, and no missed span contains one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, islice

from universal_agent.domain.job import Job
from universal_agent.domain.judge import MissedSpan
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import epoch, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.tx import Tx
from universal_agent.store.values import Decision

_SECOND = timedelta(seconds=1)

#: Slots looked up in one query where many consecutive slots were decided before.
_LOOKED_UP = 200


def without_decided_slots(tx: Tx, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions without the slots that were decided before, with the jobs' marks moved past
    them.
    """
    taken = _taken(
        tx,
        [
            (decision.job, slot)
            for decision in decisions
            for slot in (*(start.scheduled_at for start in decision.starts), decision.next_run_at)
            if slot is not None
        ],
    )
    return [_without_decided(tx, decision, taken) for decision in decisions]


def _without_decided(tx: Tx, decision: Decision, taken: set[tuple[str, datetime]]) -> Decision:
    job, then = decision.job, decision.next_run_at
    if not taken and not decision.missed:
        return decision
    if then is not None and (job.job_id, then) in taken:
        then = put_mark(tx, job, first_open(tx, job, then))
    missed = [part for record in decision.missed for part in _open_parts(tx, record, job)]
    starts = []
    for start in decision.starts:
        if (job.job_id, start.scheduled_at) in taken:
            continue
        if start.missed_id is not None:
            own = next(part for part in missed if part.holds(start.scheduled_at))
            start = replace(start, missed_id=own.missed_id)
        starts.append(start)
    return replace(decision, starts=tuple(starts), missed=tuple(missed), next_run_at=then)


def _taken(tx: Tx, slots: Sequence[tuple[Job, datetime]]) -> set[tuple[str, datetime]]:
    keys = [(job.source, job.job_id, epoch(slot)) for job, slot in slots]
    return {(ref, from_epoch(at)) for ref, at in tx.all("taken_slots", keys=to_json(keys))}


def first_open(tx: Tx, job: Job, mark: datetime | None) -> datetime | None:
    """The job's first undecided slot from `mark` on; None when there is none."""
    looked_at = 1
    while mark is not None:
        slots = list(islice(_slots_from(job.spec.schedule, mark), looked_at))
        taken = _taken(tx, [(job, slot) for slot in slots])
        for slot in slots:
            if (job.job_id, slot) not in taken:
                return slot
        mark, looked_at = job.spec.schedule.next_after(slots[-1]), _LOOKED_UP
    return None


def _slots_from(schedule: Schedule, slot: datetime | None) -> Iterator[datetime]:
    while slot is not None:
        yield slot
        slot = schedule.next_after(slot)


def put_mark(tx: Tx, job: Job, mark: datetime | None) -> datetime | None:
    """Set the job's high-water mark; returns it."""
    tx.run(
        "move_mark",
        job_id=job.job_id,
        next_run_at=None if mark is None else epoch(mark),
        due_at=None if mark is None else stamp(mark + job.jitter),
    )
    return mark


def lock_job(tx: Tx, job: Job) -> bool:
    """Lock the job, so that no other writer decides its slots in between; False when it has
    changed since it was read.
    """
    mark = None if job.next_run_at is None else epoch(job.next_run_at)
    return bool(tx.run("lock_job", job_id=job.job_id, version=job.version, mark=mark))


def _open_parts(tx: Tx, record: MissedRecord, job: Job) -> list[MissedRecord]:
    """The parts of the span around decided slots; the first part keeps the id."""
    span = record.span
    rows = tx.all(
        "decided_between",
        source_ref=record.source_ref,
        first_at=epoch(span.first_at),
        last_at=epoch(span.last_at),
    )
    if not rows:
        return [record]
    schedule = job.spec.schedule
    parts = []
    ids = (record.missed_id if n == 0 else f"{record.missed_id}_{n}" for n in count())
    for first, last in _between([from_epoch(at) for (at,) in rows], span, schedule):
        number = schedule.count(first - _SECOND, last)
        part = MissedSpan(first, last, span.status, number)
        parts.append(replace(record, missed_id=next(ids), span=part))
    return parts


def _between(
    decided: Sequence[datetime], span: MissedSpan, schedule: Schedule
) -> Iterator[tuple[datetime, datetime]]:
    """The first and last slots of each part of the span between the decided slots."""
    begin = span.first_at - _SECOND
    for end in (*(slot - _SECOND for slot in decided), span.last_at):
        first = schedule.next_after(begin)
        last = schedule.latest_at(end, begin)
        if first is not None and last is not None:
            yield first, last
        begin = end + _SECOND
