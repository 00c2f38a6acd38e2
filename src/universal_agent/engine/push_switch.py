"""The switch of the push stream: streams that are open end when push is switched off."""

from typing import Protocol

from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.engine.flags import Flags

_PUSH = "UA_SCHED_PUSH_ENABLED"


class Streams(Protocol):
    """The open push streams."""

    def close_all(self) -> None:
        """End all of them."""
        ...


class PushSwitch:
    """Ends streams. Subscribe it after `Flags`, whose value it reads."""

    event_types = (EventType.FLAG_CHANGED,)

    def __init__(self, flags: Flags, streams: Streams) -> None:
        self._flags = flags
        self._streams = streams

    def notice(self, event: Event) -> None:
        """A flag has changed."""
        self._apply()

    async def look(self) -> None:
        """Compare the flag with the streams."""
        self._apply()

    def _apply(self) -> None:
        if not self._flags[_PUSH]:
            self._streams.close_all()
