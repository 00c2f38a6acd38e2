"""Tests and checks of channels, and what is shown of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.channels import ChannelState, ChannelStatus
from universal_agent.domain.deliveries import Message
from universal_agent.engine.channels import Channel, DeliveryFailed
from universal_agent.engine.delivery import Deliverer
from universal_agent.engine.ids import new_id
from universal_agent.errors import NotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test or a check of a channel."""

    channel: Channel
    is_ok: bool
    #: The channel's answer, or why there was none.
    answer: str

    def document(self) -> dict[str, Any]:
        """The wire form."""
        return {"channel": self.channel.name, "ok": self.is_ok, "answer": self.answer}


class ChannelChecks:
    """Tests channels on request, and lists them."""

    def __init__(self, store: Store, clock: Clock, deliverer: Deliverer) -> None:
        self._store = store
        self._clock = clock
        self._deliverer = deliverer

    def _named(self, name: str | None) -> Sequence[Channel]:
        """The channel of that name, or every channel. Raises NotFound."""
        channels = self._deliverer.channels
        if name is None:
            return channels
        found = [one for one in channels if one.name.lower() == name.lower()]
        if not found:
            known = ", ".join(one.name for one in channels) or "none"
            raise NotFound(f"There is no channel {name[:100]!r}; the channels are: {known}.")
        return found

    async def test(self, name: str | None = None) -> list[Tried]:
        """Send a test message to the channel of that name, or to each. Raises NotFound.

        The result counts as an attempt: it brings a channel back that was down.
        """
        return list(await asyncio.gather(*map(self._test, self._named(name))))

    async def _test(self, channel: Channel) -> Tried:
        now, deliverer = self._clock.now(), self._deliverer
        message = Message(
            message_id=new_id("test", now),
            title="Test of notifications",
            text=f"The channel {channel.name} works. Sent at {now:%Y-%m-%d %H:%M:%S} UTC.",
        )
        try:
            answer = await deliverer.send(channel, message)
        except DeliveryFailed as failure:
            await self._store.write(
                verbs.deliveries.channel_failed,
                channel.target_id,
                error=str(failure),
                refused=failure.channel_refused,
                is_about_message=failure.refused and not failure.channel_refused,
                name=channel.name,
                failing=deliverer.failing(channel, failure),
                route=deliverer.route,
                now=self._clock.now(),
            )
            return Tried(channel, is_ok=False, answer=str(failure))
        await self._store.write(
            verbs.deliveries.channel_took,
            channel.target_id,
            name=channel.name,
            recovered=deliverer.recovered(channel),
            route=deliverer.route,
            now=self._clock.now(),
        )
        return Tried(channel, is_ok=True, answer=answer)

    async def check(self) -> list[Tried]:
        """Connect to each channel without sending a message, and look at its last attempt."""
        states = await self._store.read(verbs.deliveries.channel_states)
        return list(
            await asyncio.gather(
                *(
                    self._check(one, states.get(one.target_id, ChannelState()))
                    for one in self._deliverer.channels
                )
            )
        )

    async def _check(self, channel: Channel, state: ChannelState) -> Tried:
        try:
            reached = await self._deliverer.reach(channel)
        except DeliveryFailed as failure:
            return Tried(channel, is_ok=False, answer=str(failure))
        if state.status is not ChannelStatus.OK:
            return Tried(
                channel, is_ok=False, answer=f"{reached}, but it is {state.status}: {state.error}"
            )
        return Tried(channel, is_ok=True, answer=reached)

    async def documents(self) -> list[dict[str, Any]]:
        """The channels with their rules and states, in the order of the settings."""
        states = await self._store.read(verbs.deliveries.channel_states)
        pending = await self._store.read(verbs.deliveries.pending_counts)
        return [
            {
                "name": one.name,
                "service": one.target.service,
                **one.rules.document(),
                **states.get(one.target_id, ChannelState()).document(),
                "pending": pending.get(one.target_id, 0),
            }
            for one in self._deliverer.channels
        ]
