"""Delivery of notifications beyond the dashboard.

Each notification has a delivery for each channel, a row with its own tries and its own end, and
each channel has a loop and a thread of its own. So a channel that is down, refuses or hangs neither
repeats messages to the others nor delays them. A delivery that was sent and not recorded
before a crash is sent again, with the same id.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.channels import MOST_SINGLE
from universal_agent.domain.deliveries import TRIED_FOR, Claim, Message, Occasion
from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.channels import Channel, DeliveryFailed
from universal_agent.engine.ids import new_id
from universal_agent.failpoint import Failpoint, passing
from universal_agent.masking import mask
from universal_agent.runners.time_limit import time_limit
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.threads import Pool

if TYPE_CHECKING:
    from concurrent.futures import Future

_log = structlog.get_logger(__name__)

#: How long one attempt may take.
_ATTEMPT_SECONDS = 60.0

#: How long a loop waits at most before it looks for itself: a dispatcher that has failed must not
#: hold back the notification of it.
_LOOK_SECONDS = 300.0


class Deliverer:
    """Delivers what is due, channel by channel."""

    event_types = (EventType.NOTIFICATION_CHANGED, EventType.CHANNEL_CHANGED)

    def __init__(self, store: Store, clock: Clock, channels: Sequence[Channel]) -> None:
        self._store = store
        self._clock = clock
        self.channels = tuple(channels)
        #: Attempts that wait for a channel's answer.
        self.attempts_under_way = 0
        self._news = {channel.target_id: asyncio.Event() for channel in channels}
        #: One thread for each channel, and more for what cannot wait for it: an attempt that
        #: hangs, or the store.
        self._threads = {c.target_id: Pool("delivery", 1) for c in channels}
        self._further_threads = {c.target_id: Pool("alarm", 2) for c in channels}

    def route(self, notification: Notification, occasion: Occasion) -> Sequence[str]:
        """The channels that take a notification."""
        return [c.target_id for c in self.channels if c.rules.takes(notification, occasion)]

    async def adopt(self) -> None:
        """Give deliveries of an earlier process to the present channels."""
        now = self._clock.now()
        await self._store.write(
            verbs.deliveries.adopt_targets,
            [channel.target_id for channel in self.channels],
            since=now - TRIED_FOR,
            now=now,
        )

    # -- the loops

    def notice(self, event: Event) -> None:
        """A notification may be due, or a channel be back."""
        self._wake()

    async def look(self) -> None:
        """Deliveries may be due."""
        self._wake()

    def _wake(self) -> None:
        for news in self._news.values():
            news.set()

    async def run(self, channel: Channel) -> None:
        """Deliver to one channel, until cancelled."""
        news = self._news[channel.target_id]
        while True:
            news.clear()
            now = self._clock.now()
            due_at = await self._next_turn(channel, now)
            if due_at is not None and due_at <= now:
                claim = await self._claim(channel, now)
                if claim is not None:
                    await self._attempt(channel, claim)
                    continue
                due_at = None
            wait = _LOOK_SECONDS
            if due_at is not None:
                wait = min(wait, (due_at - now).total_seconds())
            alarm = self._clock.call_later(wait, news.set)
            try:
                await news.wait()
            finally:
                alarm.cancel()

    async def _next_turn(self, channel: Channel, now: datetime) -> datetime | None:
        rules = channel.rules
        due_at, pending = await self._store.read(
            verbs.deliveries.next_turn,
            channel.target_id,
            urgent=rules.urgent,
            released=rules.released(now),
        )
        times = [due_at, rules.next_release(now) if pending else None]
        return min((at for at in times if at is not None), default=None)

    async def _claim(self, channel: Channel, now: datetime) -> Claim | None:
        rules = channel.rules
        return await self._store.write(
            verbs.deliveries.claim_deliveries,
            channel.target_id,
            urgent=rules.urgent,
            released=rules.released(now),
            combined_from=MOST_SINGLE + 1 if rules.digest is None else 2,
            may_probe=not rules.is_quiet(now),
            now=now,
        )

    async def _attempt(self, channel: Channel, claim: Claim) -> None:
        now = self._clock.now()
        message = claim.message(now=now) if claim.deliveries else _probe(channel, now)
        try:
            await self.send(channel, message)
        except DeliveryFailed as failure:
            await self._failed(channel, claim, failure)
            return
        passing(Failpoint.BEFORE_DELIVERY_COMMIT)
        await self._store.write(
            verbs.deliveries.delivered,
            claim,
            name=channel.name,
            recovered=self.recovered(channel),
            route=self.route,
            now=self._clock.now(),
        )

    async def send(self, channel: Channel, message: Message) -> str:
        """The channel's answer to a message. Raises DeliveryFailed for every failure."""
        threads = self._threads[channel.target_id]
        return await self._within_limit(threads.run(channel.target.send, message))

    async def _within_limit(self, attempt: Awaitable[str]) -> str:
        self.attempts_under_way += 1
        try:
            async with time_limit(self._clock, _ATTEMPT_SECONDS):
                return await attempt
        except TimeoutError:
            raise DeliveryFailed(f"no answer in {_ATTEMPT_SECONDS:g} s") from None
        except DeliveryFailed:
            raise
        except Exception as error:
            raise DeliveryFailed(mask(f"{type(error).__name__}: {error}")) from error
        finally:
            self.attempts_under_way -= 1

    async def _failed(self, channel: Channel, claim: Claim, failure: DeliveryFailed) -> None:
        state = await self._store.write(
            verbs.deliveries.not_delivered,
            claim,
            error=str(failure),
            refused=failure.refused,
            channel_refused=failure.channel_refused,
            name=channel.name,
            failing=self.failing(channel, failure),
            route=self.route,
            now=self._clock.now(),
        )
        _log.warning(
            "delivery_failed",
            channel=channel.name,
            message_ids=[one.message_id for one in claim.deliveries],
            failures=state.failures,
            status=state.status,
            error=str(failure),
        )

    def failing(self, channel: Channel, failure: DeliveryFailed) -> Notification:
        """The notification of a channel that is down."""
        return self._about(
            channel,
            Kind.DELIVERY_FAILED,
            Severity.ERROR,
            "Notifications are not getting through",
            f"The channel {channel.name} does not take messages: {failure}. It is tried again from "
            f"time to time. What waits for it is kept for {TRIED_FOR // timedelta(hours=1)} hours.",
            is_open=True,
        )

    def recovered(self, channel: Channel) -> Notification:
        """The notification of a channel that is back."""
        return self._about(
            channel,
            Kind.RECOVERED,
            Severity.INFO,
            "Notifications get through again",
            f"The channel {channel.name} takes them.",
            is_open=False,
        )

    def _about(
        self,
        channel: Channel,
        kind: Kind,
        severity: Severity,
        title: str,
        message: str,
        *,
        is_open: bool,
    ) -> Notification:
        now = self._clock.now()
        return Notification(
            notification_id=new_id("ntf", now),
            kind=kind,
            severity=severity,
            title=title,
            message=message,
            source_ref="delivery",
            session_id=None,
            incident=f"{verbs.deliveries.CHANNEL_INCIDENT}{channel.target_id}",
            is_open=is_open,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
            metadata={"channel": channel.name, "over": Severity.ERROR},
        )

    # -- without claims

    async def reach(self, channel: Channel) -> str:
        """What was reached of a channel, without a message. Raises DeliveryFailed."""
        threads = self._further_threads[channel.target_id]
        return await self._within_limit(threads.run(channel.target.reach))

    def send_directly(self, channel: Channel, message: Message) -> "Future[None]":
        """Begin to send a message without the store and the event loop, from any thread."""
        pool = self._further_threads[channel.target_id]
        return pool.submit(partial(_send_directly, channel, message))


def _send_directly(channel: Channel, message: Message) -> None:
    try:
        channel.target.send(message)
    except Exception as error:
        _log.error("alarm_not_delivered", channel=channel.name, error=mask(str(error)))
        raise


def _probe(channel: Channel, now: datetime) -> Message:
    """What a channel that is down is sent when nothing waits for it."""
    return Message(
        message_id=new_id("probe", now),
        title="Notifications get through again",
        text=f"The channel {channel.name} takes them. What it missed is on the dashboard.",
    )
