"""The small application, closed by a token and open."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from tests.integration.api.exchange import TOKEN
from tests.integration.api.small_app import SmallApp, small_app
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
