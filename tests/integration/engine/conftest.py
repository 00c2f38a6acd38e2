"""A started gateway on a data directory of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.api.app import create_app
from universal_agent.testing import ManualClock, RecordingRunner


@pytest.fixture
async def gateway(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Gateway]:
    """A gateway with eight workers, at noon."""
    gateway = Gateway(tmp_path / "data", clock)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who talks to the gateway over HTTP, from its latest start on."""
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def runner(gateway: Gateway) -> RecordingRunner:
    """What the gateway's runs are handed to."""
    return gateway.runner
