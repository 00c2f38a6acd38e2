"""Which clients are attached to which session, and what are they sent?

Kept in memory: a client is attached to this process, for as long as its socket is open. Sending
never waits: what a client has not yet taken is kept up to a bound, and one that falls further
behind is let go, with the reason. Nothing that must not be lost may be sent by this way alone.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from universal_agent.clock import Clock

#: Messages that a client may be behind by.
BUFFER = 1000

#: Clients that one session may have.
MOST_CLIENTS = 32

#: Why a client was let go.
TOO_SLOW = "too slow: it did not take what was sent to it"


class Subscription:
    """One attached client: what it is still to be sent, and why it was let go."""

    def __init__(self, session_id: str, *, buffer: int = BUFFER) -> None:
        self.session_id = session_id
        #: Why nothing more is sent; None while it goes on.
        self.closed: str | None = None
        self._buffer = buffer
        self._waiting: deque[dict[str, Any]] = deque()
        self._news = asyncio.Event()

    def send(self, message: dict[str, Any]) -> bool:
        """Leave a message for the client; False when it takes no more."""
        if self.closed is not None:
            return False
        if len(self._waiting) >= self._buffer:
            self.close(TOO_SLOW)
            return False
        self._waiting.append(message)
        self._news.set()
        return True

    def close(self, reason: str) -> None:
        """Send nothing more; the first reason stays."""
        if self.closed is None:
            self.closed = reason
            self._waiting.clear()
            self._news.set()

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What is sent to the client, in order, until it is let go."""
        while self.closed is None:
            while self._waiting:
                yield self._waiting.popleft()
            self._news.clear()
            if not self._waiting and self.closed is None:
                await self._news.wait()


class Hub:
    """The attached clients of all sessions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._clients: dict[str, set[Subscription]] = {}

    def attach(self, session_id: str) -> Subscription | None:
        """A new client of the session, until `detach`; None when it has as many as it may have."""
        clients = self._clients.setdefault(session_id, set())
        if len(clients) >= MOST_CLIENTS:
            return None
        client = Subscription(session_id)
        clients.add(client)
        return client

    def detach(self, client: Subscription) -> None:
        """The client is gone; harmless when called twice."""
        clients = self._clients.get(client.session_id, set())
        clients.discard(client)
        if not clients:
            self._clients.pop(client.session_id, None)

    def connected(self, session_id: str) -> int:
        """How many clients the session has."""
        return sum(client.closed is None for client in self._clients.get(session_id, ()))

    def publish(self, session_id: str, kind: str, data: Mapping[str, Any]) -> int:
        """Send to every client of the session; how many took it."""
        clients = self._clients.get(session_id)
        if not clients:
            return 0
        message = self.message(kind, data)
        return sum([client.send(message) for client in clients])

    def message(self, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """What a client is sent, as of now (docs/contract.md, Sessions)."""
        timestamp = self._clock.now().isoformat()
        return {"type": kind, "data": dict(data), "timestamp": timestamp}

    def close(self, session_id: str, reason: str) -> None:
        """Let every client of the session go."""
        for client in list(self._clients.get(session_id, ())):
            client.close(reason)

    def close_all(self, reason: str) -> None:
        """Let every client go."""
        for session_id in list(self._clients):
            self.close(session_id, reason)
