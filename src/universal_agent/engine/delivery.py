"""Delivery of notifications beyond the dashboard.

Each notification has a delivery for each target, a row with its own tries and its own end, and
each target has a loop and a thread of its own. So a target that is down, refuses or hangs neither
repeats messages to the others nor delays them. A delivery that was sent and not recorded
before a crash is sent again.
"""

import asyncio
import hashlib
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.deliveries import TRIED_FOR, Delivery, DeliveryStatus
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.ids import new_id
from universal_agent.errors import SettingsError
from universal_agent.masking import mask
from universal_agent.runners.time_limit import time_limit
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import Pool

_log = structlog.get_logger(__name__)

#: How long one attempt may take.
_ATTEMPT_SECONDS = 60.0

#: Answers that asking again does not change.
_REFUSALS = frozenset({400, 401, 403, 404, 405, 410, 413, 414, 415, 422})

_STATUS = re.compile(r"error=(\d{3})\b")


class DeliveryFailed(Exception):
    """A target did not take a message; `refused`: it will not take it later either."""

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        super().__init__(reason)
        self.refused = refused


class Target(Protocol):
    """A way to people beyond the dashboard."""

    #: Stays the same over restarts; no part of it is secret.
    target_id: str
    #: What people call it.
    name: str

    def send(self, title: str, message: str) -> None:
        """Deliver a message, from a thread that may wait. Raises DeliveryFailed."""
        ...


class AppriseTarget:
    """A service of apprise, by its URL."""

    def __init__(self, service: Any, url: str, number: int) -> None:
        self._service = service
        self.target_id = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
        self.name = f"{service.service_name} (number {number} in UA_NOTIFY_URLS)"

    def send(self, title: str, message: str) -> None:
        with _said_here() as said:
            delivered = self._service.notify(title=title, body=message)
        if not delivered:
            reason = "; ".join(said) or "the service did not take it"
            status = _STATUS.search(reason)
            refused = status is not None and int(status[1]) in _REFUSALS
            raise DeliveryFailed(mask(reason), refused=refused)


