"""How does a test send exactly the bytes it means, and see what a server would send back?

Requests are ASGI scopes made by hand: HTTP clients would not send two Host headers, or none.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Scope

HOST = "127.0.0.1:8002"
TOKEN = "correct-horse-battery-staple-0123456789"
#: The header that signs a request in.
SIGNED_IN = {"X-UA-OPS-TOKEN": TOKEN}

Headers = Mapping[str, str] | Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True)
class Reply:
    """What came back. A WebSocket that was accepted has the status 101."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The only header of this name; None when there is none."""
        values = [value for found, value in self.headers if found == name.lower()]
        assert len(values) < 2
        return values[0] if values else None

    def json(self) -> Any:
        return json.loads(self.body)


def scope_of(
    method: str, path: str, *, headers: Headers, host: str | None, query: str, client: str | None
) -> Scope:
    """The ASGI scope of a request; "WEBSOCKET" is the method of a handshake."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    lines = [("Host", host), *pairs] if host is not None else pairs
    is_socket = method == "WEBSOCKET"
    scope: Scope = {
        "type": "websocket" if is_socket else "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "scheme": "ws" if is_socket else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [
            (
                name.lower().encode(),
                value if isinstance(value, bytes) else value.encode(),
            )
            for name, value in lines
        ],
        "client": (client, 50000) if client else None,
        "server": ("127.0.0.1", 8002),
        "state": {},
    }
    if is_socket:
        scope["extensions"] = {"websocket.http.response": {}}
        scope["subprotocols"] = []
    else:
        scope["method"] = method
    return scope


async def exchange(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/api/v1/things",
    *,
    headers: Headers = (),
    host: str | None = HOST,
    query: str = "",
    client: str | None = "127.0.0.1",
    body: bytes | Iterable[bytes] | None = None,
    json_body: Any = None,
) -> Reply:
    """Send one request and wait for the end of its answer, or for a WebSocket to be accepted."""
    if json_body is not None:
        body = json.dumps(json_body).encode()
        headers = [*(headers.items() if isinstance(headers, Mapping) else headers)]
        headers.append(("Content-Type", "application/json"))
    chunks = [body] if isinstance(body, bytes) else list(body or [b""])
    scope = scope_of(method, path, headers=headers, host=host, query=query, client=client)
    incoming: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
        for number, chunk in enumerate(chunks, 1)
    ]
    if method == "WEBSOCKET":
        incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[Message] = []

    async def receive() -> Message:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return _reply(sent)


def _reply(sent: list[Message]) -> Reply:
    begin = next(
        m for m in sent if m["type"].endswith(("response.start", "websocket.accept", ".close"))
    )
    match begin["type"]:
        case "websocket.accept":
            return Reply(101, [], b"")
        case "websocket.close":
            # What a server makes of it before it was accepted.
            return Reply(403, [], b"")
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in begin["headers"]
    ]
    body = b"".join(m.get("body", b"") for m in sent if m["type"].endswith("response.body"))
    return Reply(begin["status"], headers, body)
