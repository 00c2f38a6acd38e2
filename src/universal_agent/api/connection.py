"""Limits to a connection: how slowly a request may arrive, how large its head may be, its turn.

The layers inside see a request once its head is complete, and its body as it arrives. Without these
limits the server would keep requests that never complete, and every byte of them.

A connection has one request at a time: uvicorn would parse every pipelined request of a chunk in
one turn of the event loop, thousands of small ones. Requests over connections that have shown no
token begin a few at a time per turn, health checks excepted.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
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

#: Requests over connections without a token that begin in one turn of the event loop.
_STARTS_PER_TURN = 2
#: Bytes of a body that are parsed in one turn where its length is not declared: what follows the
#: body in the same chunk may be further requests.
_CHUNKED_BYTES = 1024

_END_OF_HEAD = b"\r\n\r\n"
_HEALTH_PATH = "/api/v1/health"

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
    #: The client's side of a connection that was given up; further bytes are discarded.
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
        _starts = _Starts()

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


class _Starts:
    """The queue of requests over connections without a token that have not begun."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], bool]] = deque()

    def add(self, start: Callable[[], bool]) -> None:
        """Call `start` in one of the next turns of the event loop.

        It returns False if its client has left: such a request takes no place in the turn, so that
        connections that come and go do not delay those that stay.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.append(start)

    def _next(self) -> None:
        started = 0
        try:
            while self._waiting and started < _STARTS_PER_TURN:
                started += self._waiting.popleft()()
        finally:  # one that raises does not end the queue
            if self._waiting:
                asyncio.get_running_loop().call_soon(self._next)


class _BoundedProtocol(HttpToolsProtocol):
    _clock: Clock
    _connections: OpenConnections
    _starts: _Starts
    _alarm: Cancellable | None = None
    _awaited = _Awaited.NOTHING
    _head_bytes = 0
    #: Received, and not parsed before the answer to the current request is complete.
    _unparsed = b""
    #: Bytes of the current body that have not arrived; None while its length is not known.
    _body_left: int | None = None

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
        return self._awaited is _Awaited.NOTHING and not self._is_answering()

    def _is_answering(self) -> bool:
        # There is no cycle before the first request, whatever uvicorn's annotation says.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def data_received(self, data: bytes) -> None:
        self._unparsed += data
        self._parse()

    def _parse(self) -> None:
        """Parse what has arrived, up to the end of one request."""
        while (
            self._unparsed and self._awaited is not _Awaited.END and not self.transport.is_closing()
        ):
            if self._awaited is _Awaited.NOTHING and self._is_answering():
                self.flow.pause_reading()
                return
            size = self._piece_size()
            piece, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            if self._awaited is _Awaited.BODY and self._body_left is not None:
                self._body_left -= len(piece)
            super().data_received(piece)
            if self._awaited is _Awaited.HEAD:
                self._head_bytes += len(piece)
                if self._head_bytes > MAX_HEAD_BYTES:
                    self._give_up(_TOO_LARGE)
            self._set_alarm()
        self._unparsed = b""

    def _piece_size(self) -> int:
        """How many bytes can be parsed without parsing two whole requests."""
        if self._awaited is _Awaited.BODY:
            return self._body_left or _CHUNKED_BYTES
        end_of_head = self._unparsed.find(_END_OF_HEAD)
        return len(self._unparsed) if end_of_head < 0 else end_of_head + len(_END_OF_HEAD)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await(_Awaited.HEAD)
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._await(_Awaited.BODY)
        self._body_left = self._declared_length()
        self._say_the_absolute_host()
        self.scope["extensions"] = {CONNECTION: self.transport}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._await(_Awaited.NOTHING)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._unparsed:
            self._parse()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.transport.is_trusted or cycle.scope["path"] == _HEALTH_PATH:  # type: ignore[attr-defined]
            super()._start_asgi_task(cycle, app)
        else:
            self._starts.add(partial(self._start_late, cycle, app))

    def _start_late(self, cycle: RequestResponseCycle, app: Any) -> bool:
        if cycle.disconnected or self.transport.is_closing():
            return False
        super()._start_asgi_task(cycle, app)
        return True

    def _declared_length(self) -> int | None:
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return None

    def handle_websocket_upgrade(self) -> None:
        self._await(_Awaited.NOTHING)
        # Bytes behind the request are not HTTP; a client may send none before the handshake ends.
        self._unparsed = b""
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
        self._give_up(_TOO_SLOW)
        self._set_alarm()

    def _give_up(self, answer: bytes) -> None:
        """End the connection, with an answer where the client waits for one."""
        cycle: RequestResponseCycle | None = self.cycle
        match self._awaited:
            case _Awaited.HEAD:
                is_next = not self._is_answering()
            case _Awaited.BODY:
                is_next = cycle is not None and not cycle.response_started
            case _:
                is_next = False
        self._await(_Awaited.END)
        if is_next:
            # Closing now would reset a client that is still sending before it has read this.
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
