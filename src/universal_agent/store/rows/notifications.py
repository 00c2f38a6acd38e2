"""Notifications and channels, decoded from rows."""

from datetime import datetime

from universal_agent.domain.channels import ChannelState, ChannelStatus
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
        remind_at,
        update_at,
        settles_at,
        acknowledged_at,
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
        snoozed_until=_instant(snoozed_until),
        note=note,
        resolved_at=_instant(resolved_at),
        remind_at=_instant(remind_at),
        update_at=_instant(update_at),
        settles_at=_instant(settles_at),
        acknowledged_at=_instant(acknowledged_at),
        metadata=from_json(metadata),
    )


def channel_from_row(row: Row) -> ChannelState:
    """A channel's state from {channel_columns}."""
    status, since, failures, refusals, error, delivered_at, failing_since, probes = row[:8]
    probe_at, claimed_until = row[8:]
    return ChannelState(
        status=ChannelStatus(status),
        since=_instant(since),
        failures=failures,
        refusals=refusals,
        error=error,
        delivered_at=_instant(delivered_at),
        failing_since=_instant(failing_since),
        probes=probes,
        probe_at=_instant(probe_at),
        claimed_until=_instant(claimed_until),
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else from_epoch(seconds)
