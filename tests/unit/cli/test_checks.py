"""What the doctor finds."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from universal_agent import __version__
from universal_agent.channel_settings import ChannelSetting
from universal_agent.cli.checks import Check, examine
from universal_agent.cli.client import Gateway
from universal_agent.settings import Settings

NOW = datetime.fromtimestamp(2_000_000_000, UTC)


def health(**changes: Any) -> dict[str, Any]:
    known = {"status": "healthy", "version": __version__, "timestamp": NOW.isoformat()}
    return {**known, **changes}


def up(**changes: Any) -> httpx.MockTransport:
    """A gateway that says so of its health."""
    return httpx.MockTransport(lambda _: httpx.Response(200, json=health(**changes)))


@httpx.MockTransport
def down(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tmp_path.chmod(0o700)
    return Settings(data_dir=tmp_path)


Examine = Callable[..., dict[str, Check]]


@pytest.fixture
def look(settings: Settings) -> Examine:
    """Makes every check; what was found, by name."""

    def examined(transport: httpx.BaseTransport = down, **changes: Any) -> dict[str, Check]:
        gateway = Gateway("http://gateway", transport=transport)
        found = examine(settings.model_copy(update=changes), gateway, now=NOW)
        return {check.name: check for check in found}

    return examined


def test_an_empty_directory_and_no_gateway_fail_nothing(look: Examine) -> None:
    checks = look()
    assert [name for name, check in checks.items() if check.status == "fail"] == []
    assert checks["gateway"].status == "warn"
    assert checks["gateway"].advice == "Start it with `ua serve`."


def test_an_unhealthy_gateway_fails_with_its_own_reasons(look: Examine) -> None:
    check = look(up(status="unhealthy", reasons=["the disk is full"]))["gateway"]
    assert (check.status, check.detail) == ("fail", "unhealthy: the disk is full")


def test_a_gateway_of_another_version_is_worth_a_look(look: Examine) -> None:
    assert look(up(version="9.9"))["gateway"].status == "warn"


@pytest.mark.parametrize("answer", [{}, [], "text"])
def test_another_program_on_the_port_fails(answer: Any, look: Examine) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    assert "is not a gateway" in look(transport)["gateway"].detail


def test_a_clock_that_disagrees_with_the_gateways_is_worth_a_look(look: Examine) -> None:
    check = look(up(timestamp=(NOW + timedelta(minutes=1)).isoformat()))["clock"]
    assert (check.status, check.detail) == ("warn", "-60 s from the gateway's")


def test_a_database_from_the_future_means_that_the_clock_is_wrong(
    look: Examine, settings: Settings
) -> None:
    import os

    settings.database_path.touch()
    later = (NOW + timedelta(hours=1)).timestamp()
    os.utime(settings.database_path, (later, later))
    assert look()["clock"].status == "fail"


def test_a_token_that_others_can_read_fails(look: Examine, settings: Settings) -> None:
    file = settings.data_dir / "ops_token"
    file.write_text("secret")
    file.chmod(0o640)
    check = look()["token"]
    assert check.status == "fail"
    assert check.advice.startswith(f"chmod 600 {file}")
    file.chmod(0o600)
    assert look(ops_token="secret")["token"].status == "ok"


def test_a_token_that_the_gateway_refuses_fails(look: Examine) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        open_to_all = request.url.path.endswith("/health")
        return httpx.Response(200 if open_to_all else 401, json=health())

    transport = httpx.MockTransport(answer)
    assert look(transport)["token"].detail == "the gateway asks for one"
    assert look(transport, ops_token="old")["token"].detail == "the gateway refuses ours"


def test_a_data_directory_that_others_can_look_into_is_worth_a_look(
    look: Examine, settings: Settings
) -> None:
    settings.data_dir.chmod(0o755)
    check = look()["data"]
    assert (check.status, check.advice) == ("warn", f"chmod 700 {settings.data_dir}")


def test_a_file_where_the_data_directory_should_be_fails(look: Examine, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert look(data_dir=file, database_url=f"sqlite:///{tmp_path}/ua.db")["data"].status == "fail"


def test_a_database_that_is_none_fails_with_what_to_do(look: Examine, settings: Settings) -> None:
    settings.database_path.write_bytes(b"nonsense" * 1000)
    check = look()["database"]
    assert check.status == "fail"
    assert check.advice.startswith("Put a backup in its place")


@pytest.mark.parametrize(("free", "status"), [(50, "fail"), (500, "warn"), (5000, "ok")])
def test_little_space_on_the_disk_is_noticed_before_there_is_none(
    free: int, status: str, look: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shutil import _ntuple_diskusage

    usage = _ntuple_diskusage(2**40, 0, free * 1024 * 1024)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert look()["disk"].status == status


def test_runners_that_cannot_be_loaded_fail(look: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    from universal_agent.errors import StartupError

    def broken(_: Settings) -> None:
        raise StartupError("cannot load the runner 'x'")

    monkeypatch.setattr("universal_agent.cli.checks.load_runners", broken)
    assert look()["runners"].status == "fail"


def test_missing_zone_data_fail(look: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    assert look()["zones"].status == "fail"


class TestAgent:
    @pytest.mark.parametrize(
        ("command", "status", "words"),
        [
            ("no-such-agent -p {prompt}", "fail", "no-such-agent is not on PATH ("),
            ("/no/such/agent {prompt}", "fail", "/no/such/agent does not exist"),
            ("/etc/passwd {prompt}", "fail", "/etc/passwd is not executable"),
            ("./agent {prompt}", "warn", "./agent is looked for in the workspace of each run"),
            ("env FOO=1 nothere {prompt}", "fail", "nothere is not on PATH ("),
            ("env -u FOO -- nothere {prompt}", "fail", "nothere is not on PATH ("),
            ("env PATH=/nowhere sh {prompt}", "fail", "sh is not on PATH (/nowhere)"),
            ("nice -n 5 timeout -k 1 60 nothere {prompt}", "fail", "nothere is not on PATH ("),
            ("env FOO=1 ./agent {prompt}", "warn", "./agent is looked for in the workspace"),
            ("env FOO=1 sh -c {prompt}", "ok", "agent: set up"),
            ("env {prompt}", "ok", "agent: set up"),
            ("sh -c {prompt}", "ok", "agent: set up"),
            ("/bin/sh -c {prompt}", "ok", "agent: set up"),
            ("", "ok", "agent: none set up"),
        ],
    )
    def test_a_program_that_cannot_be_found_is_named(
        self, look: Examine, command: str, status: str, words: str
    ) -> None:
        check = look(agent_command=command)["runners"]
        assert check.status == status
        assert words in check.detail

    def test_a_gateway_that_is_up_is_asked_what_it_sees_itself(self, look: Examine) -> None:
        check = look(up(deployment_profile={"agent": "missing"}))["runners"]
        assert check.status == "fail"
        assert "not found, as the gateway sees it" in check.detail
        found = up(deployment_profile={"agent": "program"})
        check = look(found, agent_command="no-such-agent {prompt}")["runners"]
        assert (check.status, check.detail.split("; ")[1]) == (
            "ok",
            "agent of the gateway: program",
        )


def test_what_the_running_gateway_has_switched_off_is_told_whatever_the_settings_here_say(
    look: Examine,
) -> None:
    profile = {"cron": False, "heartbeat": True, "mock_responses": False}
    check = look(up(deployment_profile=profile))["gateway"]
    assert check.status == "warn"
    assert check.detail.endswith("but cron switched off")
    assert "UA_ENABLE_CRON=0" in check.advice
    on = up(deployment_profile=profile | {"cron": True})
    assert look(on, enable_cron=False)["gateway"].status == "ok"
    mocked = up(deployment_profile=profile | {"cron": True, "mock_responses": True})
    assert "mocked answers" in look(mocked)["gateway"].detail


def test_what_a_start_would_have_switched_off_is_told_while_there_is_no_gateway(
    look: Examine,
) -> None:
    detail = look(enable_cron=False, enable_heartbeat=False)["gateway"].detail
    assert detail.endswith("it would have cron and heartbeat switched off")


def test_data_that_are_missing_fail_with_the_command_that_accepts_it(
    look: Examine, settings: Settings
) -> None:
    (settings.data_dir / "ua.db.mark").write_text("stream 12\n")
    check = look()["database"]
    assert check.status == "fail"
    assert "event 12 was acknowledged" in check.detail
    assert "ua accept-loss" in check.detail


def answering(results: list[dict[str, Any]]) -> httpx.MockTransport:
    """A gateway whose channels answer so."""

    def answer(request: httpx.Request) -> httpx.Response:
        is_check = request.url.path == "/api/v1/notify/channels/check"
        return httpx.Response(200, json={"results": results} if is_check else health())

    return httpx.MockTransport(answer)


def test_the_running_gateway_is_asked_about_its_channels(look: Examine) -> None:
    well = {"channel": "mail", "ok": True, "answer": "a connection was made"}
    ill = {"channel": "hook", "ok": False, "answer": "no connection: refused"}
    assert look(answering([well]))["channels"].status == "ok"
    check = look(answering([well, ill]))["channels"]
    assert (check.status, check.detail) == ("warn", "hook: no connection: refused")
    assert "ua notify test" in check.advice


def test_without_a_gateway_the_channels_of_the_settings_are_connected_to(look: Examine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hook = ChannelSetting(name="hook", webhook=f"http://127.0.0.1:{port}/x")
        assert look(notify_channels=(hook,))["channels"].detail == "hook: a connection was made"
    check = look(notify_channels=(hook,))["channels"]
    assert check.status == "warn"
    assert check.detail.startswith("hook: no connection: ")
