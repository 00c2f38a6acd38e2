"""The clients that are attached to sessions, and the messages for them.

Each client has a bounded buffer of its own. A client that does not read is disconnected with a
reason; it delays neither the others nor the publisher.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from universal_agent.clock import Clock
from universal_agent.errors import LimitReached

#: Messages, and characters of text, that may wait for one client.
MOST_MESSAGES = 1000
MOST_CHARS = 1024 * 1024

#: Why a client that does not read is disconnected.
SLOW = "slow consumer"

#: Clients that one session may have.
MOST_CLIENTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message to the clients of a session."""

    type: str
    data: Mapping[str, Any]
    timestamp: str
    #: About how long it is on the wire.
    size: int

    def document(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Sessions)."""
        return {"type": self.type, "data": dict(self.data), "timestamp": self.timestamp}


class Attachment:
    """One client of a session. `async for` gives its messages until it is disconnected."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        #: Why it was disconnected; None while it is attached.
        self.closed: str | None = None
        #: Set once it is disconnected.
        self.disconnected = asyncio.Event()
        self._messages: deque[Message] = deque()
        self._chars = 0
        self._news = asyncio.Event()

    def put(self, message: Message) -> bool:
        """Queue a message. Returns False if the client was too slow and was disconnected."""
        if self.closed is not None:
            return False
        if len(self._messages) >= MOST_MESSAGES or self._chars + message.size > MOST_CHARS:
            self._messages.clear()
            self.close(SLOW)
            return False
        self._messages.append(message)
        self._chars += message.size
        self._news.set()
        return True

    def close(self, reason: str) -> None:
        """Disconnect the client once it has what waits for it."""
        if self.closed is None:
            self.closed = reason
        self.disconnected.set()
        self._news.set()

    def __aiter__(self) -> "Attachment":
        return self

    async def __anext__(self) -> Message:
        while not self._messages:
            if self.closed is not None:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._chars -= message.size
        return message


class Hub:
    """The clients of all sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attached: defaultdict[str, set[Attachment]] = defaultdict(set)

    def attach(self, session_id: str) -> Attachment:
        """A new client of the session; give it back to `detach`. Raises LimitReached."""
        if self.connected(session_id) >= MOST_CLIENTS:
            raise LimitReached(f"The session has its {MOST_CLIENTS} clients already.")
        attachment = Attachment(session_id)
        self._attached[session_id].add(attachment)
        return attachment

    def detach(self, attachment: Attachment) -> None:
        """The client has gone. A second call does nothing."""
        clients = self._attached.get(attachment.session_id)
        if clients is not None:
            clients.discard(attachment)
            if not clients:
                del self._attached[attachment.session_id]
        attachment.close("detached")

    def message(self, kind: str, data: Mapping[str, Any]) -> Message:
        """A message with the present time."""
        size = 64 + sum(len(value) if isinstance(value, str) else 16 for value in data.values())
        return Message(type=kind, data=data, timestamp=self._clock.now().isoformat(), size=size)

    def publish(self, session_id: str, kind: str, data: Mapping[str, Any]) -> int:
        """Queue a message for every client of the session, and return how many took it."""
        clients = self._attached.get(session_id)
        if not clients:
            return 0
        message = self.message(kind, data)
        return sum(client.put(message) for client in list(clients))

    def connected(self, session_id: str) -> int:
        """How many clients the session has."""
        return len(self._attached.get(session_id, ()))

    def sessions(self) -> frozenset[str]:
        """Sessions that have clients."""
        return frozenset(self._attached)

    def close(self, session_id: str, reason: str) -> None:
        """Disconnect the clients of a session."""
        for client in list(self._attached.get(session_id, ())):
            client.close(reason)

    def close_all(self, reason: str) -> None:
        """Disconnect every client: the gateway stops."""
        for session_id in list(self._attached):
            self.close(session_id, reason)
