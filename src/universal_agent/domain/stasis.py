"""Stasis: missed slots that wait for an operator, and the decisions on them.

Missed slots are stored as spans of neighbours. A decision on one member splits its span; a decision
on the group runs or moves the latest slot and closes the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from universal_agent.domain.judge import Cause, MissedSpan, MissedStatus
from universal_agent.domain.schedule import Schedule
from universal_agent.domain.slot import SlotKey, Source

#: How long a deletion can be taken back.
UNDO_WINDOW = timedelta(seconds=60)

#: When a rescheduled slot runs, unless the operator names a time.
DEFAULT_DELAY = timedelta(hours=1)

_SECOND = timedelta(seconds=1)


class Scope(StrEnum):
    """The reach of a decision."""

    #: The one slot that is named.
    SLOT = "slot"
    #: Every slot that the job missed in the same outage.
    GROUP = "group"


class StasisAction(StrEnum):
    """The decisions of an operator; the values are the wire's."""

    #: Run it now, with its original time.
    APPROVE = "approve_backfill_run"
    #: Run it later, as a one-shot job.
    RESCHEDULE = "reschedule"
    #: Close it without a run.
    DELETE = "delete_missed"


RESULT = {
    StasisAction.APPROVE: MissedStatus.APPROVED_AND_RUN,
    StasisAction.RESCHEDULE: MissedStatus.RESCHEDULED,
    StasisAction.DELETE: MissedStatus.DELETED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRecord:
    """A stored missed span. Spans of one job and one outage form a group."""

    missed_id: str
    source: Source
    source_ref: str
    job_version: int
    span: MissedSpan
    cause: Cause
    outage_id: str
    created_at: datetime
    updated_at: datetime
    useful_until: datetime | None = None
    note: str | None = None
    decided_by: str | None = None
    run_id: str | None = None
    #: What held the pool while it waited, in words; of slots missed for capacity.
    held_by: str | None = None

    @property
    def event_id(self) -> str:
        """The id of its latest slot, by which it is addressed."""
        return SlotKey(self.source, self.source_ref, self.span.last_at).event_id

    def holds(self, slot: datetime) -> bool:
        """Whether the slot's time lies within the span."""
        return self.span.first_at <= slot <= self.span.last_at

    def decided(
        self, status: MissedStatus, *, by: str | None, note: str | None, now: datetime
    ) -> Self:
        """The record with a decision."""
        span = replace(self.span, status=status)
        return replace(self, span=span, decided_by=by, note=note, updated_at=now)


def isolate(
    record: MissedRecord, slot: datetime, schedule: Schedule, new_ids: Iterator[str]
) -> tuple[MissedRecord, list[MissedRecord]]:
    """The slot's own record, and records for what lies before and after it in the span.

    The slot's record keeps the id of the one that was split.
    """
    span = record.span
    others = []
    before = schedule.latest_at(slot - _SECOND, span.first_at - _SECOND)
    if before is not None:
        others.append((span.first_at, before))
    after = schedule.next_after(slot)
    if after is not None and after <= span.last_at:
        others.append((after, span.last_at))
    parts = []
    for first, last in others:
        count = schedule.count(first - _SECOND, last)
        part = MissedSpan(first, last, span.status, count)
        parts.append(replace(record, missed_id=next(new_ids), span=part))
    return replace(record, span=MissedSpan(slot, slot, span.status, 1)), parts
