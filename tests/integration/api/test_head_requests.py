"""HEAD is answered like GET without a body, on every address that answers GET."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.exchange import TOKEN, exchange
from tests.integration.api.route_walk import addresses
from tests.integration.api.served import Served, served
from universal_agent.api.app import create_app
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data") as gateway:
        yield gateway


async def test_head_is_allowed_and_closed_wherever_get_is(
    clock: ManualClock, tmp_path: Path
) -> None:
    app = create_app(Runtime(Settings(ops_token=TOKEN, data_dir=tmp_path), clock=clock))
    paths = {path for method, path in addresses(app.routes) if method == "GET"}
    assert len(paths) > 20
    for path in sorted(paths):
        without = {m: (await exchange(app, m, path)).status for m in ("GET", "HEAD")}
        assert without["HEAD"] == without["GET"], path


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/health",
        "/config",
        "/api/v1/cron/jobs",
        "/api/v1/ops/flags",
        "/metrics",
        "/",
        "/none",
    ],
)
async def test_the_head_is_that_of_get(gateway: Served, path: str) -> None:
    got = await gateway.http.get(path)
    head = await gateway.http.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if "content-length" in got.headers:
        assert int(head.headers["content-length"]) == len(got.content) or path == "/metrics"


async def test_the_head_of_a_stream_ends_it(gateway: Served) -> None:
    head = await gateway.http.head("/api/v1/ops/scheduling/stream")
    assert head.headers["content-type"].startswith("text/event-stream")
    while gateway.runtime.event_feed.subscriber_count:
        await gateway.runtime.clock.sleep(0.005)


async def test_a_connection_goes_on_after_a_head(gateway: Served) -> None:
    for _ in range(3):
        assert (await gateway.http.head("/api/v1/cron/jobs")).status_code == 200
        assert (await gateway.http.get("/api/v1/cron/jobs")).json()["jobs"] == []
