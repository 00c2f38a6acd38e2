"""An application with one route of each kind, behind the outer layer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route

from universal_agent.api.access import install_access
from universal_agent.api.auth import Gate, principal_of
from universal_agent.api.problems import EVERYWHERE, install_problem_handlers
from universal_agent.api.proxied import install_proxied
from universal_agent.errors import JobNotFound, StoreUnavailable
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


class Thing(BaseModel):
    name: str
    size: int | str | None = None


@dataclass
class SmallApp:
    """The application, its gate, and what reached its routes."""

    app: FastAPI
    gate: Gate
    reached: list[str] = field(default_factory=list)
    #: Set once a stream has sent its first frame.
    streaming: asyncio.Event = field(default_factory=asyncio.Event)


def small_app(clock: ManualClock, *, token: str = "", **settings: Any) -> SmallApp:
    """A new one. `settings` are fields of Settings."""
    app = FastAPI(
        openapi_url="/api/openapi.json", docs_url=None, redoc_url=None, responses=EVERYWHERE
    )
    install_problem_handlers(app)
    made = Settings(ops_token=token, **settings)
    gate = install_access(app, made, clock=clock)
    install_proxied(app, made)
    small = SmallApp(app, gate)

    @app.get("/api/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "healthy"}

    @app.get("/config")
    async def config(request: Request) -> dict[str, bool]:
        return {"signed_in": principal_of(request) is not None}

    @app.get("/api/v1/things")
    async def list_things(request: Request) -> dict[str, str]:
        small.reached.append("list")
        principal = principal_of(request)
        assert principal is not None
        return {"who": str(principal)}

    @app.post("/api/v1/things")
    async def make_thing(thing: Thing) -> Thing:
        small.reached.append("make")
        return thing

    @app.post("/api/v1/things/{name}/run")
    async def run_thing(name: str) -> dict[str, str]:
        small.reached.append("run")
        return {"ran": name}

    @app.get("/api/v1/missing")
    async def missing() -> None:
        raise JobNotFound("expected a job, got none", field="job_id")

    @app.get("/api/v1/locked")
    async def locked() -> None:
        raise StoreUnavailable

    @app.get("/api/v1/broken")
    async def broken() -> None:
        raise RuntimeError("/home/somebody/ua.db: SELECT secret FROM jobs")

    @app.get("/api/v1/cached")
    async def cached() -> PlainTextResponse:
        return PlainTextResponse("x", headers={"Cache-Control": "private, max-age=5"})

    @app.get("/api/v1/ops/scheduling/stream")
    async def stream(*, once: bool = True) -> StreamingResponse:
        async def frames() -> AsyncIterator[str]:
            yield "data: {}\n\n"
            small.streaming.set()
            if not once:
                await asyncio.Event().wait()

        return StreamingResponse(frames(), media_type="text/event-stream")

    @app.get("/api/v1/ops/calendar.ics")
    async def ics() -> PlainTextResponse:
        return PlainTextResponse("BEGIN:VCALENDAR")

    @app.websocket("/api/v1/sessions/{session_id}/stream")
    async def socket(websocket: WebSocket, session_id: str) -> None:
        small.reached.append("socket")
        await websocket.accept()
        await websocket.receive()

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse("<!doctype html>")

    async def tool(_: Any) -> PlainTextResponse:
        return PlainTextResponse("mounted")

    cors = Middleware(CORSMiddleware, allow_origins=["*"], allow_credentials=True)
    mounted = Starlette(routes=[Route("/tool", tool, methods=["GET", "POST"])], middleware=[cors])
    app.router.routes.append(Mount("/mcp", mounted))
    return small
