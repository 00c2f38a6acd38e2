"""Notifications: folded from the event log, kept, and marked by people.

Each event is folded once, over any number of restarts. Delivery beyond the dashboard is in
delivery.py.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from universal_agent.clock import Clock
from universal_agent.domain.events import Event
from universal_agent.domain.incidents import NOTABLE
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus
from universal_agent.engine.delivery import Deliverer
from universal_agent.engine.hub import Hub
from universal_agent.engine.ids import new_id
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs
from universal_agent.store.store import Store

_BATCH = 500

#: The pause between two reads of the log: many events share one.
_PAUSE_SECONDS = 0.5


class Notifier:
    """Folds events, delivers notifications, and takes people's answers."""

    event_types = NOTABLE

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        keep: int,
        snooze_default: timedelta,
        snooze_max: timedelta,
        deliverer: Deliverer,
        hub: Hub,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._snooze_default = snooze_default
        self._snooze_max = snooze_max
        self._deliverer = deliverer
        self._hub = hub
        self._events = asyncio.Event()

    # -- the loop

    def notice(self, event: Event) -> None:
        """An event may be worth a notification."""
        self._events.set()

    async def look(self) -> None:
        """Read the log from where it was last folded."""
        self._events.set()

    async def run(self) -> None:
        """Fold every new event, until cancelled."""
        seen = (await self._store.read(verbs.event_log.log_bounds)).newest_seq
        await self._fold()
        while True:
            await self._events.wait()
            self._events.clear()
            # Most of these events change nothing: to ask first costs no write.
            notable, seen = await self._store.read(
                verbs.notifications.has_notable_events, after_seq=seen
            )
            if notable:
                await self._fold()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _fold(self) -> None:
        while True:
            now = self._clock.now()
            count, changed = await self._store.write(
                verbs.notifications.fold_notifications,
                limit=_BATCH,
                new_id=lambda: new_id("ntf", self._clock.now()),
                keep=self._keep,
                targets=self._deliverer.target_ids,
                now=now,
            )
            for notification in changed:
                self._publish(notification)
            if changed:
                self._deliverer.look()
            if count < _BATCH:
                return

    async def tell(self, notification: Notification, *, deliver: bool = True) -> Notification:
        """Keep a notification, and deliver it unless it reached people already.

        If its incident is open, the text of the open notification changes instead.
        """
        targets = self._deliverer.target_ids if deliver else ()
        told = await self._store.write(
            verbs.notifications.add_notification, notification, targets=targets
        )
        self._publish(told)
        self._deliverer.look()
        return told

    async def close(self, incident: str) -> Notification | None:
        """Close the open notification of an incident; None if none is open."""
        closed = await self._store.write(
            verbs.notifications.close_incident, incident, now=self._clock.now()
        )
        if closed is not None:
            self._publish(closed)
        return closed

    def _publish(self, notification: Notification) -> None:
        """Send a notification to the clients of its session; the inbox keeps it for the others.

        An alert of a beat is not sent: its summary was, or was withheld for a reason.
        """
        if notification.session_id is not None and notification.kind is not Kind.ALERT:
            document = notification.document(now=self._clock.now())
            data = {"type": "notification", "payload": document}
            self._hub.publish(notification.session_id, "system_event", data)

    # -- commands

    async def mark(
        self,
        ids: Sequence[str],
        status: NotificationStatus,
        *,
        note: str | None = None,
        snooze_minutes: float | None = None,
    ) -> Sequence[Notification | None]:
        """Mark notifications in one transaction; None for each id that is unknown.

        Raises InvalidInput for a snooze out of bounds.
        """
        now = self._clock.now()
        until = self._snoozed_until(status, snooze_minutes, now)
        return await self._store.write(
            verbs.notifications.mark_notifications,
            ids,
            status,
            note=note,
            snoozed_until=until,
            now=now,
        )

    def _snoozed_until(
        self, status: NotificationStatus, minutes: float | None, now: datetime
    ) -> datetime | None:
        if status is not NotificationStatus.SNOOZED:
            if minutes is not None:
                raise InvalidInput(
                    "expected snooze_minutes only with snoozed", field="snooze_minutes"
                )
            return None
        snooze = self._snooze_default
        if minutes is not None:
            longest = self._snooze_max.total_seconds() / 60
            if not 0 < minutes <= longest:
                raise InvalidInput(
                    f"expected a snooze of up to {longest:.0f} minutes, got {minutes:g}",
                    field="snooze_minutes",
                )
            snooze = timedelta(minutes=minutes)
        return now + snooze
