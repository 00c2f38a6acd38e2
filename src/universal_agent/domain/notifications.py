"""Notifications: messages for a person, with their state. They are folded in incidents.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a notification is about."""

    #: Slots were missed; one digest for each outage.
    MISSED = "missed"
    #: A job fails, for the second time in a row at least.
    FAILED = "failed"
    #: A run was in execution at two crashes of the gateway, and was ended.
    CRASH_LOOP = "crash_loop"
    #: A job is held by the scheduler after failing too often in a row.
    AUTO_PAUSED = "auto_paused"
    #: A service that jobs use refused or could not be reached, and runs that use it wait.
    RESOURCE_DOWN = "resource_down"
    #: A session's HEARTBEAT.json is invalid and not in force.
    CONFIG_REFUSED = "config_refused"
    #: A session's beat found something that needs attention.
    ALERT = "alert"
    #: No beat of a session has ended, though several were planned.
    SESSION_SILENT = "session_silent"
    #: Missed slots expired without a decision; one digest a day.
    EXPIRED = "expired"
    #: A notified failure is over.
    RECOVERED = "recovered"
    #: Clients failed to reach their sessions more often than the threshold.
    CONTINUITY_ALERT = "continuity_alert"
    #: The rates are back within the thresholds.
    CONTINUITY_RECOVERED = "continuity_recovered"
    #: The clock had run ahead and was set back, and jobs were planned again.
    CLOCK_SET_BACK = "clock_set_back"
    #: A time zone has other rules than before, and its jobs were planned again.
    ZONE_RULES_CHANGED = "zone_rules_changed"
    #: Notifications could not be delivered to a target beyond the dashboard.
    DELIVERY_FAILED = "delivery_failed"
    #: A loop of the gateway fails, or the event loop stood still.
    LOOP_DOWN = "loop_down"
    #: The database could not take writes.
    STORE_UNAVAILABLE = "store_unavailable"
    #: The ledger found slots without an outcome.
    SLOTS_UNACCOUNTED = "slots_unaccounted"
    #: The disk of the data directory has little space left.
    DISK_FULL = "disk_full"
    #: Stored rows cannot be read, and were left out.
    ROW_UNREADABLE = "row_unreadable"


class Severity(StrEnum):
    """The severity of a notification."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NotificationStatus(StrEnum):
    """What a person has done with it; the values are the wire's."""

    NEW = "new"
    READ = "read"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A message for a person."""

    notification_id: str
    kind: Kind
    severity: Severity
    title: str
    message: str
    source_ref: str
    session_id: str | None
    #: What it is about; while `is_open`, further events of the same incident change this one.
    incident: str
    is_open: bool
    status: NotificationStatus
    created_at: datetime
    updated_at: datetime
    snoozed_until: datetime | None = None
    note: str | None = None
    #: When its incident ended; None while it is open, and for news without an incident.
    resolved_at: datetime | None = None
    #: When it is delivered again if nobody has acknowledged it; None: not any more.
    remind_at: datetime | None = None
    #: When it is delivered again because it says more than before.
    update_at: datetime | None = None
    #: When it is over, if nothing fails until then.
    settles_at: datetime | None = None
    acknowledged_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def resolved(self, *, now: datetime, **changes: Any) -> "Notification":
        """A copy with its incident closed; an unread one needs no attention any more."""
        status = self.status
        if status in (NotificationStatus.NEW, NotificationStatus.SNOOZED):
            status = NotificationStatus.READ
        return replace(
            self, is_open=False, status=status, resolved_at=now, updated_at=now, **changes
        )

    @property
    def is_quiet(self) -> bool:
        """Whether a person wants to hear no more of it before it is over."""
        return self.status in (NotificationStatus.ACKNOWLEDGED, NotificationStatus.DISMISSED)

    def status_at(self, now: datetime) -> NotificationStatus:
        """Its status; a snooze that is over leaves it new."""
        if (
            self.status is NotificationStatus.SNOOZED
            and self.snoozed_until is not None
            and self.snoozed_until <= now
        ):
            return NotificationStatus.NEW
        return self.status

    def document(self, *, now: datetime) -> dict[str, Any]:
        """The wire form (docs/contract.md, Notifications)."""
        until = self.snoozed_until
        remind_at = self.remind_at if self.is_open and not self.is_quiet else None
        return {
            "id": self.notification_id,
            "kind": self.kind,
            "severity": self.severity,
            "title": self.title,
            "message": self.message,
            "source_ref": self.source_ref,
            "session_id": self.session_id,
            "status": self.status_at(now),
            "is_open": self.is_open,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "snoozed_until": None if until is None else until.isoformat(),
            "resolved_at": None if self.resolved_at is None else self.resolved_at.isoformat(),
            "remind_at": None if remind_at is None else remind_at.isoformat(),
            "note": self.note,
            "metadata": self.metadata,
        }
