"""A small HTTP server on 127.0.0.1 whose answers a test writes byte by byte."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """The server's side of one request."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send, as far as the client still listens."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def hang(self) -> None:
        """Say nothing more until the client hangs up."""
        with suppress(ConnectionError):
            await self._reader.read()


Answer = Callable[[Received, Connection], Awaitable[None]]


def answers(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A complete answer. Header names are written with underscores."""

    async def answer(_: Received, connection: Connection) -> None:
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await connection.send("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


async def hangs(_: Received, connection: Connection) -> None:
    """No answer at all."""
    await connection.hang()


class LocalServer:
    """Answers every request with `answer`, or by path with what `at` says."""

    def __init__(self) -> None:
        self.answer: Answer = answers(204)
        self.at: dict[str, Answer] = {}
        self.received: list[Received] = []
        self.port = 0
        #: Set when a client has closed its connection.
        self.hung_up = asyncio.Event()
        self._came = asyncio.Event()

    async def request(self) -> Received:
        """The first request, once it is there."""
        await self._came.wait()
        return self.received[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:-2])
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            received = Received(method, path, headers, body)
            self.received.append(received)
            self._came.set()
            await self.at.get(path, self.answer)(received, Connection(reader, writer))
        except asyncio.IncompleteReadError:
            pass  # the client left again without a request
        finally:
            writer.close()
            self.hung_up.set()


@asynccontextmanager
async def local_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[LocalServer]:
    """Serve for as long as the block lasts."""
    local = LocalServer()
    handlers: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.add(asyncio.create_task(local.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    local.port = server.sockets[0].getsockname()[1]
    try:
        yield local
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
