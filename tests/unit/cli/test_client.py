"""What becomes of answers, and of none."""

import json
from pathlib import Path

import httpx
import pytest

from universal_agent.cli.client import ADDRESS_FILE, Gateway, address, address_of
from universal_agent.cli.failure import CommandFailed, ExitCode, RequestRefused
from universal_agent.cli.invocation import Invocation
from universal_agent.settings import Settings
from universal_agent.store.databases.data_lock import DataLock

URL = "http://gateway"


def answering(status: int, **content: object) -> httpx.MockTransport:
    """A gateway that answers everything alike."""
    return httpx.MockTransport(lambda request: httpx.Response(status, json=content))


def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def test_parameters_that_are_none_are_left_out() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"query": str(request.url.query, "ascii")})

    gateway = Gateway(URL, transport=httpx.MockTransport(echo))
    assert gateway.get("/x", limit=3, cursor=None) == {"query": "limit=3"}


def test_the_token_goes_along_whatever_it_is_made_of() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"token": request.headers["authorization"]})

    gateway = Gateway(URL, token="geheim-ü", transport=httpx.MockTransport(echo))
    assert gateway.get("/x") == {"token": "Bearer geheim-ü"}


def test_with_a_user_in_the_url_the_authorization_header_belongs_to_the_proxy() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        named = ("authorization", "x-ua-ops-token")
        return httpx.Response(200, json={name: request.headers[name] for name in named})

    gateway = Gateway("http://ada:pw@gateway", token="t", transport=httpx.MockTransport(echo))
    assert gateway.get("/x") == {"authorization": "Basic YWRhOnB3", "x-ua-ops-token": "t"}


def test_a_problem_becomes_its_detail_with_the_field_that_it_is_about() -> None:
    transport = answering(400, detail="expected 0 to 100, got 101", field="retries")
    with pytest.raises(RequestRefused) as refused:
        Gateway(URL, transport=transport).post("/x", {})
    assert refused.value.message == "retries: expected 0 to 100, got 101"
    assert refused.value.code is ExitCode.USAGE


def test_a_field_that_the_detail_names_is_not_named_twice() -> None:
    transport = answering(422, detail="retries: too many", field="retries")
    with pytest.raises(RequestRefused, match=r"^retries: too many$"):
        Gateway(URL, transport=transport).get("/x")


def test_a_wrong_token_is_answered_with_how_to_give_the_right_one() -> None:
    transport = answering(401, detail="This needs the operator's token.")
    with pytest.raises(RequestRefused, match=r"token\. Give it as UA_OPS_TOKEN or --ops-token"):
        Gateway(URL, transport=transport).get("/x")


@pytest.mark.parametrize("text", ["<html>", "[1]", ""])
def test_what_does_not_answer_with_a_document_is_no_gateway(text: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, text=text))
    with pytest.raises(CommandFailed, match="is not a gateway") as failed:
        Gateway(URL, transport=transport).get("/x")
    assert failed.value.code is ExitCode.UNREACHABLE


def test_a_gateway_that_is_down_is_said_with_how_to_start_it() -> None:
    gateway = Gateway(URL, transport=httpx.MockTransport(down))
    with pytest.raises(CommandFailed, match="ua serve") as failed:
        gateway.put("/x", {})
    assert failed.value.code is ExitCode.UNREACHABLE


