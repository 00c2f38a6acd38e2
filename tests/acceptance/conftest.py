"""What acceptance tests start from: a real gateway, in a process of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.gateway import GatewayProcess

MakeGateway = Callable[..., GatewayProcess]


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    """Makes gateways that are not started yet, each in a folder of its own: make(UA_X="1")."""
    made: list[GatewayProcess] = []

    def make(**environment: str) -> GatewayProcess:
        made.append(GatewayProcess(tmp_path / f"gateway-{len(made)}", **environment))
        return made[-1]

    yield make
    for gateway in made:
        if gateway.is_running:
            gateway.kill()
        gateway.end_runs()


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> GatewayProcess:
    """A healthy gateway with an empty data directory: `gateway.base_url`, `gateway.ua("next")`."""
    started = make_gateway()
    started.start()
    return started
