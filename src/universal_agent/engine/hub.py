"""Who is attached to a session, and how does what happens reach them?

Each client has a bounded buffer of its own. One that does not read is let go with a reason; it
never holds up the others, nor whoever publishes.
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

#: Why a client is let go that does not read.
SLOW = "slow consumer"

#: Clients that one session may have.
MOST_CLIENTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that is told to the clients of a session."""

    type: str
    data: Mapping[str, Any]
    timestamp: str
    #: About how long it is on the wire.
    size: int

    def document(self) -> dict[str, Any]:
        """The wire form (docs/contract.md, Sessions)."""
        return {"type": self.type, "data": dict(self.data), "timestamp": self.timestamp}


class Attachment:
    """One client of a session. `async for` gives its messages until it is let go."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        #: Why it was let go; None while it is attached.
        self.closed: str | None = None
        #: Set then.
        self.let_go = asyncio.Event()
        self._messages: deque[Message] = deque()
        self._chars = 0
        self._news = asyncio.Event()

    def put(self, message: Message) -> bool:
        """Have the client told; False when it is let go instead, because it does not read."""
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
        """Let the client go once it has what waits for it."""
        if self.closed is None:
            self.closed = reason
        self.let_go.set()
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
        """It is gone; harmless when called twice."""
        clients = self._attached.get(attachment.session_id)
        if clients is not None:
            clients.discard(attachment)
            if not clients:
                del self._attached[attachment.session_id]
        attachment.close("detached")

    def message(self, kind: str, data: Mapping[str, Any]) -> Message:
        """A message of now."""
        size = 64 + sum(len(value) if isinstance(value, str) else 16 for value in data.values())
        return Message(type=kind, data=data, timestamp=self._clock.now().isoformat(), size=size)

    def publish(self, session_id: str, kind: str, data: Mapping[str, Any]) -> int:
        """Tell every client of the session; how many were there to be told."""
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
        """Let the clients of a session go."""
        for client in list(self._attached.get(session_id, ())):
            client.close(reason)

    def close_all(self, reason: str) -> None:
        """Let every client go: the gateway stops."""
        for session_id in list(self._attached):
            self.close(session_id, reason)
