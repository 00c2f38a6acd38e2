"""A bounded reader of server-sent events: `httpx-sse` behind a limit on length.

The library reads the format. Added here: the limit, a byte order mark that is skipped at the start,
and a last event that counts although its closing blank line is missing, because some endpoints omit
it after `[DONE]`.
"""

from collections.abc import AsyncIterator

import httpx
from httpx_sse import EventSource, ServerSentEvent

#: The most that is read without an event coming to its end.
EVENT_BYTES = 1024 * 1024

_SLICE_BYTES = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_HEADERS = {"content-type": "text/event-stream; charset=utf-8"}


class EventTooLong(Exception):
    """A line or an event exceeds EVENT_BYTES."""


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[ServerSentEvent]:
    """The events of a stream that have a name or data. Raises EventTooLong."""
    body = _BoundedBody(pieces)
    source = EventSource(httpx.Response(httpx.codes.OK, headers=_HEADERS, stream=body))
    async for event in source.aiter_sse():
        body.size = 0
        if event.data or event.event != "message":
            yield event


class _BoundedBody(httpx.AsyncByteStream):
    """A stream's body, in slices: the reader takes the next one after the events of the last."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        #: What was read since the last event, and since the last line end.
        self.size = 0
        self._line_size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        head, is_head = b"", True
        async for piece in self._pieces:
            data = piece
            if is_head:
                head += piece
                if _BOM.startswith(head):
                    continue  # the byte order mark may be cut anywhere
                data, is_head = head.removeprefix(_BOM), False
            for offset in range(0, len(data), _SLICE_BYTES):
                yield self._counted(data[offset : offset + _SLICE_BYTES])
        yield b"\n\n"

    def _counted(self, data: bytes) -> bytes:
        self.size += len(data)
        line_end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._line_size = (self._line_size if line_end < 0 else -1 - line_end) + len(data)
        for size, what in ((self._line_size, "lines"), (self.size, "events")):
            if size > EVENT_BYTES:
                raise EventTooLong(f"expected {what} of at most {EVENT_BYTES} bytes")
        return data
