"""What does the store promise about notifications? A part of `store/base.py`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from universal_agent.domain.notifications import Notification


class NotificationStore(Protocol):
    """The verbs of notifications."""

    async def fold_notifications(
        self, *, limit: int, new_id: Callable[[], str], keep: int, now: datetime
    ) -> tuple[int, Sequence[Notification]]:
        """Fold the next events into notifications, each event once.

        How many events were read, and the notifications that are new or say something new.
        """
        ...

    async def has_notable_events(self, *, after_seq: int) -> tuple[bool, int]:
        """Whether events after `after_seq` may be news, and the newest seq that was looked at."""
        ...

    async def list_notifications(
        self, *, limit: int, session_id: str | None = None, before: str | None = None
    ) -> Sequence[Notification]:
        """Notifications newest first."""
        ...

    async def get_notification(self, notification_id: str) -> Notification | None:
        """The notification, or None."""
        ...

    async def put_notification(self, notification: Notification, *, delivered: bool) -> None:
        """Keep a notification as it now is."""
        ...

    async def undelivered_notifications(self, *, limit: int) -> Sequence[Notification]:
        """Notifications that have not been delivered beyond the dashboard, oldest first."""
        ...

    async def mark_notifications_delivered(self, ids: Sequence[str]) -> None:
        """They have been."""
        ...
