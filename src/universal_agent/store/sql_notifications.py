"""The verbs of notifications and deliveries, over a SQL database."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from universal_agent.domain.deliveries import Delivery, DeliveryStatus
from universal_agent.domain.notifications import Notification, NotificationStatus
from universal_agent.store import notification_rows
from universal_agent.store.tx import Database


class SqlNotifications:
    """`NotificationStore` over a SQL database."""

    _db: Database

    async def fold_notifications(
        self,
        *,
        limit: int,
        new_id: Callable[[], str],
        keep: int,
        targets: Sequence[str] = (),
        now: datetime,
    ) -> tuple[int, Sequence[Notification]]:
        return await self._db.write(
            lambda tx: notification_rows.fold_events(
                tx, limit=limit, new_id=new_id, keep=keep, targets=targets, now=now
            )
        )

    async def has_notable_events(self, *, after_seq: int) -> tuple[bool, int]:
        return await self._db.read(
            lambda tx: notification_rows.has_notable(tx, after_seq=after_seq)
        )

    async def list_notifications(
        self, *, limit: int, session_id: str | None = None, before: str | None = None
    ) -> Sequence[Notification]:
        return await self._db.read(
            lambda tx: notification_rows.list_notifications(
                tx, limit=limit, session_id=session_id, before=before
            )
        )

    async def open_notifications(self, *, prefix: str) -> Sequence[Notification]:
        return await self._db.read(
            lambda tx: notification_rows.open_notifications(tx, prefix=prefix)
        )

    async def get_notification(self, notification_id: str) -> Notification | None:
        return await self._db.read(
            lambda tx: notification_rows.get_notification(tx, notification_id)
        )

    async def add_notification(
        self, notification: Notification, *, targets: Sequence[str] = ()
    ) -> Notification:
        return await self._db.write(
            lambda tx: notification_rows.add_notification(tx, notification, targets=targets)
        )

    async def close_incident(self, incident: str, *, now: datetime) -> Notification | None:
        return await self._db.write(
            lambda tx: notification_rows.close_incident(tx, incident, now=now)
        )

    async def mark_notifications(
        self,
        ids: Sequence[str],
        status: NotificationStatus,
        *,
        note: str | None = None,
        snoozed_until: datetime | None = None,
        now: datetime,
    ) -> Sequence[Notification | None]:
        return await self._db.write(
            lambda tx: notification_rows.mark_notifications(
                tx, ids, status, note=note, snoozed_until=snoozed_until, now=now
            )
        )

    # -- deliveries

    async def adopt_targets(
        self, targets: Sequence[str], *, since: datetime, now: datetime
    ) -> None:
        await self._db.write(
            lambda tx: notification_rows.adopt_targets(tx, targets, since=since, now=now)
        )

    async def next_delivery(self, target: str) -> Delivery | None:
        return await self._db.read(lambda tx: notification_rows.next_delivery(tx, target))

    async def delivery_attempted(
        self,
        delivery: Delivery,
        status: DeliveryStatus,
        *,
        next_at: datetime | None = None,
        refused: bool = False,
        error: str | None = None,
        now: datetime,
    ) -> bool:
        return await self._db.write(
            lambda tx: notification_rows.delivery_attempted(
                tx, delivery, status, next_at=next_at, refused=refused, error=error, now=now
            )
        )

    async def delivery_statuses(
        self, notification_id: str | None = None
    ) -> Mapping[tuple[str, str], DeliveryStatus]:
        return await self._db.read(
            lambda tx: notification_rows.delivery_statuses(tx, notification_id)
        )
