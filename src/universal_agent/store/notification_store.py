"""The promises of the store about notifications and deliveries. A part of `store/base.py`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from universal_agent.domain.deliveries import Delivery, DeliveryStatus
from universal_agent.domain.notifications import Notification, NotificationStatus


class NotificationStore(Protocol):
    """The verbs of notifications."""

    async def fold_notifications(
        self,
        *,
        limit: int,
        new_id: Callable[[], str],
        keep: int,
        targets: Sequence[str] = (),
        now: datetime,
    ) -> tuple[int, Sequence[Notification]]:
        """Fold the next events into notifications, each event once, with a delivery of each new
        one to each of `targets`.

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

    async def open_notifications(self, *, prefix: str) -> Sequence[Notification]:
        """Those whose incident is open and begins with `prefix`, oldest first."""
        ...

    async def get_notification(self, notification_id: str) -> Notification | None:
        """The notification, or None."""
        ...

    async def add_notification(
        self, notification: Notification, *, targets: Sequence[str] = ()
    ) -> Notification:
        """Keep a new notification, with a delivery to each of `targets`.

        While its incident is open already, what is said of that changes instead. The notification
        as it then is.
        """
        ...

    async def close_incident(self, incident: str, *, now: datetime) -> Notification | None:
        """Close the open notification of an incident; None when none is open."""
        ...

    async def mark_notifications(
        self,
        ids: Sequence[str],
        status: NotificationStatus,
        *,
        note: str | None = None,
        snoozed_until: datetime | None = None,
        now: datetime,
    ) -> Sequence[Notification | None]:
        """Mark notifications, changing nothing else about them; a `note` of None stays.

        Each as it then is, in the order of `ids`; None where there is none with that id.
        """
        ...

    # -- deliveries

    async def adopt_targets(
        self, targets: Sequence[str], *, since: datetime, now: datetime
    ) -> None:
        """Take `targets` for all there are: deliveries elsewhere end; deliveries that an older
        schema made for every target, after `since`, are spread over them.
        """
        ...

    async def next_delivery(self, target: str) -> Delivery | None:
        """The target's delivery that is to be tried first, now or later; None: there is none."""
        ...

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
        """Record an attempt and where the delivery stands after it; False when it had ended."""
        ...

    async def delivery_statuses(
        self, notification_id: str | None = None
    ) -> Mapping[tuple[str, str], DeliveryStatus]:
        """Where deliveries stand, by notification and target."""
        ...
