"""Rows of notifications and of their deliveries. Each function is part of a transaction.

What a person marks and what an event changes are different columns of a notification: neither
writes back what it has read before its own transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from universal_agent.domain.deliveries import Delivery, DeliveryStatus
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.notifications import (
    IncidentFold,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.domain.slot import from_epoch
from universal_agent.store.log_verbs import events_from, log_bounds
from universal_agent.store.set_aside import decoded
from universal_agent.store.tx import Row, Tx, from_json, stamp, to_json

_POSITION = "notified_seq"


def fold_events(
    tx: Tx,
    *,
    limit: int,
    new_id: Callable[[], str],
    keep: int,
    targets: Sequence[str],
    now: datetime,
) -> tuple[int, list[Notification]]:
    """Fold the next events into notifications, each once; (events read, what has changed)."""
    row = tx.one("get_meta", name=_POSITION)
    after = 0 if row is None else int(row[0])
    newest = log_bounds(tx).newest_seq
    rows = tx.all("notable_events", after_seq=after, limit=limit)
    events = events_from(tx, rows)
    made: set[str] = set()

    def make_id() -> str:
        made.add(found := new_id())
        return found

    fold = IncidentFold(
        open_incident=lambda incident: _open_incident(tx, incident),
        is_pending=lambda outage_id: _is_pending(tx, outage_id),
        new_id=make_id,
        titles=lambda job_id: _title(tx, job_id),
        now=now,
    )
    for event in events:
        try:
            fold.fold(event)
        except Exception as error:
            tx.set_aside.add("events", event.seq, error)
    changed = list(fold.changed.values())
    _put(tx, changed)
    for notification in changed:
        if notification.notification_id in made:
            _add_deliveries(tx, notification, targets)
    if changed:
        trim(tx, keep=keep)
    position = events[-1].seq if len(events) == limit else newest
    tx.run("set_meta", name=_POSITION, value=str(position))
    return len(events), changed


def has_notable(tx: Tx, *, after_seq: int) -> tuple[bool, int]:
    """Whether events after `after_seq` may be news, and the newest seq that was looked at."""
    newest = log_bounds(tx).newest_seq
    return bool(tx.all("notable_events", after_seq=after_seq, limit=1)), newest


def _open_incident(tx: Tx, incident: str) -> Notification | None:
    row = tx.one("open_incident", incident=incident)
    return None if row is None else notification_from_row(row)


def _is_pending(tx: Tx, outage_id: str) -> bool:
    row = tx.one("pending_in_outage", outage_id=outage_id)
    return row is not None and bool(row[0])


def _title(tx: Tx, job_id: str) -> str:
    row = tx.one("latest_spec", job_id=job_id)
    return job_id if row is None else spec_from_record(from_json(row[0])).display_title


def add_notification(tx: Tx, notification: Notification, *, targets: Sequence[str]) -> Notification:
    """Keep a new notification, with its deliveries. While its incident is open already, only what
    is said of it changes, and nothing is delivered again.
    """
    before = _open_incident(tx, notification.incident) if notification.is_open else None
    if before is None:
        _put(tx, [notification])
        _add_deliveries(tx, notification, targets)
        return notification
    tx.run(
        "update_incident",
        notification_id=before.notification_id,
        title=notification.title,
        message=notification.message,
        metadata=to_json(notification.metadata),
        now=notification.updated_at.timestamp(),
    )
    return _existing(tx, before.notification_id)


def close_incident(tx: Tx, incident: str, *, now: datetime) -> Notification | None:
    """Close the open notification of an incident; None when none is open."""
    found = _open_incident(tx, incident)
    if found is None:
        return None
    closed = found.resolved(now=now)
    _put(tx, [closed])
    return closed


def mark_notifications(
    tx: Tx,
    ids: Sequence[str],
    status: NotificationStatus,
    *,
    note: str | None,
    snoozed_until: datetime | None,
    now: datetime,
) -> list[Notification | None]:
    """Mark notifications; each as it then is, None where there is none with that id."""
    marked: list[Notification | None] = []
    for notification_id in ids:
        found = tx.run(
            "mark_notification",
            notification_id=notification_id,
            status=status,
            note=note,
            snoozed_until=stamp(snoozed_until),
            now=now.timestamp(),
        )
        marked.append(_existing(tx, notification_id) if found else None)
    return marked


def trim(tx: Tx, *, keep: int) -> None:
    """Forget all notifications but the latest ones, and the deliveries of what is forgotten."""
    if tx.run("trim_notifications", keep=keep):
        tx.run("trim_deliveries")


def _put(tx: Tx, notifications: Sequence[Notification]) -> None:
    """Keep notifications that were made or read in this very transaction."""
    tx.many(
        "put_notification",
        [
            {
                "notification_id": n.notification_id,
                "kind": n.kind,
                "severity": n.severity,
                "title": n.title,
                "message": n.message,
                "source_ref": n.source_ref,
                "session_id": n.session_id,
                "incident": n.incident,
                "is_open": n.is_open,
                "status": n.status,
                "created_at": n.created_at.timestamp(),
                "updated_at": n.updated_at.timestamp(),
                "snoozed_until": stamp(n.snoozed_until),
                "note": n.note,
                "resolved_at": stamp(n.resolved_at),
                "metadata": to_json(n.metadata),
            }
            for n in notifications
        ],
    )


def notification_from_row(row: Row) -> Notification:
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


def list_notifications(
    tx: Tx, *, limit: int, session_id: str | None, before: str | None
) -> list[Notification]:
    rows = tx.all("list_notifications", limit=limit, session_id=session_id, before=before or "~")
    return decoded(tx, "notifications", rows, notification_from_row)


def open_notifications(tx: Tx, *, prefix: str) -> list[Notification]:
    rows = tx.all("open_notifications", prefix=prefix)
    return decoded(tx, "notifications", rows, notification_from_row)


def get_notification(tx: Tx, notification_id: str) -> Notification | None:
    row = tx.one("get_notification", notification_id=notification_id)
    return None if row is None else notification_from_row(row)


def _existing(tx: Tx, notification_id: str) -> Notification:
    found = get_notification(tx, notification_id)
    assert found is not None
    return found


# -- deliveries


def _add_deliveries(tx: Tx, notification: Notification, targets: Sequence[str]) -> None:
    now = notification.created_at.timestamp()
    tx.many(
        "add_delivery",
        [
            {"notification_id": notification.notification_id, "target": target, "now": now}
            for target in targets
        ],
    )


def adopt_targets(tx: Tx, targets: Sequence[str], *, since: datetime, now: datetime) -> None:
    """End the deliveries to targets that are no longer set; give those that were made for every
    target, after `since`, to each of them.
    """
    for target in targets:
        tx.run("spread_deliveries", target=target, since=since.timestamp())
    tx.run("drop_spread_deliveries")
    tx.run("end_deliveries_elsewhere", targets=to_json(list(targets)), now=now.timestamp())


def next_delivery(tx: Tx, target: str) -> Delivery | None:
    row = tx.one("next_delivery", target=target)
    if row is None:
        return None
    target, attempts, refusals, created_at, next_at = row[:5]
    return Delivery(
        notification=notification_from_row(row[5:]),
        target=target,
        attempts=attempts,
        refusals=refusals,
        created_at=from_epoch(created_at),
        next_at=from_epoch(next_at),
    )


def delivery_attempted(
    tx: Tx,
    delivery: Delivery,
    status: DeliveryStatus,
    *,
    next_at: datetime | None,
    refused: bool,
    error: str | None,
    now: datetime,
) -> bool:
    """Record an attempt; False when the delivery had ended before."""
    return bool(
        tx.run(
            "delivery_attempted",
            notification_id=delivery.notification.notification_id,
            target=delivery.target,
            status=status,
            refused=refused,
            next_at=stamp(next_at),
            ended_at=None if status is DeliveryStatus.PENDING else now.timestamp(),
            error=error,
        )
    )


def delivery_statuses(tx: Tx, notification_id: str | None) -> dict[tuple[str, str], DeliveryStatus]:
    """Where each delivery stands, by notification and target."""
    rows = tx.all("list_deliveries", notification_id=notification_id)
    return {(row[0], row[1]): DeliveryStatus(row[2]) for row in rows}
