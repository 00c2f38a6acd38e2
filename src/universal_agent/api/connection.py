"""Limits to a connection: how slowly a request may arrive, and how large its head may be.

The layers inside see a request once its head is complete, and its body as far as it has come. What
never completes stays with the server, which would keep it, and all that has come of it.
"""

import asyncio
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from universal_agent.api.limits import MAX_HEAD_BYTES
from universal_agent.api.open_connections import CONNECTION, Connection, OpenConnections
from universal_agent.clock import Cancellable, Clock

#: Seconds from the first byte of a request, or from the connection on, to the end of its head.
HEAD_SECONDS = 10.0
#: Seconds from there to the end of its body.
BODY_SECONDS = 30.0

_TOO_SLOW = b"""\
HTTP/1.1 408 Request Timeout\r
content-type: application/problem+json\r
connection: close\r
\r
{"type":"urn:universal-agent:problem:too-slow","title":"Too slow","status":408,\
"detail":"expected a head within 10 seconds, and its body within 30 more"}"""

_TOO_LARGE = b"""\
HTTP/1.1 431 Request Header Fields Too Large\r
content-type: application/problem+json\r
connection: close\r
\r
{"type":"urn:universal-agent:problem:head-too-large","title":"Headers too large","status":431,\
"detail":"The request line and headers together are larger than 16 KiB."}"""


_NO_ROOM = b"""\
HTTP/1.1 503 Service Unavailable\r
content-type: application/problem+json\r
connection: close\r
retry-after: 5\r
\r
{"type":"urn:universal-agent:problem:too-many-connections","title":"Too many connections",\
"status":503,"detail":"expected fewer connections that are in use at a time; try again"}"""


class _Awaited(Enum):
    """What is to come next of a request."""

    FIRST_BYTE = auto()
    HEAD = auto()
    BODY = auto()
    NOTHING = auto()
    #: The client's end of a connection that was given up; what still comes is not looked at.
    END = auto()


def bounded_protocols(
    clock: Clock, connections: OpenConnections
) -> tuple[type[asyncio.Protocol], type[asyncio.Protocol]]:
    """uvicorn's protocols for HTTP and WebSockets, with limits to size, time and number.

    For `uvicorn.Config(http=..., ws=...)`. A request that arrives in one piece sets no alarm.
    """

    class BoundedProtocol(_BoundedProtocol):
        _clock = clock
        _connections = connections

    class BoundedSocket(_BoundedSocket):
        _connections = connections

    return BoundedProtocol, BoundedSocket


class _BoundedSocket(WebSocketsSansIOProtocol):
    """A WebSocket over a connection that began with HTTP."""

    _connections: OpenConnections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.is_idle = lambda: False  # type: ignore[attr-defined]

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            self.scope["extensions"] = {
                **(self.scope["extensions"] or {}),
                CONNECTION: self.transport,  # type: ignore[dict-item]
            }

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self.transport)  # type: ignore[arg-type]
        super().connection_lost(exc)


class _BoundedProtocol(HttpToolsProtocol):
    _clock: Clock
    _connections: OpenConnections
    _alarm: Cancellable | None = None
    _awaited = _Awaited.NOTHING
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        connection = Connection(transport)
        connection.is_idle = self._is_idle
        super().connection_made(connection)  # type: ignore[arg-type]
        if not self._connections.admit(connection):
            self._await(_Awaited.END)
            connection.write(_NO_ROOM)
            connection.close()
            return
        self._await(_Awaited.FIRST_BYTE)
        self._set_alarm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(_Awaited.NOTHING)
        self._connections.discard(self.transport)  # type: ignore[arg-type]
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        # There is no cycle before the first request, whatever uvicorn's annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        return self._awaited is _Awaited.NOTHING and (cycle is None or cycle.response_complete)

    def data_received(self, data: bytes) -> None:
        if self._awaited is _Awaited.END:
            return
        was_in_head = self._awaited is _Awaited.HEAD
        super().data_received(data)
        # What came together with the end of another request is not counted: it is not known where
        # in it this head begins, and it is no more than what is read at once.
        if was_in_head and self._awaited is _Awaited.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up(_TOO_LARGE)
        self._set_alarm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await(_Awaited.HEAD)
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._await(_Awaited.BODY)
        self._say_the_absolute_host()
        self.scope["extensions"] = {CONNECTION: self.transport}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._await(_Awaited.NOTHING)
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._await(_Awaited.NOTHING)
        super().handle_websocket_upgrade()

    def _await(self, what: _Awaited) -> None:
        if what is self._awaited:
            return
        self._awaited = what
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _set_alarm(self) -> None:
        if self._alarm is None and self._awaited is not _Awaited.NOTHING:
            seconds = BODY_SECONDS if self._awaited is _Awaited.BODY else HEAD_SECONDS
            self._alarm = self._clock.call_later(seconds, self._is_too_slow)

    def _is_too_slow(self) -> None:
        self._alarm = None
        if self.pipeline:
            # It waits for the answer to the request before it, and is not read meanwhile.
            self._set_alarm()
        else:
            self._give_up(_TOO_SLOW)
            self._set_alarm()

    def _give_up(self, answer: bytes) -> None:
        """End the connection: with an answer if the client waits for that one, else at once."""
        # There is no cycle before the first request, whatever uvicorn's annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        match self._awaited:
            case _Awaited.HEAD:
                is_next = cycle is None or cycle.response_complete
            case _Awaited.BODY:
                is_next = cycle is not None and not cycle.response_started
            case _:
                is_next = False
        self._await(_Awaited.END)
        if is_next:
            # To close at once would reset a client that is still sending, before it has read this.
            self.transport.write(answer)
            self.transport.write_eof()
        else:
            self.transport.close()

    def _say_the_absolute_host(self) -> None:
        """Add the host of a target like `http://other/path` to the Host header it contradicts.

        Two of them are refused by the access layer.
        """
        if self.url.startswith(b"/"):
            return
        host = self.url.partition(b"://")[2].partition(b"/")[0]
        if host and (b"host", host) not in self.headers:
            self.headers.append((b"host", host))
