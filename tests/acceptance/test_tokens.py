"""A gateway that needs a token, and commands that have none, a wrong one, or the right one."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

TOKEN = "a-token-of-thirty-two-characters"


@pytest.fixture
def guarded(make_gateway: MakeGateway) -> GatewayProcess:
    """A gateway that has a token, whose commands know nothing of it."""
    gateway = make_gateway(UA_OPS_TOKEN=TOKEN)
    gateway.start()
    del gateway.environment["UA_OPS_TOKEN"]
    return gateway


@pytest.mark.parametrize(
    "command",
    [
        ("job", "list"),
        ("job", "add", "every 1d", "true"),
        ("stasis", "list"),
        ("ledger",),
        ("session", "list"),
        ("heartbeat", "status"),
    ],
)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_command_with_a_wrong_token_or_none_is_refused_in_one_sentence(
    guarded: GatewayProcess, command: tuple[str, ...], token: str
) -> None:
    refused = guarded.ua(*command, UA_OPS_TOKEN=token)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr.startswith("ua: ")
    assert refused.stderr.count("\n") == 1
    assert "token" in refused.stderr
    assert "wrong" not in refused.stderr.replace("wrong token", ""), "what was sent is not repeated"


def test_a_command_with_the_right_token_is_let_in(guarded: GatewayProcess) -> None:
    assert guarded.ua("job", "list", UA_OPS_TOKEN=TOKEN).returncode == 0
    assert guarded.ua("job", "list", "--ops-token", TOKEN).returncode == 0


def test_a_new_token_is_asked_for_without_a_restart_and_ends_open_streams(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    assert gateway.ua("token", "new").returncode == 0
    gateway.start()
    old = (gateway.data_dir / "ops_token").read_text().strip()
    stream = f"{gateway.base_url}/api/v1/ops/scheduling/stream"
    signed_in = {"X-UA-OPS-TOKEN": old}
    with (
        httpx.Client(trust_env=False, timeout=30) as http,
        http.stream("GET", stream, headers=signed_in, params={"heartbeat_seconds": 60}) as open_one,
    ):
        assert open_one.status_code == 200
        replaced = gateway.ua("token", "new", "--force")
        assert replaced.returncode == 0
        assert "within seconds" in replaced.stderr
        for _ in open_one.iter_raw():
            pass  # it ends
        assert (
            http.get(f"{gateway.base_url}/api/v1/cron/jobs", headers=signed_in).status_code == 401
        )
    assert gateway.ua("job", "list").returncode == 0
    assert old not in gateway.log.read_text()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe"])
def test_a_token_file_without_a_token_stops_the_start_and_can_be_replaced(
    make_gateway: MakeGateway, content: bytes
) -> None:
    gateway = make_gateway()
    gateway.data_dir.mkdir(mode=0o700)
    (gateway.data_dir / "ops_token").write_bytes(content)
    refused = gateway.ua("serve")
    assert refused.returncode == 2
    assert "ops_token: expected a token" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert gateway.ua("token", "new", "--force").returncode == 0
    gateway.start()


def test_what_took_a_stopped_gateways_port_is_not_given_the_token(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    assert gateway.ua("token", "new").returncode == 0
    gateway.start()
    assert gateway.ua("job", "list").returncode == 0
    gateway.stop()
    heard: list[str] = []

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.as_string())
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", gateway.port), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        refused = gateway.ua("job", "list")
        stranger.shutdown()
    assert refused.returncode == 3
    assert "not the gateway of" in refused.stderr
    token = (gateway.data_dir / "ops_token").read_text().strip()
    assert heard
    assert token not in "".join(heard)
