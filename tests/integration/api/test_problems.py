"""Errors over HTTP: always a problem document, always as the OpenAPI says, never the inside."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI, Query
from pydantic import BaseModel, Field

from tests.integration.api.exchange import SIGNED_IN, exchange
from tests.integration.api.small_app import SmallApp
from universal_agent.api.problems import (
    Problem,
    UnforeseenErrors,
    install_problem_handlers,
    problem_responses,
)
from universal_agent.errors import EngineOff, LimitReached, StaleVersion


class Job(BaseModel, extra="forbid", strict=True):
    command: str = Field(min_length=1)
    every: str | int | None = None
    retry_backoff: list[int] = []


@pytest.fixture
def app() -> FastAPI:
    """Routes that fail in all ways, without the access layer."""
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/jobs", responses=problem_responses(409, 422))
    async def create(job: Job) -> None: ...

    @app.get("/jobs")
    async def find(limit: int = Query(default=1, ge=1), status: str = "") -> None: ...

    @app.get("/stale")
    async def stale() -> None:
        raise StaleVersion("expected version 3, got 2", field="version")

    @app.get("/off")
    async def off() -> None:
        raise EngineOff("Cron service not available.")

    @app.get("/full")
    async def full() -> None:
        raise LimitReached

    return app


async def test_an_error_of_ours_keeps_its_status_and_sentence(app: FastAPI) -> None:
    reply = await exchange(app, path="/stale")
    assert reply.status == 409
    assert reply.header("content-type") == "application/problem+json"
    assert reply.json() == {
        "type": "urn:universal-agent:problem:stale-version",
        "title": "Stale version",
        "status": 409,
        "detail": "expected version 3, got 2",
        "field": "version",
    }


async def test_an_error_without_a_message_says_its_default_sentence(app: FastAPI) -> None:
    reply = await exchange(app, path="/full")
    assert reply.status == 429
    assert reply.json()["detail"] == "A limit is reached."
    assert reply.header("retry-after") is None


async def test_an_unavailable_service_says_when_to_try_again(
    closed: SmallApp, app: FastAPI
) -> None:
    reply = await exchange(closed.app, path="/api/v1/locked", headers=SIGNED_IN)
    assert (reply.status, reply.header("retry-after")) == (503, "1")
    reply = await exchange(app, path="/off")
    assert (reply.status, reply.header("retry-after")) == (503, "60")
    assert reply.json()["detail"] == "Cron service not available."


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ({}, "command", "command: expected a value, got none"),
        ({"command": 7}, "command", "command: expected a valid string"),
        (
            {"command": "x", "every": []},
            "every",
            "every: expected a valid string or a valid integer",
        ),
        (
            {"command": "x", "retry_backoff": [1, "a"]},
            "retry_backoff.1",
            "retry_backoff.1: expected a valid integer",
        ),
        ({"command": "x", "colour": 1}, "colour", "colour: expected no such field"),
        (
            {"command": 7, "colour": 1},
            "command",
            "command: expected a valid string; colour: expected no such field",
        ),
        ([], "body", "body: expected a valid dictionary or object to extract fields from"),
    ],
)
async def test_a_malformed_body_is_told_field_and_expectation(
    app: FastAPI, body: Any, field: str, detail: str
) -> None:
    reply = await exchange(app, "POST", "/jobs", json_body=body)
    assert reply.status == 422
    assert reply.header("content-type") == "application/problem+json"
    assert reply.json() == {
        "type": "urn:universal-agent:problem:malformed-request",
        "title": "Malformed request",
        "status": 422,
        "detail": detail,
        "field": field,
    }


async def test_a_wrong_parameter_is_named(app: FastAPI) -> None:
    reply = await exchange(app, path="/jobs", query="limit=-1")
    assert reply.status == 422
    assert reply.json()["detail"] == "limit: expected greater than or equal to 1"


@pytest.mark.parametrize("body", [b"{", b"", b"nul", b'"\xff"', b"{'a': 1}", b"\xff\xfe{\x00}\x00"])
async def test_a_body_that_is_no_json_is_malformed(app: FastAPI, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await exchange(app, "POST", "/jobs", headers=headers, body=body)
    assert reply.status in {400, 422}
    assert reply.header("content-type") == "application/problem+json"
    Problem.model_validate(reply.json(), strict=True)


async def test_broken_json_is_told_where_it_breaks(app: FastAPI) -> None:
    headers = {"Content-Type": "application/json"}
    reply = await exchange(app, "POST", "/jobs", headers=headers, body=b'{"a": }')
    assert reply.json()["detail"] == "body: expected JSON, got 'Expecting value' at character 6"


async def test_what_a_client_called_a_field_is_repeated_short_and_harmless(app: FastAPI) -> None:
    names = {f"a\n\x1b[31m\u202e{number}" + "x" * 5000: 1 for number in range(50)}
    reply = await exchange(app, "POST", "/jobs", json_body=names)
    assert reply.status == 422
    assert len(reply.body) < 1500
    assert reply.json()["detail"].isprintable()


async def test_an_unknown_address_and_method_are_problems_too(closed: SmallApp) -> None:
    reply = await exchange(closed.app, path="/api/v1/nothing-here", headers=SIGNED_IN)
    assert reply.status == 404
    assert reply.json()["detail"] == "There is nothing at this address."
    reply = await exchange(closed.app, "DELETE", "/api/v1/things", headers=SIGNED_IN)
    assert reply.status == 405
    assert reply.header("allow") is not None
    assert reply.header("content-type") == "application/problem+json"


async def test_an_unforeseen_error_shows_an_id_that_the_log_has_and_nothing_else(
    closed: SmallApp, log: list[Any]
) -> None:
    reply = await exchange(closed.app, path="/api/v1/broken", headers=SIGNED_IN)
    assert reply.status == 500
    [record] = [r for r in log if r["event"] == "request_failed"]
    assert reply.json() == {
        "type": "urn:universal-agent:problem:internal",
        "title": "Internal error",
        "status": 500,
        "detail": f"Something went wrong; the log has the cause under {record['error_id']}.",
        "instance": f"urn:universal-agent:error:{record['error_id']}",
    }
    assert str(record["exc_info"]) == "/home/somebody/ua.db: SELECT secret FROM jobs"
    assert record["path"] == "/api/v1/broken"


async def test_an_answer_that_breaks_off_is_logged_and_not_begun_again(log: list[Any]) -> None:
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def breaks_off(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    scope = {"type": "http", "method": "GET", "path": "/a\nb"}
    await UnforeseenErrors(breaks_off)(scope, asyncio.Queue[Any]().get, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [record["path"] for record in log] == ["/a\\nb"]


async def test_a_socket_that_breaks_is_closed_with_a_word(log: list[Any]) -> None:
    sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def breaks(_: Any, __: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        raise RuntimeError

    scope = {"type": "websocket", "path": "/"}
    await UnforeseenErrors(breaks)(scope, asyncio.Queue[Any]().get, send)
    assert sent[-1] == {"type": "websocket.close", "code": 1011}
    assert [record["method"] for record in log] == ["WEBSOCKET"]


# -- the OpenAPI document


async def test_the_openapi_document_needs_the_token(closed: SmallApp) -> None:
    assert (await exchange(closed.app, path="/api/openapi.json")).status == 401
    reply = await exchange(closed.app, path="/api/openapi.json", headers=SIGNED_IN)
    assert reply.json() == closed.app.openapi()


def test_the_openapi_document_describes_problems_as_they_are_sent(closed: SmallApp) -> None:
    document = closed.app.openapi()
    operation = document["paths"]["/api/v1/things"]["post"]
    assert set(operation["responses"]) == {
        "200",
        *("400", "401", "403", "408", "413", "422", "429", "431", "500", "503"),
    }
    assert operation["responses"]["422"]["content"] == {
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
    }
    schemas = document["components"]["schemas"]
    assert schemas["Problem"]["required"] == ["type", "title", "status", "detail"]
    assert "HTTPValidationError" not in schemas


def test_the_openapi_document_says_which_operation_needs_the_token(closed: SmallApp) -> None:
    paths = closed.app.openapi()["paths"]
    token: list[dict[str, list[str]]] = [{"ops_token": []}, {"bearer": []}]
    assert paths["/api/v1/things"]["post"]["security"] == token
    assert paths["/api/v1/health"]["get"]["security"] == []
    assert paths["/api/v1/auth/login"]["post"]["security"] == []
    assert paths["/api/v1/auth/logout"]["post"]["security"] == token
    assert paths["/api/v1/ops/scheduling/stream"]["get"]["security"] == [*token, {"query": []}]
    assert all("security" in op for path in paths.values() for op in path.values())


def test_asking_twice_for_the_openapi_document_changes_nothing(closed: SmallApp) -> None:
    assert closed.app.openapi() is closed.app.openapi()
