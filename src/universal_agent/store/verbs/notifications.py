"""Notifications.

A person's marks and the changes by events are different columns: neither writes back values that it
read before its own transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.domain import events
from universal_agent.domain.causes import resource_of
from universal_agent.domain.channels import Route
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.failure_digest import FailureDigest
from universal_agent.domain.failure_incidents import paused_with
from universal_agent.domain.incidents import IncidentFold
from universal_agent.domain.job import spec_from_record
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.domain.reminders import RELAPSE_WITHIN, next_turn, take_turn
from universal_agent.store.encoding import from_json, stamp
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.events import events_from
from universal_agent.store.rows.notifications import notification_from_row
from universal_agent.store.steps.notifications import (
    add_new,
    deliver_again,
    no_route,
    open_incident,
    put_changed,
    put_notification,
)
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
    position = found[-1].seq if len(found) == limit else newest
    if not tx.run("advance_meta", name=_POSITION, seen=str(after), value=str(position)):
        return 0, []  # another process folds them
    made: set[str] = set()

    def make_id() -> str:
        made.add(made_id := new_id())
        return made_id

    fold = IncidentFold(
        open_incident=lambda incident: open_incident(tx, incident),
        incident_of_job=lambda job_id: _incident_of_job(tx, job_id, now=now),
        recent_incident=lambda incident: _recent_incident(tx, incident, now=now),
        is_pending=lambda outage_id: _is_pending(tx, outage_id),
        new_id=make_id,
        titles=lambda job_id: _title(tx, job_id),
        resources=lambda job_id: _resource(tx, job_id),
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
        occasion = fold.again.get(notification.notification_id)
        if occasion is not None:
            deliver_again(tx, notification, route, occasion, now=now)
        if notification.kind is Kind.FAILED:
            _put_jobs(tx, notification)
    if changed:
        trim(tx, keep=keep)
    return len(found), changed


def has_notable_events(tx: Tx, *, after_seq: int) -> tuple[bool, int]:
    """Whether events after `after_seq` may be news, and the newest seq that was read."""
    newest = log_bounds(tx).newest_seq
    return bool(tx.all("notable_events", after_seq=after_seq, limit=1)), newest


def take_turns(
    tx: Tx, *, new_id: Callable[[], str], route: Route = no_route, now: datetime
) -> tuple[list[Notification], datetime | None]:
    """Remind, update and end what is due by time alone.

    Returns the new or changed notifications, and when the next turn is due.
    """
    changed: list[Notification] = []
    turns: list[datetime] = []
    for row in tx.all("open_notifications", prefix=""):
        try:
            notification = notification_from_row(row)
        except Exception as error:
            tx.set_aside.add("notifications", row[0], error)
            continue
        turn = next_turn(notification)
        if turn is not None and turn <= now:
            changed += _take_turn(tx, notification, new_id, route, now=now)
            turn = next_turn(changed[-1]) if changed[-1].is_open else None
        if turn is not None:
            turns.append(turn)
    return changed, min(turns, default=None)


def _take_turn(
    tx: Tx, notification: Notification, new_id: Callable[[], str], route: Route, *, now: datetime
) -> list[Notification]:
    if notification.settles_at is not None and notification.settles_at <= now:
        return _settle(tx, notification, new_id, route, now=now)
    after, occasion = take_turn(notification, now=now)
    if occasion is Occasion.UPDATE:
        after = replace(after, metadata={**after.metadata, "updated_at": now.timestamp()})
    put_notification(tx, after)
    deliver_again(tx, after, route, occasion, now=now)
    return [after]


def _settle(
    tx: Tx, failing: Notification, new_id: Callable[[], str], route: Route, *, now: datetime
) -> list[Notification]:
    """Close an incident that came back before and has held now; people who know of it are told."""
    closed = replace(failing.resolved(now=now), settles_at=None)
    put_changed(tx, closed, now=now)
    close_incident(tx, paused_with(failing), now=now)
    digest = FailureDigest.of(failing)
    if not digest.is_relapse_told:
        return [closed]
    title, message = digest.words_of_end(failing.created_at, lambda job_id: _title(tx, job_id))
    recovered = Notification(
        notification_id=new_id(),
        kind=Kind.RECOVERED,
        severity=Severity.INFO,
        title=title,
        message=message,
        source_ref=failing.source_ref,
        session_id=failing.session_id,
        incident=failing.incident,
        is_open=False,
        status=NotificationStatus.NEW,
        created_at=now,
        updated_at=now,
        metadata={"jobs": list(digest.since), "over": failing.severity},
    )
    add_new(tx, recovered, route, now=now)
    return [recovered, closed]


def next_turn_at(tx: Tx) -> datetime | None:
    """When time changes an open notification next; None when it does not."""
    found = decoded(
        tx, "notifications", tx.all("open_notifications", prefix=""), notification_from_row
    )
    return min((at for one in found if (at := next_turn(one)) is not None), default=None)


def _incident_of_job(tx: Tx, job_id: str, *, now: datetime) -> Notification | None:
    since = (now - RELAPSE_WITHIN).timestamp()
    row = tx.one("incident_of_job", source_ref=job_id, since=since)
    return None if row is None else notification_from_row(row)


def _recent_incident(tx: Tx, incident: str, *, now: datetime) -> Notification | None:
    since = (now - timedelta(days=1)).timestamp()
    row = tx.one("recent_incident", incident=incident, since=since)
    return None if row is None else notification_from_row(row)


def _put_jobs(tx: Tx, notification: Notification) -> None:
    """Keep which jobs a `failed` notification is about."""
    tx.many(
        "put_incident_job",
        [
            {"source_ref": ref, "notification_id": notification.notification_id}
            for ref in FailureDigest.of(notification).since
        ],
    )


def _is_pending(tx: Tx, outage_id: str) -> bool:
    row = tx.one("pending_in_outage", outage_id=outage_id)
    return row is not None and bool(row[0])


def _resource(tx: Tx, job_id: str) -> str:
    row = tx.one("latest_spec", job_id=job_id)
    if row is None:
        return job_id
    spec = spec_from_record(from_json(row[0]))
    return resource_of(spec.command, spec.runner)


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
        tx.run("trim_incident_jobs")


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