@contextmanager
def _said_here() -> Iterator[list[str]]:
    """Collects what apprise logs in this thread: it reports reasons in no other way."""
    said: list[str] = []
    here = threading.get_ident()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                said.append(record.getMessage())

    handler, logger = Handler(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


def apprise_targets(urls: Sequence[str]) -> list[AppriseTarget]:
    """The targets of UA_NOTIFY_URLS, each once. Raises SettingsError, without repeating a URL."""
    if not urls:
        return []
    try:
        import apprise
    except ImportError:
        raise SettingsError(
            "UA_NOTIFY_URLS is set, but apprise is not installed: install universal-agent[notify]"
        ) from None
    targets: dict[str, AppriseTarget] = {}
    for number, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(url)
        if service is None:
            raise SettingsError(
                f"UA_NOTIFY_URLS: expected URLs of apprise, which does not understand number "
                f"{number}"
            )
        target = AppriseTarget(service, url, number)
        targets.setdefault(target.target_id, target)
    return list(targets.values())


class Deliverer:
    """Delivers what is due, target by target."""

    def __init__(self, store: Store, clock: Clock, targets: Sequence[Target]) -> None:
        self._store = store
        self._clock = clock
        self.targets = tuple(targets)
        self.target_ids = tuple(target.target_id for target in targets)
        self._news = {target.target_id: asyncio.Event() for target in targets}
        #: One thread for each target, and one more for what cannot wait for the store.
        self._threads = {t.target_id: Pool("delivery", 1) for t in targets}
        self._alarm_threads = {t.target_id: Pool("alarm", 1) for t in targets}

    async def adopt(self) -> None:
        """Give deliveries of an earlier process to the present targets."""
        now = self._clock.now()
        await self._store.write(
            verbs.deliveries.adopt_targets, self.target_ids, since=now - TRIED_FOR, now=now
        )

    def look(self) -> None:
        """Deliveries may be due."""
        for news in self._news.values():
            news.set()

    async def run(self, target: Target) -> None:
        """Deliver to one target."""
        news = self._news[target.target_id]
        while True:
            news.clear()
            delivery = await self._store.read(verbs.deliveries.next_delivery, target.target_id)
            wait = None
            if delivery is not None:
                wait = (delivery.next_at - self._clock.now()).total_seconds()
                if wait <= 0:
                    await self._attempt(target, delivery)
                    continue
            alarm = None if wait is None else self._clock.call_later(wait, news.set)
            try:
                await news.wait()
            finally:
                if alarm is not None:
                    alarm.cancel()

    async def _attempt(self, target: Target, delivery: Delivery) -> None:
        notification = delivery.notification
        try:
            async with time_limit(self._clock, _ATTEMPT_SECONDS):
                await self._threads[target.target_id].run(
                    target.send, notification.title, notification.message
                )
        except TimeoutError:
            failure = DeliveryFailed(f"no answer in {_ATTEMPT_SECONDS:g} s")
        except DeliveryFailed as error:
            failure = error
        except Exception as error:
            failure = DeliveryFailed(mask(f"{type(error).__name__}: {error}"))
        else:
            now = self._clock.now()
            await self._store.write(
                verbs.deliveries.delivery_attempted, delivery, DeliveryStatus.DELIVERED, now=now
            )
            await self._told_well(target)
            return
        now = self._clock.now()
        next_at = delivery.next_try(now=now, refused=failure.refused)
        status = DeliveryStatus.GIVEN_UP if next_at is None else DeliveryStatus.PENDING
        _log.warning(
            "delivery_failed",
            target=target.name,
            notification_id=notification.notification_id,
            attempt=delivery.attempts + 1,
            error=str(failure),
            given_up=next_at is None,
        )
        await self._store.write(
            verbs.deliveries.delivery_attempted,
            delivery,
            status,
            next_at=next_at,
            refused=failure.refused,
            error=str(failure),
            now=now,
        )
        await self._tell_failing(target, failure, given_up=next_at is None)

    async def _tell_failing(
        self, target: Target, failure: DeliveryFailed, *, given_up: bool
    ) -> None:
        """Keep one notification while a target fails, delivered to the other targets."""
        now = self._clock.now()
        incident = f"delivery:{target.target_id}"
        end = "A notification was given up." if given_up else "It is tried again."
        notification = Notification(
            notification_id=new_id("ntf", now),
            kind=Kind.DELIVERY_FAILED,
            severity=Severity.ERROR,
            title="Notifications are not getting through",
            message=f"{target.name}: {failure}. {end}",
            source_ref="delivery",
            session_id=None,
            incident=incident,
            is_open=True,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
            metadata={"target": target.name, "given_up": given_up},
        )
        others = [other for other in self.target_ids if other != target.target_id]
        await self._store.write(verbs.notifications.add_notification, notification, targets=others)
        self.look()

    async def _told_well(self, target: Target) -> None:
        now = self._clock.now()
        failing = await self._store.write(
            verbs.notifications.close_incident, f"delivery:{target.target_id}", now=now
        )
        if failing is None:
            return
        recovered = replace(
            failing,
            notification_id=new_id("ntf", now),
            kind=Kind.RECOVERED,
            severity=Severity.INFO,
            title="Notifications get through again",
            message=f"{target.name} takes them; it had not since "
            f"{failing.created_at:%Y-%m-%d %H:%M} UTC.",
            status=NotificationStatus.NEW,
            created_at=now,
            note=None,
            snoozed_until=None,
        )
        others = [other for other in self.target_ids if other != target.target_id]
        await self._store.write(verbs.notifications.add_notification, recovered, targets=others)
        self.look()

    def send_directly(self, title: str, message: str) -> None:
        """Send to every target without the store, once, from any thread; nothing is waited for.

        For what cannot go through the store or the event loop, because one of them has failed.
        """
        for target in self.targets:
            pool = self._alarm_threads[target.target_id]
            pool.submit(partial(_send_directly, target, title, message))


def _send_directly(target: Target, title: str, message: str) -> None:
    try:
        target.send(title, message)
    except Exception as error:
        _log.error(
            "alarm_not_delivered",
            target=target.name,
            error=mask(str(error)),
        )
