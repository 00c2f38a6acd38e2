"""A request gets the same answer whichever way it takes to its endpoint."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from universal_agent.api.problems import install_problem_handlers
from universal_agent.api.short_route import ShortRoute
from universal_agent.api.wire import Body, IdempotencyKey, answer

PLAIN = {"content-type": "application/json"}

BODIES = [
    b'{"name": "a"}',
    b'{"name": "a", "size": 3}',
    b'{"name": "a", "size": null}',
    '{"name": "ä"}'.encode(),
    rb'{"name": "\ud800"}',
    b'{"name": "a", "name": "b"}',
    b'{"name": 1}',
    b'{"name": "a", "size": 1.5}',
    b'{"name": "a", "color": "red"}',
    b'{"size": 3}',
    b"[]",
    b"null",
    b'{"name": "a"',
    b"",
]


class Order(Body):
    name: str
    size: int | str | None = None


async def take(request: Request, body: Order, key: IdempotencyKey = None) -> Response:
    return answer({"given": ascii(body.model_dump(exclude_unset=True)), "key": key})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An endpoint at the end of both ways."""
    app = FastAPI()
    install_problem_handlers(app)
    app.router.add_api_route("/long", take, methods=["POST"])
    app.router.add_api_route("/short", take, methods=["POST"], route_class_override=ShortRoute)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_taken_or_refused_alike(client: httpx.AsyncClient, body: bytes) -> None:
    long = await client.post("/long", content=body, headers=PLAIN)
    short = await client.post("/short", content=body, headers=PLAIN)
    assert (short.status_code, short.json()) == (long.status_code, long.json())


@pytest.mark.parametrize(
    "headers",
    [
        PLAIN | {"Idempotency-Key": "k"},
        PLAIN | {"Idempotency-Key": "k" * 201},
        {"content-type": "application/json; charset=utf-8"},
        {"content-type": "text/plain"},
        {},
    ],
)
async def test_headers_count_alike_on_both_ways(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    long = await client.post("/long", content=BODIES[0], headers=headers)
    short = await client.post("/short", content=BODIES[0], headers=headers)
    assert (short.status_code, short.json()) == (long.status_code, long.json())


async def test_the_document_of_the_interface_is_the_same() -> None:
    app = FastAPI()
    app.router.add_api_route("/long", take, methods=["POST"], operation_id="take")
    app.router.add_api_route(
        "/short", take, methods=["POST"], operation_id="take2", route_class_override=ShortRoute
    )
    paths = app.openapi()["paths"]
    long, short = (paths[path]["post"] for path in ("/long", "/short"))
    assert short | {"operationId": "take"} == long | {"operationId": "take"}