def test_a_gateway_that_hangs_is_not_taken_for_one_that_is_down() -> None:
    def hang(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out", request=request)

    gateway = Gateway(
        URL, transport=httpx.MockTransport(hang), offline=lambda: answering(200, from_disk=True)
    )
    with pytest.raises(CommandFailed, match="did not answer") as failed:
        gateway.get("/x")
    assert failed.value.code is ExitCode.UNREACHABLE


def test_reads_go_on_offline_and_stay_there() -> None:
    opened = []

    def offline() -> httpx.BaseTransport:
        opened.append(1)
        return httpx.MockTransport(
            lambda request: httpx.Response(200, json={"path": request.url.path})
        )

    gateway = Gateway(URL, transport=httpx.MockTransport(down), offline=offline)
    assert opened == []
    assert gateway.get("/a") == {"path": "/a"}
    assert gateway.get("/b") == {"path": "/b"}
    assert gateway.is_offline
    assert opened == [1]


@pytest.mark.parametrize("url", ["127.0.0.1:8002", "ftp://gateway", "http://[::1"])
def test_an_address_that_is_none_is_bad_usage(url: str) -> None:
    with pytest.raises(CommandFailed, match="expected a URL") as failed:
        Gateway(url).get("/x")
    assert failed.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("agents.example", "http://agents.example:1"),
    ],
)
def test_a_gateway_is_reached_where_it_listens(host: str, url: str) -> None:
    assert address(host, 1) == url


def test_the_address_left_in_the_data_directory_is_used_unless_a_setting_names_one(
    tmp_path: Path,
) -> None:
    assert address_of(Settings(data_dir=tmp_path)) == "http://127.0.0.1:8002"
    (tmp_path / ADDRESS_FILE).write_text("http://127.0.0.1:4567\n")
    assert address_of(Settings(data_dir=tmp_path)) == "http://127.0.0.1:4567"
    assert address_of(Settings(data_dir=tmp_path, gateway_port=99)) == "http://127.0.0.1:99"


@pytest.mark.parametrize("content", ["", "nonsense", "https://elsewhere.example\n", "\xff"])
def test_an_address_file_with_something_else_in_it_is_passed_over(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / ADDRESS_FILE).write_text(content, encoding="latin-1")
    assert address_of(Settings(data_dir=tmp_path)) == "http://127.0.0.1:8002"


def test_a_body_is_sent_as_json_with_the_patience_that_was_asked_for() -> None:
    def look(request: httpx.Request) -> httpx.Response:
        timeout = request.extensions["timeout"]
        return httpx.Response(200, json={"body": json.loads(request.content), **timeout})

    answer = Gateway(URL, transport=httpx.MockTransport(look)).post("/x", {"a": 1}, patience=100)
    assert answer["body"] == {"a": 1}
    assert answer["read"] == 115
    assert answer["connect"] == 3


class TestWhichGateway:
    def test_a_directory_that_was_named_and_is_not_there_is_an_error(self, tmp_path: Path) -> None:
        ua = Invocation(data_dir=tmp_path / "missing")
        for way in ("gateway", "reader"):
            with pytest.raises(CommandFailed, match="There is no directory") as caught:
                getattr(ua, way)
            assert caught.value.code is ExitCode.USAGE

    def test_an_address_that_was_named_goes_before_the_directory(self, tmp_path: Path) -> None:
        ua = Invocation(data_dir=tmp_path / "missing", url="http://127.0.0.1:1")
        assert ua.gateway.url == "http://127.0.0.1:1"

    @pytest.mark.parametrize("left", [None, "http://127.0.0.1:1\n"])
    def test_nothing_is_asked_of_what_listens_where_no_gateway_has_the_directory(
        self, tmp_path: Path, left: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("expected no request")

        monkeypatch.setattr(httpx.Client, "send", refuse)
        if left is not None:
            (tmp_path / ADDRESS_FILE).write_text(left)
        with pytest.raises(CommandFailed, match=f"none runs on {tmp_path}") as caught:
            Invocation(data_dir=tmp_path).gateway.get("/api/v1/cron/jobs")
        assert caught.value.code is ExitCode.UNREACHABLE

    def test_the_gateway_that_has_the_directory_is_asked_wherever_settings_say_one_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UA_GATEWAY_PORT", "99")
        (tmp_path / ADDRESS_FILE).write_text("http://127.0.0.1:4567\n")
        (tmp_path / "ua.db").touch()
        lock = DataLock(tmp_path / "ua.db")
        try:
            assert Invocation(data_dir=tmp_path).gateway.url == "http://127.0.0.1:4567"
        finally:
            lock.close()
