"""How is a stream of events written to a client that may vanish or stop reading?

A bare ASGI response: frames come encoded, a client that goes away is noticed at once, and one
that takes nothing for too long is cut off.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from universal_agent.api.connection import HOLD_LITTLE
from universal_agent.clock import Clock

#: A client that takes no byte for this long is cut off.
STUCK_SECONDS = 30.0


class EventStream(Response):
    """Writes an asynchronous iterator of frames as text/event-stream."""

    media_type = "text/event-stream"

    def __init__(self, frames: AsyncGenerator[bytes, None], clock: Clock) -> None:
        self._frames = frames
        self._clock = clock
        self.status_code = 200
        self.background = None
        self.body = b""
        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no"})
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writer = asyncio.current_task()
        assert writer is not None
        if HOLD_LITTLE in scope.get("extensions", ()):
            scope["extensions"][HOLD_LITTLE]["call"]()
        watcher = asyncio.create_task(_until_gone(receive, writer))
        with suppress(asyncio.CancelledError, OSError):
            await self._write(send, writer)
        watcher.cancel()
        await self._frames.aclose()

    async def _write(self, send: Send, writer: "asyncio.Task[object]") -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for frame in self._frames:
            stuck = self._clock.call_later(STUCK_SECONDS, writer.cancel)
            try:
                await send({"type": "http.response.body", "body": frame, "more_body": True})
            finally:
                stuck.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive, writer: "asyncio.Task[object]") -> None:
    """Stop the writer when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    writer.cancel()
