"""A command knows its gateway before it sends the token."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from universal_agent.cli.client import Gateway, WrongGateway
from universal_agent.cli.failure import ExitCode
from universal_agent.cli.invocation import Invocation
from universal_agent.engine.instance import own_key, proof, read_key

URL, PORT = "http://127.0.0.1:8002", 8002
TOKEN = "the-token-of-the-operator"

Answer = Callable[[str], object]


class Listener:
    """What listens at the port; it keeps the tokens that it was given."""

    def __init__(self, answer: Answer, status: int = 200) -> None:
        self._answer = answer
        self._status = status
        self.tokens: list[str] = []
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if "authorization" in request.headers:
            self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        if request.url.path != "/config":
            return httpx.Response(200, json={"jobs": []})
        content = self._answer(request.url.params["challenge"])
        return httpx.Response(self._status, content=json.dumps(content))


def command(listener: Listener, data_dir: Path) -> Gateway:
    transport = httpx.MockTransport(listener)
    return Gateway(URL, token=TOKEN, data_dir=data_dir, transport=transport)


def test_the_gateway_of_the_directory_is_given_the_token(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    listener = Listener(lambda challenge: {"proof": proof(key, challenge, PORT)})
    gateway = command(listener, tmp_path)
    gateway.get("/api/v1/cron/jobs")
    gateway.get("/api/v1/cron/jobs")
    assert listener.paths == ["/config", *["/api/v1/cron/jobs"] * 2], "it is asked once"
    assert listener.tokens == [TOKEN] * 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: {},
        lambda _: [],
        lambda _: "proof",
        lambda _: {"proof": None},
        lambda _: {"proof": 7},
        lambda _: {"proof": ""},
        lambda challenge: {"proof": challenge},
        lambda challenge: {"proof": proof(b"x" * 32, challenge, PORT)},
    ],
)
def test_another_listener_is_not_given_the_token(tmp_path: Path, answer: Answer) -> None:
    own_key(tmp_path)
    listener = Listener(answer)
    with pytest.raises(WrongGateway, match=r"not the gateway of .* not given the token") as refused:
        command(listener, tmp_path).get("/api/v1/cron/jobs")
    assert refused.value.code is ExitCode.UNREACHABLE
    assert listener.tokens == []


def test_a_proof_that_was_fetched_from_another_port_is_none(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    listener = Listener(lambda challenge: {"proof": proof(key, challenge, PORT + 1)})
    with pytest.raises(WrongGateway):
        command(listener, tmp_path).get("/api/v1/cron/jobs")
    assert listener.tokens == []


def test_a_directory_without_a_key_has_no_gateway(tmp_path: Path) -> None:
    listener = Listener(lambda challenge: {"proof": proof(b"", challenge, PORT)})
    with pytest.raises(WrongGateway):
        command(listener, tmp_path).get("/api/v1/cron/jobs")
    assert listener.tokens == []


@pytest.fixture
def heard() -> Iterator[tuple[str, list[str]]]:
    """The URL of another program that listens, and the tokens that it is given."""
    tokens: list[str] = []

    class Another(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "authorization" in self.headers:
                tokens.append(self.headers["authorization"].removeprefix("Bearer "))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"jobs": []}')

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Another) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", tokens
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("asked", ["gateway", "reader"])
def test_the_token_in_a_directorys_file_is_not_given_to_another_listener_that_url_names(
    tmp_path: Path, heard: tuple[str, list[str]], asked: str
) -> None:
    own_key(tmp_path)
    (tmp_path / "ops_token").write_text(TOKEN)
    (tmp_path / "ops_token").chmod(0o600)
    url, tokens = heard
    with (
        Invocation(url=url, data_dir=tmp_path) as ua,
        pytest.raises(WrongGateway, match="UA_OPS_TOKEN"),
    ):
        getattr(ua, asked).get("/api/v1/cron/jobs")
    assert tokens == []


def test_a_token_that_was_given_goes_to_the_gateway_that_url_names(
    tmp_path: Path, heard: tuple[str, list[str]]
) -> None:
    own_key(tmp_path)
    url, tokens = heard
    with Invocation(url=url, data_dir=tmp_path, ops_token=TOKEN) as ua:
        ua.gateway.get("/api/v1/cron/jobs")
    assert tokens == [TOKEN]


def test_a_gateway_that_is_down_is_told_as_down(tmp_path: Path) -> None:
    own_key(tmp_path)

    def down(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    gateway = Gateway(URL, token=TOKEN, data_dir=tmp_path, transport=httpx.MockTransport(down))
    with pytest.raises(Exception, match="The gateway is down"):
        gateway.get("/api/v1/cron/jobs")


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    key = own_key(tmp_path)
    assert own_key(tmp_path) == key == read_key(tmp_path)
    assert (tmp_path / "instance_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"zz", b"00", b"\xff"])
def test_a_damaged_key_is_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "instance_key").write_bytes(content)
    assert read_key(tmp_path) is None
    assert own_key(tmp_path) == read_key(tmp_path)
