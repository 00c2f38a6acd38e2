"""`ua serve`: what it says when it starts, and when it cannot."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess


def jobs_of(gateway: GatewayProcess) -> list[str]:
    """The commands of the gateway's jobs."""
    answer = httpx.get(f"{gateway.base_url}/api/v1/cron/jobs", trust_env=False)
    return [job["command"] for job in answer.json()["jobs"]]


def banner_lines(gateway: GatewayProcess, word: str) -> list[str]:
    """The lines of the banner that begin with a word."""
    lines = gateway.log.read_text().splitlines()
    return [line.strip() for line in lines if line.strip().startswith(word)]


def test_the_banner_says_where_the_gateway_is_and_what_it_works_with(
    gateway: GatewayProcess,
) -> None:
    banner = gateway.log.read_text()
    assert f"dashboard  {gateway.base_url}\n" in banner
    assert f"data       {gateway.data_dir}\n" in banner
    assert f"database   {gateway.data_dir / 'ua.db'}\n" in banner
    assert "cron on" in banner
    assert "no token is needed" in banner


def test_every_event_is_a_line_of_the_log_and_so_are_those_of_the_last_moment(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway(UA_WEBHOOK_ALLOW="127.0.0.1")
    gateway.start()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        body = {"command": url, "runner": "http", "schedule": "every 1s"}
        made = httpx.post(f"{gateway.base_url}/api/v1/cron/jobs", json=body, trust_env=False)
        assert made.status_code == 200
        gateway.wait_for_output(b"cron_run_started")
        assert gateway.stop() == 0
    with closing(sqlite3.connect(gateway.data_dir / "ua.db")) as database:
        happened = database.execute("SELECT seq, status FROM events ORDER BY seq").fetchall()
    lines = [line for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    told = [json.loads(line) for line in lines]
    assert [(line["seq"], line["status"]) for line in told if "seq" in line] == happened
    assert "interrupted" in [status for _, status in happened]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_it_and_the_log_says_which(
    gateway: GatewayProcess, number: signal.Signals
) -> None:
    os.kill(gateway.pid, number)
    assert gateway.wait() == 0
    lines = [line for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    stopped_by = [json.loads(line).get("signal") for line in lines]
    assert [name for name in stopped_by if name] == [number.name]


def test_a_misspelt_setting_is_named_with_the_nearest_name(make_gateway: MakeGateway) -> None:
    gateway = make_gateway(UA_CRON_MAX_CONCURENCY="3")
    gateway.start()
    said = "UA_CRON_MAX_CONCURENCY is no setting; did you mean UA_CRON_MAX_CONCURRENCY?"
    assert banner_lines(gateway, "setting") == [f"setting    {said}"]
    assert said in gateway.ua("doctor").stdout


@pytest.mark.parametrize("program", ["ua job add", "curl"])
def test_what_the_banner_offers_can_be_pasted_into_a_shell(
    gateway: GatewayProcess, program: str
) -> None:
    (line,) = banner_lines(gateway, program)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        line,
        shell=True,
        check=True,
        cwd=gateway.folder,
        env={"PATH": path},
        stdout=subprocess.DEVNULL,
        timeout=PATIENCE_SECONDS,
    )
    assert jobs_of(gateway) == ["date >> dates.txt"]


def test_at_a_later_start_the_banner_says_how_many_jobs_there_are(
    gateway: GatewayProcess,
) -> None:
    body = {"command": "true", "schedule": "every 1s", "misfire_grace_seconds": 0}
    made = httpx.post(f"{gateway.base_url}/api/v1/cron/jobs", json=body, trust_env=False)
    assert made.status_code == 200
    gateway.wait_for_output(b"cron_run_completed")
    gateway.kill()
    assert banner_lines(gateway, "jobs") == []
    gateway.start()
    (line,) = banner_lines(gateway, "jobs")
    assert line == "jobs       1, 1 of them enabled"
    assert len(banner_lines(gateway, "ua job add")) == 1, "the first start's alone"


def test_with_json_the_banner_is_one_document(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    gateway.start("--json")
    document = json.loads(gateway.log.read_text().splitlines()[0])
    assert document["url"] == gateway.base_url
    assert document["data_dir"] == str(gateway.data_dir)
    assert document["flags"]["UA_ENABLE_CRON"] is True


def test_commands_find_a_gateway_on_any_free_port_through_its_data_directory(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    gateway.environment.clear()
    gateway.launch("--port", "0", "--json")
    try:
        gateway.wait_for_output(b"\n")
        answer = gateway.ua("doctor", "--json")
        assert gateway.log.read_text().split('"')[3] in answer.stdout
        assert answer.returncode == 0
    finally:
        gateway.kill()


def test_options_go_before_the_environment(make_gateway: MakeGateway) -> None:
    gateway = make_gateway(UA_DATA_DIR="elsewhere")
    gateway.start("--data-dir", ".ua")
    assert (gateway.data_dir / "ua.db").exists()
    assert not (gateway.folder / "elsewhere").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gateway_that_is_told_to_stop_ends_with_zero(
    gateway: GatewayProcess, number: signal.Signals
) -> None:
    os.kill(gateway.pid, number)
    assert gateway.wait() == 0


def test_a_port_in_use_is_one_sentence_and_two(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    with socket.socket() as other:
        other.bind(("127.0.0.1", gateway.port))
        other.listen()
        failed = gateway.ua("serve")
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"ua: cannot listen on 127.0.0.1:{gateway.port} (")
    assert failed.stderr.count("\n") == 1


def test_a_second_gateway_on_the_same_data_is_one_sentence_and_two(
    gateway: GatewayProcess,
) -> None:
    failed = gateway.ua("serve", "--port", "0")
    assert failed.returncode == 2
    assert failed.stderr.startswith(f"ua: Another process (pid {gateway.pid}) uses ")
    assert failed.stderr.count("\n") == 1


def test_a_bad_setting_is_one_sentence_that_names_the_variable_and_two(
    make_gateway: MakeGateway,
) -> None:
    failed = make_gateway(UA_SCHED_PUSH_ENABLED="perhaps").ua("serve")
    assert failed.returncode == 2
    assert failed.stderr.startswith("ua: UA_SCHED_PUSH_ENABLED: expected one of ")
    assert failed.stderr.count("\n") == 1


def test_an_unreadable_database_is_one_sentence_and_two_and_is_left_as_it_is(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    gateway.data_dir.mkdir()
    database = gateway.data_dir / "ua.db"
    database.write_bytes(b"no database at all" * 100)
    failed = gateway.ua("serve")
    assert failed.returncode == 2
    assert "is not a readable database" in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert database.read_bytes().startswith(b"no database at all")


def test_a_data_directory_that_cannot_be_made_is_one_sentence_and_two(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway()
    (gateway.folder / "file").write_text("in the way")
    failed = gateway.ua("serve", "--data-dir", "file/inside")
    assert failed.returncode == 2
    assert failed.stderr.startswith("ua: cannot ")
    assert failed.stderr.count("\n") == 1
