"""Telling people: notifications folded from the log, what they do with them, and delivery.

Each event is folded once, whatever restarts come in between. Delivery beyond the dashboard is
tried again with growing waits, and its own failure is a notification too.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.ids import new_id
from universal_agent.errors import InvalidInput, NotFound, SettingsError
from universal_agent.store.base import Store

_log = structlog.get_logger(__name__)

_BATCH = 500

#: Between two looks at the log: many events share one.
_PAUSE_SECONDS = 0.5

#: Waits between tries of a delivery; the last one repeats.
_WAITS = (5.0, 30.0, 120.0, 600.0)

_DELIVERY = "delivery"


class Delivery(Protocol):
    """A way to people beyond the dashboard."""

    async def send(self, notification: Notification) -> None:
        """Deliver; raises when that failed."""
        ...


class AppriseDelivery:
    """Delivers through apprise to every URL of UA_NOTIFY_URLS (extra `notify`)."""

    def __init__(self, urls: Sequence[str]) -> None:
        try:
            import apprise
        except ImportError:
            raise SettingsError(
                "UA_NOTIFY_URLS is set, but apprise is not installed: install "
                "universal-agent[notify]"
            ) from None
        self._apprise = apprise.Apprise()
        for url in urls:
            if not self._apprise.add(url):
                raise SettingsError(f"UA_NOTIFY_URLS: apprise does not understand {url[:40]!r}")

    async def send(self, notification: Notification) -> None:
        delivered = await self._apprise.async_notify(
            title=notification.title, body=notification.message
        )
        if not delivered:
            raise ConnectionError("at least one of the services did not take it")


class Notifier:
    """Folds, delivers, and takes people's answers."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        keep: int,
        snooze_default: timedelta,
        snooze_max: timedelta,
        delivery: Delivery | None = None,
        on_news: Callable[[Notification], None] = lambda _: None,
    ) -> None:
        """`on_news`: is called with each notification that is new or says something new."""
        self._store = store
        self._clock = clock
        self._keep = keep
        self._snooze_default = snooze_default
        self._snooze_max = snooze_max
        self._delivery = delivery
        self._on_news = on_news
        self._news = asyncio.Event()

    # -- the loops

    async def run(self) -> None:
        """Fold every new event, for ever."""
        seen = (await self._store.log_bounds()).newest_seq
        await self._fold()
        async for _ in self._store.appended(after_seq=seen):
            # Most events are no news: looking costs no write.
            notable, seen = await self._store.has_notable_events(after_seq=seen)
            if notable:
                await self._fold()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _fold(self) -> None:
        while True:
            now = self._clock.now()
            count, changed = await self._store.fold_notifications(
                limit=_BATCH,
                new_id=lambda: new_id("ntf", self._clock.now()),
                keep=self._keep,
                now=now,
            )
            for notification in changed:
                self._on_news(notification)
            if changed:
                self._news.set()
            if count < _BATCH:
                return

    async def deliver(self) -> None:
        """Deliver what has not been delivered, oldest first, for ever."""
        assert self._delivery is not None
        failures = 0
        while True:
            pending = await self._store.undelivered_notifications(limit=20)
            if not pending:
                await self._news.wait()
                self._news.clear()
                continue
            try:
                await self._delivery.send(pending[0])
            except Exception as error:
                await self._delivery_failed(error, first=failures == 0)
                await self._clock.sleep(_WAITS[min(failures, len(_WAITS) - 1)])
                failures += 1
            else:
                failures = 0
                await self._store.mark_notifications_delivered([pending[0].notification_id])

    async def _delivery_failed(self, error: Exception, *, first: bool) -> None:
        _log.warning("delivery_failed", action="delivery_failed", error=str(error))
        if not first:
            return
        now = self._clock.now()
        notification = Notification(
            notification_id=new_id("ntf", now),
            kind=Kind.DELIVERY_FAILED,
            severity=Severity.ERROR,
            title="Notifications are not getting through",
            message=f"{type(error).__name__}: {error}. They are tried again.",
            source_ref=_DELIVERY,
            session_id=None,
            incident=_DELIVERY,
            is_open=False,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
        )
        await self._store.put_notification(notification, delivered=True)

    async def tell(self, notification: Notification) -> None:
        """Keep a notification, and deliver it as any other."""
        await self._store.put_notification(notification, delivered=False)
        self._on_news(notification)
        self._news.set()

    # -- commands

    async def change(
        self,
        notification_id: str,
        status: NotificationStatus,
        *,
        note: str | None = None,
        snooze_minutes: float | None = None,
    ) -> Notification:
        """Mark a notification. Raises NotFound, or InvalidInput for a snooze out of bounds."""
        found = await self._store.get_notification(notification_id)
        if found is None:
            raise NotFound(f"There is no notification {notification_id!r}.")
        now = self._clock.now()
        until = None
        if status is NotificationStatus.SNOOZED:
            snooze = self._snooze_default
            if snooze_minutes is not None:
                snooze = timedelta(minutes=snooze_minutes)
            if not timedelta(0) < snooze <= self._snooze_max:
                raise InvalidInput(
                    f"expected a snooze of up to {self._snooze_max.total_seconds() / 60:.0f} "
                    f"minutes, got {snooze.total_seconds() / 60:g}",
                    field="snooze_minutes",
                )
            until = now + snooze
        elif snooze_minutes is not None:
            raise InvalidInput("expected snooze_minutes only with snoozed", field="snooze_minutes")
        changed = replace(
            found,
            status=status,
            note=note if note is not None else found.note,
            snoozed_until=until,
            updated_at=now,
        )
        await self._store.put_notification(changed, delivered=True)
        return changed
