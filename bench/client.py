"""How does the benchmark talk to the gateway? By HTTP/1.1 on kept connections, and no more.

The generator of load shares the machine with what it measures, so it is as lean as it can be:
requests are bytes made beforehand, and of an answer only the status and the length are read.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple, Self, cast

import orjson

_END_OF_HEAD = b"\r\n\r\n"


class Answer(NamedTuple):
    """A response."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body of a good answer. Raises RuntimeError for any other."""
        if self.status != 200:
            raise RuntimeError(f"expected status 200, got {self.status}: {self.body[:500]!r}")
        return orjson.loads(self.body)


def request(method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    """A request as it goes over the wire."""
    content = b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
    if content:
        head += "Content-Type: application/json\r\n"
    return f"{head}\r\n".encode() + content


class Connection(asyncio.Protocol):
    """One connection, with one request under way at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect. Raises OSError while nobody listens."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, "127.0.0.1", port)
        return connection

    async def send(self, message: bytes) -> Answer:
        """Send a request and return its answer."""
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._waiter

    async def get(self, path: str) -> Any:
        """The JSON document at `path`."""
        return (await self.send(request("GET", path))).json()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_END_OF_HEAD)
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        start = end + len(_END_OF_HEAD)
        # An answer that has nothing to say (304) names no length.
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or b"0")
        if len(self._received) < start + length:
            return
        body = bytes(self._received[start : start + length])
        del self._received[: start + length]
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(Answer(int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error or ConnectionError("the gateway hung up"))
