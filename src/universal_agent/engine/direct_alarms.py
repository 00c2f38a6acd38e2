"""Alarms that go to the channels without the store: kept in memory, and tried until they arrive.

For what cannot go through the store or the event loop, because one of them has failed. A process
that ends takes with it what has not arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from universal_agent.clock import Clock
from universal_agent.domain.deliveries import WAITS, Message
from universal_agent.engine.channels import Channel
from universal_agent.engine.delivery import Deliverer

if TYPE_CHECKING:
    from concurrent.futures import Future


@dataclass(slots=True)
class _Try:
    """The attempts at one channel."""

    channel: Channel
    sent: "Future[None]"
    attempts: int = 1
    #: When it is tried next; None while an attempt is under way or has succeeded.
    next_at: float | None = None


@dataclass(slots=True)
class DirectAlarm:
    """A message that is on its way to the channels."""

    message: Message
    tries: Sequence[_Try] = field(default=())

    @property
    def is_sending(self) -> bool:
        """Whether an attempt has had no answer yet."""
        return any(not one.sent.done() for one in self.tries)

    def reached(self) -> set[str]:
        """The ids of the channels that took it."""
        return {
            one.channel.target_id
            for one in self.tries
            if one.sent.done() and one.sent.exception() is None
        }


class DirectAlarms:
    """Sends messages directly, from any thread, without waiting for an answer."""

    def __init__(self, clock: Clock, deliverer: Deliverer) -> None:
        self._clock = clock
        self._deliverer = deliverer

    def begin(self, message: Message) -> DirectAlarm:
        """Send a message to each channel that takes errors now."""
        now = self._clock.now()
        channels = [
            channel
            for channel in self._deliverer.channels
            if channel.rules.urgent or channel.rules.released(now) == now
        ]
        tries = [_Try(one, self._deliverer.send_directly(one, message)) for one in channels]
        return DirectAlarm(message, tries)

    def retry(self, alarm: DirectAlarm) -> None:
        """Try the channels again that have failed, each after a wait that grows."""
        now = self._clock.monotonic()
        for one in alarm.tries:
            if not one.sent.done() or one.sent.exception() is None:
                continue
            if one.next_at is None:
                wait = WAITS[min(one.attempts - 1, len(WAITS) - 1)]
                one.next_at = now + wait.total_seconds()
            elif one.next_at <= now:
                one.sent = self._deliverer.send_directly(one.channel, alarm.message)
                one.attempts += 1
                one.next_at = None
