"""Notifications: folded from the event log, kept, and marked by people.

Each event is folded once, over any number of restarts. Delivery beyond the dashboard is in
delivery.py, which follows the events of notifications.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from universal_agent.clock import Cancellable, Clock
from universal_agent.domain.channels import Route
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.incidents import NOTABLE
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus
from universal_agent.engine.hub import Hub
from universal_agent.engine.ids import new_id
from universal_agent.errors import InvalidInput
from universal_agent.store import verbs
from universal_agent.store.store import Store

_BATCH = 500

#: The pause between two reads of the log: many events share one.
_PAUSE_SECONDS = 0.5

#: The longest wait for a turn: the wall clock may be set forward in between.
_LONGEST_WAIT_SECONDS = 600.0


class Notifier:
    """Folds events, delivers notifications, and takes people's answers."""

    #: A mark of a person changes which turns time brings.
    event_types = (*NOTABLE, EventType.NOTIFICATION_CHANGED)

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        keep: int,
        snooze_default: timedelta,
        snooze_max: timedelta,
        route: Route,
        hub: Hub,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._snooze_default = snooze_default
        self._snooze_max = snooze_max
        self._route = route
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
        """Fold every new event and take the turns that time brings, until cancelled."""
        seen = (await self._store.read(verbs.event_log.log_bounds)).newest_seq
        await self._fold()
        while True:
            alarm = await self._turns()
            try:
                await self._events.wait()
            finally:
                if alarm is not None:
                    alarm.cancel()
            self._events.clear()
            # Most of these events change nothing: to ask first costs no write.
            notable, seen = await self._store.read(
                verbs.notifications.has_notable_events, after_seq=seen
            )
            if notable:
                await self._fold()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _turns(self) -> Cancellable | None:
        """Take the turns that are due, and have the loop woken for the next one."""
        now = self._clock.now()
        turn_at = await self._store.read(verbs.notifications.next_turn_at)
        if turn_at is not None and turn_at <= now:
            changed, turn_at = await self._store.write(
                verbs.notifications.take_turns,
                new_id=lambda: new_id("ntf", self._clock.now()),
                route=self._route,
                now=now,
            )
            for notification in changed:
                self._publish(notification)
        if turn_at is None:
            return None
        wait = min((turn_at - now).total_seconds(), _LONGEST_WAIT_SECONDS)
        return self._clock.call_later(max(wait, 0.0), self._events.set)

    async def _fold(self) -> None:
        while True:
            now = self._clock.now()
            count, changed = await self._store.write(
                verbs.notifications.fold_notifications,
                limit=_BATCH,
                new_id=lambda: new_id("ntf", self._clock.now()),
                keep=self._keep,
                route=self._route,
                now=now,
            )
            for notification in changed:
                self._publish(notification)
            if count < _BATCH:
                return

    async def tell(
        self, notification: Notification, *, reached: Collection[str] = ()
    ) -> Notification:
        """Keep a notification, and deliver it to the channels that it has not `reached` already.

        If its incident is open, the text of the open notification changes instead.
        """

        def route(told: Notification, occasion: Occasion) -> Sequence[str]:
            return [target for target in self._route(told, occasion) if target not in reached]

        told = await self._store.write(
            verbs.notifications.add_notification, notification, route=route
        )
        self._publish(told)
        return told

    async def tell_expired(self, *, until: datetime) -> None:
        """Tell each user what expired since the last digest up to `until`."""
        now = self._clock.now()
        told = await self._store.write(
            verbs.expired.tell_expired,
            until=until,
            new_id=lambda: new_id("ntf", now),
            route=self._route,
            now=now,
        )
        for notification in told:
            self._publish(notification)

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
        by: str = "",
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
            by=by,
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
