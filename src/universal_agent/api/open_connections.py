"""The open connections of the server: their limits, and which ones are closed.

A client that does not read its answers is disconnected; when a limit is reached, an idle connection
is closed for a new one. Descriptors are reserved for runs and the store: a child process that
cannot start for lack of one would be a failure caused by the gateway.
"""

import asyncio
import resource
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import structlog

from universal_agent.api.limits import client_name
from universal_agent.clock import Clock

_log = structlog.get_logger(__name__)

#: Where a request's scope has the connection that it came over, in `extensions`.
CONNECTION = "universal_agent.connection"

#: Bytes that a client must take within so many seconds while more wait for it.
WRITE_SECONDS = 30.0
WRITE_BYTES = 64 * 1024

#: Seconds between two log lines about connections that were closed to make room.
_LOG_SECONDS = 60.0

#: Connections without a valid token, in all and per address.
MAX_STRANGERS = 200
MAX_STRANGERS_OF_ONE = 100

#: Connections in all, where the limit of descriptors is higher.
MAX_CONNECTIONS = 10_000

#: Descriptors kept back for the store, logs and child processes, and at least for each worker.
_RESERVED = 128
_RESERVED_OF_WORKER = 8

#: Bytes that are joined at most.
_JOINED_BYTES = 64 * 1024

#: Bytes that the system takes ahead of a client, and of one that reads a stream.
_SENT_AHEAD_BYTES = 128 * 1024
_STREAM_BYTES = 64 * 1024


def most_connections(descriptors: int, workers: int) -> int:
    """How many connections leave enough of so many descriptors to so many runs at a time."""
    reserved = _RESERVED + _RESERVED_OF_WORKER * workers
    return max(16, min(MAX_CONNECTIONS, descriptors - reserved))


def descriptor_limit() -> int:
    """How many descriptors this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else soft


class Connection:
    """A transport that sends what was written in one turn of the event loop in one piece.

    uvicorn writes the head of an answer and its body separately: two calls of the kernel, two
    packets, and a client that is woken twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._pieces: list[bytes] = []
        self._size = 0
        self._written = 0
        self.client = client_name((transport.get_extra_info("peername") or ("unknown",))[0])
        #: Whether a request over it was the operator's.
        self.is_trusted = False
        #: Exempts it from the limits for connections without a token; set when it is admitted.
        self.trust: Callable[[], None] = lambda: None
        #: Whether it waits for a request.
        self.is_idle: Callable[[], bool] = lambda: False
        # The system would take megabytes ahead of a client that does not read.
        self._hold(_SENT_AHEAD_BYTES)
        #: What had been sent when the client last had taken enough, and when that was.
        self._mark = 0
        self._marked_at: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if len(data) > _JOINED_BYTES:  # joining would copy it
            self._flush()
            self._written += len(data)
            self._transport.write(data)
            return
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _JOINED_BYTES:
            self._flush()  # a writer that never yields must see that the client is slow

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._flush()
        self._transport.set_protocol(protocol)

    def hold_little(self) -> None:
        """Limit the socket buffer to what a stream needs, for clients that do not read."""
        self._hold(_STREAM_BYTES)

    def _hold(self, count: int) -> None:
        wire = self._transport.get_extra_info("socket")
        if wire is not None:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, count)

    def _flush(self) -> None:
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
            self._written += len(data)
            self._transport.write(data)

    # -- how its client reads

    @property
    def is_stalled(self) -> bool:
        """Whether something waited for its client at the last look."""
        return self._marked_at is not None

    def look(self, now: float) -> bool:
        """Whether its client takes what it is sent, as far as can be told at this moment."""
        waiting = self._transport.get_write_buffer_size()
        sent = self._written - waiting
        if not waiting:
            self._marked_at = None
        elif self._marked_at is None or sent - self._mark >= WRITE_BYTES:
            self._mark, self._marked_at = sent, now
        else:
            return now - self._marked_at < WRITE_SECONDS
        return True


class OpenConnections:
    """Every open connection of a server."""

    def __init__(self, clock: Clock, *, most: Callable[[], int]) -> None:
        """`most` says how many there may be at the moment: the limit of descriptors can change."""
        self._clock = clock
        self._most = most
        #: In the order in which they were opened.
        self._all: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}
        self._of_client: Counter[str] = Counter()
        self._strangers_of_client: Counter[str] = Counter()
        self._closed = 0
        self._logged_at: float | None = None

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: Connection) -> bool:
        """Count a new connection; False when the limit is reached and none can be closed for it."""
        client, most = connection.client, self._most()
        if self._strangers_of_client[client] >= MAX_STRANGERS_OF_ONE:
            self._make_room(c for c in self._strangers if c.client == client)
        elif len(self._strangers) >= MAX_STRANGERS:
            self._make_room(self._strangers)
        if self._of_client[client] >= most // 2:
            has_room = self._make_room(c for c in self._all if c.client == client)
        else:
            has_room = len(self._all) < most or self._make_room(self._all)
        if has_room:
            connection.trust = partial(self._trust, connection)
            self._all[connection] = self._strangers[connection] = None
            self._of_client[client] += 1
            self._strangers_of_client[client] += 1
        return has_room

    def _trust(self, connection: Connection) -> None:
        connection.is_trusted = True
        if self._strangers.pop(connection, connection) is None:
            self._count_out(self._strangers_of_client, connection)

    def discard(self, connection: Connection) -> None:
        """Count out a connection that is closed."""
        if self._strangers.pop(connection, connection) is None:
            self._count_out(self._strangers_of_client, connection)
        if self._all.pop(connection, connection) is None:
            self._count_out(self._of_client, connection)

    def sweep(self) -> None:
        """Close every connection whose client takes too little of what it is sent."""
        now = self._clock.monotonic()
        for connection in [c for c in self._all if not c.look(now)]:
            self._end(connection)

    def _make_room(self, candidates: Iterable[Connection]) -> bool:
        """Close a stalled, idle or unauthenticated connection; False when none of them is."""
        found = list(candidates)
        for is_dispensable in (
            lambda c: c.is_stalled,
            lambda c: c.is_idle(),
            lambda c: not c.is_trusted,
        ):
            for connection in found:
                if is_dispensable(connection):
                    self._end(connection)
                    return True
        self._note()
        return False

    def _end(self, connection: Connection) -> None:
        """Close it without waiting for its client to read the rest."""
        self.discard(connection)
        connection.abort()
        self._note()

    def _note(self) -> None:
        self._closed += 1
        now = self._clock.monotonic()
        if self._logged_at is None or now - self._logged_at >= _LOG_SECONDS:
            _log.warning(
                "connections_closed",
                count=self._closed,
                open=len(self._all),
                most=self._most(),
            )
            self._logged_at, self._closed = now, 0

    @staticmethod
    def _count_out(counts: Counter[str], connection: Connection) -> None:
        counts[connection.client] -= 1
        if not counts[connection.client]:
            del counts[connection.client]
