"""The job before and after a proposed change, with its next slots."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from universal_agent.domain.job import JobSpec
from universal_agent.domain.schedule import Schedule

#: How many coming slots a proposal shows on each side.
SLOTS_SHOWN = 5


def side(
    spec: JobSpec,
    *,
    now: datetime,
    without: datetime | None = None,
    moved_to: datetime | None = None,
) -> dict[str, Any]:
    """One side of a proposal: the job as it is, or as it would be, with its next slots.

    `without` leaves out a slot that is skipped or moved, `moved_to` puts it in its new place.
    """
    coming = (slot for slot in _coming(spec.schedule, now) if slot != without)
    slots = list(islice(coming, SLOTS_SHOWN)) if spec.enabled else []
    if moved_to is not None:
        slots = sorted([*slots, moved_to])[:SLOTS_SHOWN]
    return {
        "title": spec.display_title,
        "enabled": spec.enabled,
        "schedule": spec.schedule.describe(),
        "timezone": spec.timezone,
        "next": [
            {"utc": slot.isoformat(), "local": spec.local(slot).isoformat()} for slot in slots
        ],
    }


def _coming(schedule: Schedule, now: datetime) -> Iterator[datetime]:
    slot = schedule.next_after(now)
    while slot is not None:
        yield slot
        slot = schedule.next_after(slot)
