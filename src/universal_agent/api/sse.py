"""The response that writes a stream of events.

A bare ASGI response: frames come encoded, and a client that goes away is noticed immediately. One
that does not read is closed by the connection's limits (open_connections.py).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from universal_agent.api.open_connections import CONNECTION

#: Before the first frame: an EventSource connects again after 2 s, as our page does.
_RETRY = b"retry: 2000\n"


class EventStream(Response):
    """Writes an asynchronous iterator of frames as text/event-stream."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], *, ends: bool = False) -> None:
        self._frames = frames
        #: A stream that ends by design is not to be opened again.
        self._before = b"" if ends else _RETRY
        self.status_code = 200
        self.background = None
        self.body = b""
        # `no-transform`: a proxy that compresses would hold back the end of each event.
        self.init_headers({"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = asyncio.current_task()
        assert writer is not None
        connection = scope.get("extensions", {}).get(CONNECTION)
        if connection is not None:
            connection.hold_little()
        watcher = asyncio.create_task(_until_gone(receive, writer))
        with suppress(asyncio.CancelledError, OSError):
            await self._write(send)
        watcher.cancel()
        await self._frames.aclose()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        before = self._before
        async for frame in self._frames:
            await send({"type": "http.response.body", "body": before + frame, "more_body": True})
            before = b""
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, writer: "asyncio.Task[object]") -> None:
    """Stop the writer when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.cancel()
