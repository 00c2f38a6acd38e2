"""Clients on real sockets that ask and never read: nothing is left of them."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.api.served import TOKEN, Served, served
from universal_agent.api import open_connections

_CLIENTS = 20
_JOBS = 250


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """With more to tell than the system takes ahead of a client, and little patience."""
    monkeypatch.setattr(open_connections, "WRITE_SECONDS", 0.0)
    async with served(tmp_path) as gateway:
        job = {"command": "true # " + "x" * 4000, "run_at": "in 9 days"}
        for _ in range(_JOBS):
            made = await gateway.http.post("/api/v1/cron/jobs", json=job)
            assert made.status_code == 200
        yield gateway


def _asks(port: int, path: str) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-UA-OPS-TOKEN: {TOKEN}\r\n"
    client.sendall(f"{head}\r\n".encode())
    return client


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/cron/jobs",
        "/api/v1/ops/scheduling/events?limit=5000",
        "/api/v1/ops/scheduling/stream?since_seq=0",
    ],
)
async def test_no_connection_is_left_of_clients_that_never_read(gateway: Served, path: str) -> None:
    clock = gateway.runtime.clock
    clients = [_asks(gateway.port, path) for _ in range(_CLIENTS)]
    try:
        while len(gateway.connections) < _CLIENTS // 2:
            await clock.sleep(0.005)
        while len(gateway.connections) > 1:  # one may be the test's own
            await clock.sleep(0.005)
        while gateway.runtime.event_feed.subscriber_count:
            await clock.sleep(0.005)
    finally:
        for client in clients:
            client.close()
    assert (await gateway.http.get("/api/v1/health")).status_code == 200
