"""Commands whose gateway answers without the fields that they read."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from universal_agent.cli.failure import ExitCode
from universal_agent.cli.main import run

ID = "run_019b0000-0000-7000-8000-000000000000"


class Incomplete(BaseHTTPRequestHandler):
    """Answers every request with an object that has an empty list of jobs, and nothing else."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"jobs": []}')

    do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Incomplete) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "command",
    [
        "job list",
        "job show a",
        "job add 30m true",
        "job edit a --title b",
        "job pause a",
        "job rm a --yes",
        "job run a",
        "job runs a",
        f"run show {ID}",
        "next",
        "stasis list",
        "stasis expired",
        "stasis approve a",
        "ledger",
        "explain a now",
        "events",
        "events --since 0",
        "session list",
        "session show a",
        "session new",
        "projection verify",
        "heartbeat status",
        "heartbeat wake a",
    ],
)
def test_a_field_that_is_missing_in_an_answer_is_named(
    url: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command.split(), "--url", url]) == ExitCode.UNAVAILABLE
    said = capsys.readouterr().err
    assert said.startswith("ua: Expected the field ")
    assert f"in the answer of the gateway at {url}" in said
