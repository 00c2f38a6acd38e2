"""The instants at which an event of the log makes something due."""

from collections.abc import Iterator
from datetime import datetime

from universal_agent.domain.event_types import JOB_PUT, EventType
from universal_agent.domain.events import Event
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.schedule import stable_jitter
from universal_agent.domain.slot import from_epoch

#: Events after which something may be due earlier than was known.
DUE_CHANGED = (
    *JOB_PUT,
    EventType.CRON_RUN_FAILED,
    EventType.HEARTBEAT_FAILED,
    EventType.CALENDAR_MISSED_RESOLVED,
    EventType.CALENDAR_CHANGE_APPLIED,
    EventType.CALENDAR_REPLANNED,
    EventType.RESOURCE_COOLDOWN_OPENED,
    EventType.RESOURCE_COOLDOWN_PROLONGED,
)


def due_instants(event: Event) -> Iterator[datetime]:
    """When something is due because of the event; earlier than needed where jitter is unknown."""
    data = event.data
    if event.type in JOB_PUT:
        job = data["job"]
        if job["next_run_at"] is not None:
            jitter = stable_jitter(job["job_id"], job["spec"]["policy"]["jitter_seconds"])
            yield from_epoch(job["next_run_at"]) + jitter
        return
    # A retry, a slot that was moved, one that is expected again, and the probe of a resource.
    for name in ("retry_at", "move_to", "next_run_at", "until"):
        if data.get(name) is not None:
            yield from_epoch(data[name])
    for span in data.get("spans", ()):
        if span["status"] == MissedStatus.PENDING and span["useful_until"] is not None:
            yield from_epoch(span["useful_until"])
