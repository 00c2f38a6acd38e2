"""How are notifications kept? With the place in the event log that they were folded up to."""

from collections.abc import Callable, Sequence
from datetime import datetime

from universal_agent.domain.job import spec_from_record
from universal_agent.domain.notifications import (
    Desk,
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.domain.slot import from_epoch
from universal_agent.store.log_verbs import log_bounds
from universal_agent.store.rows import event_from_row
from universal_agent.store.tx import Row, Tx, from_json, stamp, to_json

_POSITION = "notified_seq"


def fold_events(
    tx: Tx, *, limit: int, new_id: Callable[[], str], keep: int, now: datetime
) -> tuple[int, list[Notification]]:
    """Fold the next events into notifications, each once; (events read, what has changed)."""
    row = tx.one("get_meta", name=_POSITION)
    after = 0 if row is None else int(row[0])
    newest = log_bounds(tx).newest_seq
    rows = tx.all("notable_events", after_seq=after, limit=limit)
    events = [event_from_row(event) for event in rows]
    desk = Desk(
        open_incident=lambda incident: _open_incident(tx, incident),
        new_id=new_id,
        titles=lambda job_id: _title(tx, job_id),
        now=now,
    )
    for event in events:
        desk.fold(event)
    changed = list(desk.changed.values())
    put_notifications(tx, changed)
    if changed:
        tx.run("trim_notifications", keep=keep)
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


def _title(tx: Tx, job_id: str) -> str:
    row = tx.one("latest_spec", job_id=job_id)
    return job_id if row is None else spec_from_record(from_json(row[0])).display_title


def put_notifications(tx: Tx, notifications: Sequence[Notification]) -> None:
    """Keep notifications as they now are."""
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
        metadata=from_json(metadata),
    )


def list_notifications(
    tx: Tx, *, limit: int, session_id: str | None, before: str | None
) -> list[Notification]:
    rows = tx.all("list_notifications", limit=limit, session_id=session_id, before=before or "~")
    return [notification_from_row(row) for row in rows]


def get_notification(tx: Tx, notification_id: str) -> Notification | None:
    row = tx.one("get_notification", notification_id=notification_id)
    return None if row is None else notification_from_row(row)


def undelivered(tx: Tx, *, limit: int) -> list[Notification]:
    return [notification_from_row(row) for row in tx.all("undelivered", limit=limit)]


def mark_delivered(tx: Tx, ids: Sequence[str]) -> None:
    tx.many("mark_delivered", [{"notification_id": i} for i in ids])
