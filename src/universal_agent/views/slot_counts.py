"""Counters of slots by outcome, from the events that record them."""

from collections.abc import Iterable

from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.run import RunStatus
from universal_agent.metrics import Metrics

_SKIPPED = frozenset({EventType.CRON_RUN_SKIPPED, EventType.HEARTBEAT_SKIPPED})
_MISSED = frozenset({EventType.CRON_RUN_MISSED, EventType.HEARTBEAT_MISSED})
_ENDED = frozenset(
    {
        EventType.CRON_RUN_COMPLETED,
        EventType.CRON_RUN_FAILED,
        EventType.CRON_RETRY_DROPPED,
        EventType.HEARTBEAT_COMPLETED,
        EventType.HEARTBEAT_FAILED,
        EventType.HEARTBEAT_RETRY_DROPPED,
    }
)

#: The values of the label, each with a sample from the start.
OUTCOMES = (*sorted(status for status in RunStatus if status.is_final), "missed")


class SlotCounts:
    """Adds the slots of events to `ua_slots_total`."""

    def __init__(self, metrics: Metrics) -> None:
        self._slots = metrics.slots
        for outcome in OUTCOMES:
            self._slots(outcome)

    def add(self, events: Iterable[Event]) -> None:
        """Count the slots whose outcome these events record."""
        for event in events:
            if event.type in _MISSED:
                self._slots("missed").inc(event.data["count"])
            elif event.type in _SKIPPED or event.type in _ENDED:
                run = event.data.get("run")
                # A run that was asked for has no slot; an attempt that is made again is no outcome.
                if run is None or (run["event_id"] and not event.data.get("retry_at")):
                    status = RunStatus.SKIPPED if run is None else run["status"]
                    self._slots(status).inc()
