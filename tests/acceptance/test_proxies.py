"""The gateway behind real proxies, each with its configuration in docs/how-to/configs."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess
from tests.acceptance.proxies import PROXIES, proxy

TOKEN = "a token for tests behind proxies, long enough"

#: Seconds within which an event passes; a proxy that held it back would wait for the keep-alive.
_EVENT_SECONDS = 15.0


@pytest.fixture
def gateway(make_gateway: MakeGateway) -> GatewayProcess:
    """A gateway as docs/how-to/proxy.md has it started."""
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN, UA_ALLOWED_HOSTS="agents.example.org")
    gateway.start()
    return gateway


@contextmanager
def signed_in(url: str, certificate: Path) -> Iterator[httpx.Client]:
    """A browser's requests, once it has signed in; its cookie is Secure."""
    with httpx.Client(
        base_url=url,
        verify=ssl.create_default_context(cafile=certificate),
        trust_env=False,
        headers={"Origin": url},
        timeout=PATIENCE_SECONDS,
    ) as client:
        answer = client.post("/api/v1/auth/login", json={"token": TOKEN})
        assert answer.status_code == 200, answer.text
        assert "; Secure" in answer.headers["set-cookie"]
        yield client


def payloads(stream: httpx.Response) -> Iterator[dict[str, object]]:
    for line in stream.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


@pytest.mark.parametrize("name", PROXIES)
def test_the_documented_configuration_passes_everything_on(
    gateway: GatewayProcess, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    with (
        proxy(name, folder, gateway.port) as url,
        signed_in(url, folder / "agents.pem") as client,
    ):
        page = client.get("/", headers={"Accept": "text/html"})
        assert "<div id=" in page.text

        # An event arrives when it happens.
        timeout = httpx.Timeout(PATIENCE_SECONDS, read=_EVENT_SECONDS)
        path = "/api/v1/ops/scheduling/stream?heartbeat_seconds=60"
        with client.stream("GET", path, timeout=timeout) as stream:
            found = payloads(stream)
            assert next(found)["kind"] == "heartbeat"
            made = client.post(
                "/api/v1/cron/jobs",
                json={"command": "true", "run_at": "in 9 days", "runner": "shell"},
            )
            assert made.status_code == 200, made.text
            assert next(found)["kind"] == "event"

        # A session's stream is a WebSocket.
        session_id = client.post("/api/v1/sessions", json={}).json()["session_id"]
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        with connect(
            f"wss{url.removeprefix('https')}/api/v1/sessions/{session_id}/stream",
            ssl=ssl.create_default_context(cafile=folder / "agents.pem"),
            additional_headers={"Cookie": cookies, "Origin": url},
            proxy=None,
        ) as socket:
            assert json.loads(socket.recv(PATIENCE_SECONDS))["type"]

        # The command line.
        listed = gateway.ua(
            *("job", "list", "--json", "--url", url),
            SSL_CERT_FILE=str(folder / "agents.pem"),
        )
        assert listed.returncode == 0, listed.stderr
        assert json.loads(listed.stdout)["total"] == 1

        # The gateway goes and comes back.
        gateway.kill()
        until_status(client, {502, 503, 504})
        down = gateway.ua(
            *("job", "pause", "x", "--url", url), SSL_CERT_FILE=str(folder / "agents.pem")
        )
        assert (down.returncode, "A proxy answers at" in down.stderr) == (3, True), down.stderr
        gateway.start()
        until_status(client, {200})
        assert client.get("/api/v1/cron/jobs").json()["total"] == 1


def until_status(client: httpx.Client, wanted: set[int]) -> None:
    """Return once health is answered with one of these statuses."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status := client.get("/api/v1/health").status_code) not in wanted:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_in_front_of_a_gateway_without_a_token_is_refused(
    make_gateway: MakeGateway, tmp_path: Path, name: str
) -> None:
    gateway = make_gateway()
    gateway.start()
    folder = tmp_path / name
    with proxy(name, folder, gateway.port) as url:
        verify = ssl.create_default_context(cafile=folder / "agents.pem")
        with httpx.Client(base_url=url, verify=verify, trust_env=False) as client:
            body = {"command": "id", "every": "1h"}
            refused = client.post("/api/v1/cron/jobs", json=body)
            assert refused.status_code == 403, refused.text
            assert "ua token new" in refused.json()["detail"]
    assert gateway.ua("job", "list", "--json").stdout.count("job_id") == 0
