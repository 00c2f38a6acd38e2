"""Notifications that are stored with their events and deliveries. Parts of transactions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.channels import Route
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.notifications import Notification
from universal_agent.domain.reminders import first_reminder
from universal_agent.store.encoding import stamp, to_json
from universal_agent.store.rows.notifications import notification_from_row
from universal_agent.store.tx import Tx


def no_route(_notification: Notification, _occasion: Occasion) -> Sequence[str]:
    """No channel."""
    return ()


def open_incident(tx: Tx, incident: str) -> Notification | None:
    """The open notification of an incident, or None."""
    row = tx.one("open_incident", incident=incident)
    return None if row is None else notification_from_row(row)


def put_notification(tx: Tx, notification: Notification) -> None:
    """Write a notification that was made or read in this transaction."""
    n = notification
    tx.run(
        "put_notification",
        notification_id=n.notification_id,
        kind=n.kind,
        severity=n.severity,
        title=n.title,
        message=n.message,
        source_ref=n.source_ref,
        session_id=n.session_id,
        incident=n.incident,
        is_open=n.is_open,
        status=n.status,
        created_at=n.created_at.timestamp(),
        updated_at=n.updated_at.timestamp(),
        snoozed_until=stamp(n.snoozed_until),
        note=n.note,
        resolved_at=stamp(n.resolved_at),
        remind_at=stamp(n.remind_at),
        update_at=stamp(n.update_at),
        settles_at=stamp(n.settles_at),
        acknowledged_at=stamp(n.acknowledged_at),
        metadata=to_json(n.metadata),
    )


def add_new(tx: Tx, notification: Notification, route: Route, *, now: datetime) -> None:
    """Store a new notification, with a delivery to each channel that takes it."""
    notification = replace(notification, remind_at=first_reminder(notification))
    put_notification(tx, notification)
    _add_deliveries(tx, notification, route, Occasion.NEW, number=0, now=now)
    tx.append(events.notification_changed(notification, change="new", now=now))


def put_changed(tx: Tx, notification: Notification, *, now: datetime) -> None:
    """Store what a notification says now; nothing is delivered."""
    put_notification(tx, notification)
    change = "changed" if notification.is_open else "closed"
    tx.append(events.notification_changed(notification, change=change, now=now))


def deliver_again(
    tx: Tx, notification: Notification, route: Route, occasion: Occasion, *, now: datetime
) -> None:
    """Deliver a stored notification once more, on a further occasion."""
    row = tx.one("tellings", notification_id=notification.notification_id)
    assert row is not None
    tx.run("count_telling", notification_id=notification.notification_id)
    _add_deliveries(tx, notification, route, occasion, number=int(row[0]), now=now)
    tx.append(events.notification_changed(notification, change=occasion, now=now))


def _add_deliveries(
    tx: Tx,
    notification: Notification,
    route: Route,
    occasion: Occasion,
    *,
    number: int,
    now: datetime,
) -> None:
    tx.many(
        "add_delivery",
        [
            {
                "notification_id": notification.notification_id,
                "target": target,
                "number": number,
                "occasion": occasion,
                "now": now.timestamp(),
            }
            for target in route(notification, occasion)
        ],
    )
