"""How long, and how large, may the head of a request be while it is still on its way?

The layers inside see a request once its head is complete; what never completes stays with the
server, which would keep it, and all that has come of it, for ever.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from universal_agent.api.limits import MAX_HEAD_BYTES
from universal_agent.clock import Cancellable, Clock

#: Seconds in which the head of a request must be complete, counted from its beginning; for the
#: first one, from the moment the connection is there.
HEAD_SECONDS = 10.0

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-type: application/problem+json\r\n"
    b"content-length: %d\r\n"
    b"connection: close\r\n"
    b"\r\n"
    b"%s"
)
_TOO_LARGE_BODY = (
    b'{"type":"urn:universal-agent:problem:head-too-large","title":"Headers too large",'
    b'"status":431,"detail":"The request line and headers together are larger than 16 KiB."}'
)


def bounded_protocol(clock: Clock) -> type[asyncio.Protocol]:
    """uvicorn's HTTP protocol, with a limit to the size of a head and to the time it takes.

    For `uvicorn.Config(http=...)`.
    """

    class BoundedProtocol(_BoundedProtocol):
        _clock = clock

    return BoundedProtocol


class _BoundedProtocol(HttpToolsProtocol):
    _clock: Clock
    _alarm: Cancellable | None = None
    _is_in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_complete()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        was_in_head = self._is_in_head
        super().data_received(data)
        if not self._is_in_head:
            return
        self._expect_head()
        # What came together with the end of the request before is not counted: it is not known
        # where in it this head begins, and it is no more than was read at once.
        if was_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._head_is_complete()
        self._say_the_absolute_host()
        super().on_headers_complete()

    def _say_the_absolute_host(self) -> None:
        """Add the host of a target like `http://other/path` to the Host header it contradicts.

        Two of them are refused by the access layer.
        """
        if self.url.startswith(b"/"):
            return
        host = self.url.partition(b"://")[2].partition(b"/")[0]
        if host and (b"host", host) not in self.headers:
            self.headers.append((b"host", host))

    def _expect_head(self) -> None:
        if self._alarm is None:
            self._alarm = self._clock.call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_complete(self) -> None:
        self._is_in_head = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _refuse_head(self) -> None:
        self._head_is_complete()
        # None before the first request, whatever uvicorn's annotation says.
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.transport.write(_TOO_LARGE % (len(_TOO_LARGE_BODY), _TOO_LARGE_BODY))
        self.transport.close()
