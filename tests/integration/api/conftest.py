"""The small application, closed by a token and open; connections to a bounded server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tests.integration.api.exchange import TOKEN
from tests.integration.api.small_app import SmallApp, small_app
from tests.integration.api.wire import Connect, Wire
from universal_agent.api.connection import bounded_protocols
from universal_agent.api.limits import read_body
from universal_agent.api.open_connections import (
    CONNECTION,
    OpenConnections,
)
from universal_agent.testing import ManualClock


@pytest.fixture(autouse=True)
def log() -> Iterator[list[Any]]:
    """What was logged, one dict a record."""
    with structlog.testing.capture_logs() as records:
        yield records


@pytest.fixture
def closed(clock: ManualClock) -> SmallApp:
    """Needs the token."""
    return small_app(clock, token=TOKEN)


@pytest.fixture
def open_app(clock: ManualClock) -> SmallApp:
    """No token is set: as on a loopback address, out of the box."""
    return small_app(clock)


@pytest.fixture
def scopes() -> list[Scope]:
    """What reached the application."""
    return []


@pytest.fixture
def bodies() -> list[bytes]:
    """What came with POSTs, once it was whole."""
    return []


@pytest.fixture
def connections(clock: ManualClock) -> OpenConnections:
    return OpenConnections(clock, most=lambda: 500)


@pytest.fixture
def connect(
    clock: ManualClock, connections: OpenConnections, scopes: list[Scope], bodies: list[bytes]
) -> Connect:
    """Opens a connection to a server with the bounded protocol."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await clock.sleep(300)
            return
        if scope["path"] == "/trusted":
            scope["extensions"][CONNECTION].trust()
        if scope["path"] == "/wait":
            await clock.sleep(300)
        elif scope["path"] != "/refuse" and scope["method"] == "POST":
            body = await read_body(receive, {})
            if body is None:
                return
            bodies.append(body)
        await PlainTextResponse("hello")(scope, receive, send)

    protocol_class, ws = bounded_protocols(clock, connections)
    config = uvicorn.Config(app, http=protocol_class, ws=ws, log_config=None, access_log=False)
    config.load()

    def connected(address: str = "127.0.0.1") -> tuple[asyncio.Protocol, Wire]:
        protocol = protocol_class(  # type: ignore[call-arg]
            config=config, server_state=ServerState(), app_state={}
        )
        wire = Wire(address)
        wire.protocol = protocol
        protocol.connection_made(wire)
        return protocol, wire

    return connected
