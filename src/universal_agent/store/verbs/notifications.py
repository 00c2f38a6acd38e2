"""Notifications.

A person's marks and the changes by events are different columns: neither writes back values that it
read before its own transaction.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from universal_agent.domain.incidents import IncidentFold
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.notifications import (
    Notification,
    NotificationStatus,
)
from universal_agent.store.encoding import from_json, stamp, to_json
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.events import events_from
from universal_agent.store.rows.notifications import notification_from_row
from universal_agent.store.tx import Tx
from universal_agent.store.verbs.event_log import log_bounds

_POSITION = "notified_seq"


def fold_notifications(
    tx: Tx,
    *,
    limit: int,
    new_id: Callable[[], str],
    keep: int,
    targets: Sequence[str] = (),
    now: datetime,
) -> tuple[int, list[Notification]]:
    """Fold the next events into notifications, each event once.

    Each new notification gets a delivery to each of `targets`. Returns how many events were read,
    and the new or changed notifications.
    """
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


def has_notable_events(tx: Tx, *, after_seq: int) -> tuple[bool, int]:
    """Whether events after `after_seq` may be news, and the newest seq that was read."""
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


def add_notification(
    tx: Tx, notification: Notification, *, targets: Sequence[str] = ()
) -> Notification:
    """Insert a notification, with a delivery to each of `targets`.

    While its incident is open, the open notification is updated instead. Returns the notification
    as it is then.
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
    note: str | None = None,
    snoozed_until: datetime | None = None,
    now: datetime,
) -> list[Notification | None]:
    """Set the status of notifications; a `note` of None leaves the note.

    Returns each as it is then, in the order of `ids`; None for an unknown id.
    """
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
    """Delete all but the latest `keep` notifications, and their deliveries.

    One that is still to be delivered stays until its deliveries have ended, which is within a day.
    """
    if tx.run("trim_notifications", keep=keep):
        tx.run("trim_deliveries")


def _put(tx: Tx, notifications: Sequence[Notification]) -> None:
    """Write notifications that were made or read in this transaction."""
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


def list_notifications(
    tx: Tx, *, limit: int, session_id: str | None = None, before: str | None = None
) -> list[Notification]:
    """Notifications, newest first."""
    rows = tx.all("list_notifications", limit=limit, session_id=session_id, before=before or "~")
    return decoded(tx, "notifications", rows, notification_from_row)


def open_notifications(tx: Tx, *, prefix: str) -> list[Notification]:
    """Notifications of open incidents that begin with `prefix`, oldest first."""
    rows = tx.all("open_notifications", prefix=prefix)
    return decoded(tx, "notifications", rows, notification_from_row)


def get_notification(tx: Tx, notification_id: str) -> Notification | None:
    """The notification, or None."""
    row = tx.one("get_notification", notification_id=notification_id)
    return None if row is None else notification_from_row(row)


def _existing(tx: Tx, notification_id: str) -> Notification:
    found = get_notification(tx, notification_id)
    assert found is not None
    return found


def _add_deliveries(tx: Tx, notification: Notification, targets: Sequence[str]) -> None:
    now = notification.created_at.timestamp()
    tx.many(
        "add_delivery",
        [
            {"notification_id": notification.notification_id, "target": target, "now": now}
            for target in targets
        ],
    )
