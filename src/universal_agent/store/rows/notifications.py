"""Notifications, decoded from rows."""

from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.slot import from_epoch
from universal_agent.store.encoding import from_json
from universal_agent.store.tx import Row


def notification_from_row(row: Row) -> Notification:
    """A notification from {notification_columns}."""
    (
        notification_id,
        kind,
        severity,
        title,
        message,
        source_ref,
        session_id,
        incident,
        is_open,
        status,
        created_at,
        updated_at,
        snoozed_until,
        note,
        resolved_at,
        metadata,
    ) = row
    return Notification(
        notification_id=notification_id,
        kind=Kind(kind),
        severity=Severity(severity),
        title=title,
        message=message,
        source_ref=source_ref,
        session_id=session_id,
        incident=incident,
        is_open=bool(is_open),
        status=NotificationStatus(status),
        created_at=from_epoch(created_at),
        updated_at=from_epoch(updated_at),
        snoozed_until=None if snoozed_until is None else from_epoch(snoozed_until),
        note=note,
        resolved_at=None if resolved_at is None else from_epoch(resolved_at),
        metadata=from_json(metadata),
    )
