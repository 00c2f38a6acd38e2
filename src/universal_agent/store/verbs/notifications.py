"""Notifications.

A person's marks and the changes by events are different columns: neither writes back values that it
read before its own transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from universal_agent.domain import events
from universal_agent.domain.channels import Route
from universal_agent.domain.incidents import IncidentFold
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.notifications import (
    Notification,
    NotificationStatus,
)
from universal_agent.store.encoding import from_json, stamp
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.events import events_from
from universal_agent.store.rows.notifications import notification_from_row
from universal_agent.store.steps.notifications import add_new, no_route, open_incident, put_changed
from universal_agent.store.tx import Tx
from universal_agent.store.verbs.event_log import log_bounds

_POSITION = "notified_seq"


def fold_notifications(
    tx: Tx,
    *,
    limit: int,
    new_id: Callable[[], str],
    keep: int,
    route: Route = no_route,
    now: datetime,
) -> tuple[int, list[Notification]]:
    """Fold the next events into notifications, each event once.

    Each new notification is delivered to the channels that `route` names. Returns how many events
    were read, and the new or changed notifications.
    """
    row = tx.one("get_meta", name=_POSITION)
    after = 0 if row is None else int(row[0])
    newest = log_bounds(tx).newest_seq
    rows = tx.all("notable_events", after_seq=after, limit=limit)
    found = events_from(tx, rows)
    made: set[str] = set()

    def make_id() -> str:
        made.add(made_id := new_id())
        return made_id

    fold = IncidentFold(
        open_incident=lambda incident: open_incident(tx, incident),
        is_pending=lambda outage_id: _is_pending(tx, outage_id),
        new_id=make_id,
        titles=lambda job_id: _title(tx, job_id),
        now=now,
    )
    for event in found:
        try:
            fold.fold(event)
        except Exception as error:
            tx.set_aside.add("events", event.seq, error)
    changed = list(fold.changed.values())
    for notification in changed:
        if notification.notification_id in made:
            add_new(tx, notification, route, now=now)
        else:
            put_changed(tx, notification, now=now)
    if changed:
        trim(tx, keep=keep)
    position = found[-1].seq if len(found) == limit else newest
    tx.run("set_meta", name=_POSITION, value=str(position))
    return len(found), changed


def has_notable_events(tx: Tx, *, after_seq: int) -> tuple[bool, int]:
    """Whether events after `after_seq` may be news, and the newest seq that was read."""
    newest = log_bounds(tx).newest_seq
    return bool(tx.all("notable_events", after_seq=after_seq, limit=1)), newest


def _is_pending(tx: Tx, outage_id: str) -> bool:
    row = tx.one("pending_in_outage", outage_id=outage_id)
    return row is not None and bool(row[0])


def _title(tx: Tx, job_id: str) -> str:
    row = tx.one("latest_spec", job_id=job_id)
    return job_id if row is None else spec_from_record(from_json(row[0])).display_title


def add_notification(
    tx: Tx, notification: Notification, *, route: Route = no_route
) -> Notification:
    """Insert a notification, and deliver it to the channels that `route` names.

    While its incident is open, the open notification is updated instead. Returns the notification
    as it is then.
    """
    before = open_incident(tx, notification.incident) if notification.is_open else None
    if before is None:
        add_new(tx, notification, route, now=notification.updated_at)
        return notification
    changed = replace(
        before,
        title=notification.title,
        message=notification.message,
        metadata=notification.metadata,
        updated_at=notification.updated_at,
    )
    put_changed(tx, changed, now=notification.updated_at)
    return changed


def close_incident(tx: Tx, incident: str, *, now: datetime) -> Notification | None:
    """Close the open notification of an incident; None when none is open."""
    found = open_incident(tx, incident)
    if found is None:
        return None
    closed = found.resolved(now=now)
    put_changed(tx, closed, now=now)
    return closed


def mark_notifications(
    tx: Tx,
    ids: Sequence[str],
    status: NotificationStatus,
    *,
    note: str | None = None,
    snoozed_until: datetime | None = None,
    by: str = "",
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
        if not found:
            marked.append(None)
            continue
        notification = _existing(tx, notification_id)
        tx.append(events.notification_changed(notification, change=status, by=by, now=now))
        marked.append(notification)
    return marked


def trim(tx: Tx, *, keep: int) -> None:
    """Delete all but the latest `keep` notifications, and their deliveries.

    One that is still to be delivered stays until its deliveries have ended, which is within a day.
    """
    if tx.run("trim_notifications", keep=keep):
        tx.run("trim_deliveries")


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
