"""The gateway's own application behind the wall: no route of it is open by accident."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.integration.api.exchange import SIGNED_IN, TOKEN, exchange
from tests.integration.api.route_walk import PUBLIC, addresses, open_addresses
from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


@pytest.fixture
def gateway(clock: ManualClock, tmp_path: Path) -> FastAPI:
    """The application over a runtime that is not started: nothing here may get that far."""
    settings = Settings(ops_token=TOKEN, data_dir=tmp_path)
    return create_app(Runtime(settings, clock=clock))


async def test_every_route_of_the_gateway_needs_the_token(gateway: FastAPI) -> None:
    walked = addresses(gateway.routes)
    assert len(walked) > 30
    assert await open_addresses(gateway) <= PUBLIC | {("GET", "/assets/x")}


async def test_every_operation_says_in_the_openapi_document_what_it_needs(
    gateway: FastAPI,
) -> None:
    reply = await exchange(gateway, path="/api/openapi.json", headers=SIGNED_IN)
    assert reply.status == 200, reply.body
    operations = {
        (method.upper(), path): operation
        for path, methods in reply.json()["paths"].items()
        for method, operation in methods.items()
    }
    is_open = {address for address, operation in operations.items() if not operation["security"]}
    assert is_open <= PUBLIC
    assert len(operations) > 30
