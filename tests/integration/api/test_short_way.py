"""A request gets the same answer whichever way it takes to its endpoint."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from universal_agent.api import cron
from universal_agent.api.problems import install_problem_handlers
from universal_agent.api.short_way import ShortWay
from universal_agent.api.wire import Body, IdempotencyKey, answer
from universal_agent.domain.job_draft import Line
from universal_agent.errors import InvalidInput

PLAIN = {"content-type": "application/json"}

BODIES = [
    b'{"name": "a"}',
    b'{"name": "a", "size": 3}',
    b'{"name": "a", "size": null}',
    '{"name": "ä"}'.encode(),
    rb'{"name": "\ud800"}',
    b'{"name": "a", "name": "b"}',
    b'{"name": 1}',
    rb'{"name": "a\u0000"}',
    b'{"name": "a", "size": 1.5}',
    b'{"name": "a", "color": "red"}',
    b'{"size": 3}',
    b"[]",
    b"null",
    b'{"name": "a"',
    b"",
]


class Order(Body):
    name: Line
    size: int | str | None = None


async def take(request: Request, body: Order, key: IdempotencyKey = None) -> Response:
    if body.name == "refused":
        raise InvalidInput("expected another name", field="name")
    if body.name == "broken":
        raise RuntimeError("broken")
    return answer({"given": ascii(body.model_dump(exclude_unset=True)), "key": key})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """An endpoint at the end of both ways."""
    app = FastAPI()
    app.add_middleware(ShortWay, ways={("POST", "/short"): take})
    install_problem_handlers(app)
    app.router.add_api_route("/long", take, methods=["POST"])
    app.router.add_api_route("/short", take, methods=["POST"])
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


async def test_a_known_error_is_answered_alike(client: httpx.AsyncClient) -> None:
    body = b'{"name": "refused"}'
    long = await client.post("/long", content=body, headers=PLAIN)
    short = await client.post("/short", content=body, headers=PLAIN)
    assert short.status_code == 400
    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert short.headers == long.headers


async def test_an_unforeseen_error_is_answered_alike(client: httpx.AsyncClient) -> None:
    body = b'{"name": "broken"}'
    long = await client.post("/long", content=body, headers=PLAIN)
    short = await client.post("/short", content=body, headers=PLAIN)
    assert (short.status_code, short.json()["type"]) == (500, long.json()["type"])


async def test_other_methods_at_the_address_go_the_long_way(client: httpx.AsyncClient) -> None:
    assert (await client.put("/short", content=BODIES[0], headers=PLAIN)).status_code == 405


def test_every_short_way_leads_where_the_router_leads() -> None:
    routes = {
        (method, route.path): route.endpoint
        for route in cron.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert cron.SHORT_WAYS
    for place, endpoint in cron.SHORT_WAYS.items():
        assert routes[place] is endpoint
