"""A gateway that listens on a port of its own, its agent played by the test, and clients of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.integration.runners.local_server import Connection, Received, local_server
from universal_agent.api.auth import Gate
from universal_agent.api.server import CalmServer, as_bound, bind, server_of
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings

TOKEN = "a token for tests of sessions, and nothing else"

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


class Agent:
    """An OpenAI-compatible endpoint that says what the test has it say, when it has it say it."""

    def __init__(self) -> None:
        #: What it was asked, in order.
        self.prompts: list[str] = []
        self._asked = asyncio.Event()
        self._words: asyncio.Queue[str | None] = asyncio.Queue()

    async def asked(self, times: int = 1) -> None:
        """Return once it was asked so many times."""
        while len(self.prompts) < times:
            self._asked.clear()
            await self._asked.wait()

    def say(self, *words: str) -> None:
        """Say something more in the reply that is under way, or comes next."""
        for word in words:
            self._words.put_nowait(word)

    def stop(self) -> None:
        """The reply is complete."""
        self._words.put_nowait(None)

    async def answer(self, received: Received, connection: Connection) -> None:
        self.prompts.append(received.json()["messages"][0]["content"])
        self._asked.set()
        await connection.send(_HEAD)
        while (word := await self._words.get()) is not None:
            await connection.send(_event({"delta": {"content": word}}))
        await connection.send(_event({"delta": {}, "finish_reason": "stop"}) + b"data: [DONE]\n\n")


def _event(choice: dict[str, Any]) -> bytes:
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


class Client:
    """One client of a session's stream."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, **data: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "data": data}))

    async def hear(self) -> dict[str, Any]:
        """The next message."""
        message: dict[str, Any] = json.loads(await self.socket.recv())
        return message

    async def until(self, kind: str) -> dict[str, Any]:
        """The data of the next message of a kind."""
        while (message := await self.hear())["type"] != kind:
            pass
        data: dict[str, Any] = message["data"]
        return data

    async def closed(self) -> int | None:
        """The code that the socket was closed with, once it is."""
        await self.socket.wait_closed()
        return self.socket.close_code


class Served:
    """The gateway, and ways to it."""

    def __init__(
        self,
        server: CalmServer,
        runtime: Runtime,
        port: int,
        agent: Agent,
        http: httpx.AsyncClient,
    ) -> None:
        self.server = server
        self.app: Any = server.config.app
        self.connections = server.connections
        self.runtime = runtime
        self.port = port
        self.agent = agent
        self.http = http

    async def session(self, **fields: Any) -> str:
        """A new session's id."""
        made = await self.http.post("/api/v1/sessions", json=fields)
        assert made.status_code == 200, made.text
        return str(made.json()["session_id"])

    async def continuity(self) -> dict[str, Any]:
        """The session-continuity document."""
        answer = await self.http.get("/api/v1/ops/metrics/session-continuity")
        document: dict[str, Any] = answer.json()["metrics"]
        return document

    @property
    def gate(self) -> Gate:
        """Who judges tokens."""
        gate: Gate = self.app.state.gate
        return gate

    async def until_nobody_is_attached(self, session_id: str) -> None:
        """Return once the gateway has noticed that the session's clients have gone."""
        while self.runtime.hub.connected(session_id):
            await self.runtime.clock.sleep(0.005)

    async def until_no_turn(self, session_id: str) -> None:
        """Return once the end of the session's turn was told to the clients that are attached."""
        while self.runtime.turns.state(session_id) is not None:
            await self.runtime.clock.sleep(0.005)

    async def until_ended(self, run_id: str) -> None:
        """Return once the end of a run is recorded."""
        while not (await self.runtime.cron.run(run_id)).status.is_final:
            await self.runtime.clock.sleep(0.005)

    def stream(self, session_id: str, query: str = "") -> str:
        return f"ws://127.0.0.1:{self.port}/api/v1/sessions/{session_id}/stream{query}"

    @asynccontextmanager
    async def attached(
        self, session_id: str, *, query: str = "", origin: str | None = None, **headers: str
    ) -> AsyncIterator[Client]:
        """A client that is attached; its first message is still to be heard."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with connect(
            self.stream(session_id, query),
            additional_headers={"X-UA-OPS-TOKEN": TOKEN, **given},
            origin=origin,  # type: ignore[arg-type]
            proxy=None,
        ) as socket:
            yield Client(socket)


@asynccontextmanager
async def served(data_dir: Path, **settings: Any) -> AsyncIterator[Served]:
    """Serve for as long as the block lasts; without `agent_base_url` the test is the agent."""
    agent = Agent()
    async with local_server() as endpoint:
        endpoint.answer = agent.answer
        settings.setdefault("agent_base_url", f"http://127.0.0.1:{endpoint.port}/v1")
        made = Settings(data_dir=data_dir, gateway_port=0, ops_token=TOKEN, **settings)
        listener = bind(made)
        port = listener.getsockname()[1]
        runtime = Runtime(as_bound(made, listener))
        server = server_of(runtime)
        await runtime.start()
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await runtime.clock.sleep(0.005)
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}",
                headers={"X-UA-OPS-TOKEN": TOKEN},
                trust_env=False,
                timeout=None,  # what hangs is ended by the test's own limit
            ) as http:
                yield Served(server, runtime, port, agent, http)
        finally:
            server.stop()
            await serving
            await runtime.stop()
            listener.close()
