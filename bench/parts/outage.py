"""How often an endpoint is called that says "retry after 120", in the two minutes that it names.

A job of every 5 seconds with three retries, as somebody writes it. The endpoint counts its calls.
"""

import asyncio
from pathlib import Path

from bench.client import request
from bench.figure import Better, Figure, middle
from bench.gateway import fresh_directory, running
from bench.options import Options

#: What the endpoint asks for, and how much of it is watched: a build that calls does so early.
_RETRY_AFTER, _WATCHED_SECONDS = 120, 40

_ANSWER = (
    f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {_RETRY_AFTER}\r\n"
    "Content-Length: 0\r\nConnection: close\r\n\r\n"
).encode()


async def measure(options: Options) -> list[Figure]:
    found = []
    for _ in range(options.rounds):
        with fresh_directory(options) as directory:
            found.append({"calls": await _calls(directory, options)})
    return [
        Figure(
            name=f"calls of an endpoint that says to retry after {_RETRY_AFTER} s, in "
            f"{_WATCHED_SECONDS} s",
            unit="calls",
            better=Better.LESS,
            value=middle(found, "calls"),
            must=1,
            detail={"rounds": found},
        )
    ]


async def _calls(directory: Path, options: Options) -> float:
    calls = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        await reader.readuntil(b"\r\n\r\n")
        calls += 1
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    environment = {
        "UA_CRON_MOCK_RESPONSE": "0",
        "UA_AGENT_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "UA_AGENT_MODEL": "counted",
    }
    async with server, running(directory, options, **environment) as gateway:
        connection = await gateway.connect()
        body = {
            "command": "say hello",
            "runner": "agent",
            "every": "5s",
            "retries": 3,
            "retry_backoff": [1],
        }
        (await connection.send(request("POST", "/api/v1/cron/jobs", body))).json()
        await asyncio.sleep(_WATCHED_SECONDS)
    return float(calls)
