"""Notifications, newest first."""

from datetime import datetime
from typing import Any

from universal_agent.domain.notifications import NotificationStatus
from universal_agent.store import verbs
from universal_agent.store.store import Store


class NotificationView:
    """Reads notifications."""

    def __init__(self, store: Store, *, keep: int) -> None:
        self._store = store
        self._keep = keep

    async def page(
        self,
        *,
        limit: int,
        now: datetime,
        status: NotificationStatus | None = None,
        session_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """Up to `limit` notifications with a status."""
        found = await self._store.read(
            verbs.notifications.list_notifications, limit=self._keep, session_id=session_id
        )
        shown = [n for n in found if status is None or n.status_at(now) is status]
        return [n.document(now=now) for n in shown[:limit]]

    async def counts(self, *, now: datetime) -> dict[str, int]:
        """`unread` and `total`."""
        found = await self._store.read(verbs.notifications.list_notifications, limit=self._keep)
        unread = sum(n.status_at(now) is NotificationStatus.NEW for n in found)
        return {"unread": unread, "total": len(found)}
