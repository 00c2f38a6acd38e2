"""Missed slots that expired without a decision."""

from collections.abc import Callable
from datetime import datetime, timedelta

from universal_agent.domain.channels import Route
from universal_agent.domain.expired import Expired, by_owner, digest_words
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.slot import from_epoch
from universal_agent.store.rows.decoding import decoded
from universal_agent.store.rows.missed import missed_from_row
from universal_agent.store.steps.job_versions import read_spec
from universal_agent.store.tx import Row, Tx
from universal_agent.store.verbs.notifications import add_notification

#: Until when digests have told what expired.
_TOLD = "expired_told_until"

_DAY = timedelta(days=1)


def expired_before(tx: Tx, *, before: tuple[float, str], limit: int) -> list[Expired]:
    """Spans that expired before that one (time, id), the latest first."""
    at, missed_id = before
    rows = tx.all("expired_before", at=at, missed_id=missed_id, limit=limit)
    return decoded(tx, "missed", rows, lambda row: _expired(tx, row))


def _expired(tx: Tx, row: Row) -> Expired:
    record = missed_from_row(row)
    spec = read_spec(tx, record.source_ref, record.job_version)
    return Expired(record, spec.display_title, spec.user_id)


def told_until(tx: Tx) -> datetime | None:
    """Until when digests have told what expired; None before the first one."""
    row = tx.one("get_meta", name=_TOLD)
    return None if row is None else from_epoch(float(row[0]))


def tell_expired(
    tx: Tx, *, until: datetime, new_id: Callable[[], str], route: Route, now: datetime
) -> list[Notification]:
    """Tell each user what expired since the last digest up to `until`, where anything did.

    The first digest of a database begins with what expires after it was made. One after a clock
    that ran ahead begins a day before: rather twice than never.
    """
    since = told_until(tx)
    if since is not None and since > until:
        since = until - _DAY
    tx.run("set_meta", name=_TOLD, value=repr(until.timestamp()))
    if since is None:
        return []
    rows = tx.all("expired_between", since=since.timestamp(), until=until.timestamp())
    expired = decoded(tx, "missed", rows, lambda row: _expired(tx, row))
    told = []
    for owner_id, ones in sorted(by_owner(expired).items()):
        title, message = digest_words(owner_id, ones)
        notification = Notification(
            notification_id=new_id(),
            kind=Kind.EXPIRED,
            severity=Severity.INFO,
            title=title,
            message=message,
            source_ref="stasis",
            session_id=None,
            incident=f"expired:{owner_id}:{int(until.timestamp())}",
            is_open=False,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
            metadata={
                "owner_id": owner_id,
                "since": since.timestamp(),
                "until": until.timestamp(),
                "slots": sum(one.record.span.count for one in ones),
                "event_ids": [one.record.event_id for one in ones[:100]],
            },
        )
        told.append(add_notification(tx, notification, route=route))
    return told
