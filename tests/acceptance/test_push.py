"""Push, replay and flags, as a client of a real gateway sees them."""

import json
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess
from tests.conftest import GIVEN

STREAM = "/api/v1/ops/scheduling/stream"
CALENDAR = "/api/v1/ops/calendar/events"
SOAK = Path("src/universal_agent/scripts/scheduling_v2_soak.py").resolve()

#: Kills of the gateway under a reader that must not notice more than a pause: UA_KILLS=20 for more.
KILLS = int(GIVEN.get("UA_KILLS", "4"))


def client(gateway: GatewayProcess) -> httpx.Client:
    return httpx.Client(base_url=gateway.base_url, trust_env=False, timeout=30)


def add_job(gateway: GatewayProcess, **schedule: str) -> str:
    with client(gateway) as http:
        body = {"command": "true", "overlap": "allow", **(schedule or {"every": "1s"})}
        answer = http.post("/api/v1/cron/jobs", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["job"]["job_id"])


def payloads(response: httpx.Response) -> Iterator[tuple[int, dict[str, Any]]]:
    """(id, payload) of every frame, until the stream ends."""
    seq = 0
    for line in response.iter_lines():
        if line.startswith("id: "):
            seq = int(line.removeprefix("id: "))
        elif line.startswith("data: "):
            yield seq, json.loads(line.removeprefix("data: "))


def read_events(gateway: GatewayProcess, last: int, number: int) -> list[int]:
    """The seqs of the next `number` events after `last`, by the browser's own header."""
    found: list[int] = []
    headers = {"Last-Event-ID": str(last)}
    with client(gateway) as http, http.stream("GET", STREAM, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for seq, payload in payloads(response):
            assert payload["kind"] != "reset", payload
            if payload["kind"] == "event":
                found.append(seq)
            if len(found) == number:
                break
    return found


@pytest.mark.timeout(60 + 30 * KILLS)
def test_a_client_that_reconnects_across_kills_sees_every_seq_once_and_in_order(
    gateway: GatewayProcess,
) -> None:
    add_job(gateway)
    seen: list[int] = []
    for _ in range(KILLS):
        seen += read_events(gateway, seen[-1] if seen else 0, 3)
        gateway.kill()
        gateway.start()
    seen += read_events(gateway, seen[-1], 3)

    assert seen == list(range(1, len(seen) + 1))


def test_rows_that_come_with_events_keep_a_fetched_calendar_current(
    gateway: GatewayProcess,
) -> None:
    for _ in range(3):
        add_job(gateway, run_at="in 2 hours")
    with client(gateway) as http:
        held = http.get(CALENDAR).json()
        rows = {row["event_id"]: row for row in held["events"]}
        for event_id in rows:
            early = http.post(f"{CALENDAR}/{quote(event_id)}/exception", json={"run_early": True})
            assert early.is_success, early.text
        place = {"since_seq": held["version"]}
        running = set(rows)
        with http.stream("GET", STREAM, params=place) as response:
            for _, payload in payloads(response):
                if payload["kind"] == "event":
                    event = payload["event"]
                    for row in event["data"]["rows"]:
                        rows[row["event_id"]] = rows[row["event_id"]] | row
                    if event["type"] == "cron_run_completed":
                        running.remove(event["data"]["run"]["event_id"])
                if not running:
                    break
        replay = http.get("/api/v1/ops/scheduling/events", params=place).json()
        present = http.get(CALENDAR).json()

    assert {row["status"] for row in held["events"]} == {"scheduled"}
    assert {row["status"] for row in present["events"]} == {"success"}
    assert list(rows.values()) == present["events"]
    assert all("rows" in event["data"] for event in replay["events"])


def test_a_log_whose_beginning_was_forgotten_says_so_and_is_verified_as_before(
    make_gateway: MakeGateway,
) -> None:
    gateway = make_gateway(UA_EVENT_RETENTION_DAYS="30")
    gateway.start()
    for _ in range(3):
        add_job(gateway, every="24h")
    with client(gateway) as http:
        before = http.get(CALENDAR).json()
    gateway.stop()
    with closing(sqlite3.connect(gateway.data_dir / "ua.db")) as database, database:
        database.execute("UPDATE events SET timestamp = timestamp - 31 * 86400 WHERE seq <= 2")
    gateway.start()
    gateway.wait_for_output(b"events_forgotten")

    with client(gateway) as http:
        replay = http.get("/api/v1/ops/scheduling/events", params={"since_seq": 1}).json()
        behind = http.get(STREAM, params={"since_seq": 1, "once": 1}).text
        at_the_edge = http.get(STREAM, params={"since_seq": 2, "once": 1}).text
        after = http.get(CALENDAR).json()
    assert (replay["gap"], replay["oldest_seq"], len(replay["events"])) == (True, 3, 1)
    assert '"kind":"reset","reason":"gap"' in behind
    assert at_the_edge.startswith("id: 3\n")
    assert after["events"] == before["events"]
    for command in ("verify", "rebuild"):
        done = gateway.ua("projection", command)
        assert done.returncode == 0, done.stderr


def test_switching_push_off_ends_open_streams_and_replay_goes_on(
    gateway: GatewayProcess,
) -> None:
    add_job(gateway, every="1h")
    with client(gateway) as http:
        with http.stream("GET", STREAM, params={"since_seq": 0}) as response:
            frames = payloads(response)
            assert next(frames)[1]["kind"] == "event"
            changed = http.patch("/api/v1/ops/flags", json={"UA_SCHED_PUSH_ENABLED": "0"})
            rest = list(frames)
        refused = http.get(STREAM, params={"once": 1})
        replay = http.get("/api/v1/ops/scheduling/events").json()
        config = http.get("/config").json()

    assert changed.json()["flags"]["UA_SCHED_PUSH_ENABLED"]["source"] == "override"
    assert all(payload["kind"] in ("heartbeat", "event") for _, payload in rest)
    assert refused.status_code == 503
    assert "Scheduling push stream disabled." in refused.json()["detail"]
    assert [event["type"] for event in replay["events"]] == ["cron_job_created", "flag_changed"]
    assert config["sched_push_enabled"] is False


def test_a_client_that_does_not_read_is_held_little_for(gateway: GatewayProcess) -> None:
    with socket.socket() as stuck, client(gateway) as http:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.connect(("127.0.0.1", gateway.port))
        stuck.sendall(f"GET {STREAM}?since_seq=0 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        command = "echo " + 30_000 * "x"
        for number in range(100):
            body = {"command": command, "every": "24h", "title": f"job {number}"}
            assert http.post("/api/v1/cron/jobs", json=body).is_success
        counters = http.get("/api/v1/ops/metrics/scheduling-runtime").json()["metrics"]["counters"]

    assert 0 < counters["push_stream_event_payloads"] < 60  # of 100 with 30 kB each


def test_a_gateway_with_an_open_stream_stops_at_once(gateway: GatewayProcess) -> None:
    with client(gateway) as http, http.stream("GET", STREAM) as response:
        frames = payloads(response)
        next(frames)
        assert gateway.stop() == 0
        with suppress(httpx.TransportError):
            assert list(frames) == []


def test_the_soak_finds_a_sound_gateway_sound_and_writes_it_down(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    add_job(gateway)
    report = tmp_path / "reviews" / "short.json"

    soak = run_soak(gateway, report)

    assert soak.returncode == 0, soak.stdout + soak.stderr
    printed = json.loads(soak.stdout)
    summary = json.loads(report.read_text())["summary"]
    status = json.loads((report.parent / "short.status.json").read_text())
    assert printed["all_checks_ok"] is True
    assert summary["total_fail"] == 0
    assert set(summary["by_endpoint"]) == {
        "health",
        "scheduling_runtime_metrics",
        "session_continuity_metrics",
        "calendar_events",
        "scheduling_replay",
        "scheduling_stream_once",
        "ledger",
    }
    assert status["running"] is False


def test_the_soak_fails_when_a_check_fails(make_gateway: MakeGateway, tmp_path: Path) -> None:
    gateway = make_gateway(UA_SCHED_PUSH_ENABLED="0")
    gateway.start()

    soak = run_soak(gateway, tmp_path / "short.json")

    assert soak.returncode == 1
    summary = json.loads((tmp_path / "short.json").read_text())["summary"]
    assert summary["by_endpoint"]["scheduling_stream_once"]["fail"] == summary["cycles"]


def run_soak(gateway: GatewayProcess, report: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            str(SOAK),
            *("--base-url", gateway.base_url),
            *("--duration-seconds", "2", "--interval-seconds", "1"),
            *("--timeout-seconds", "6", "--out-json", str(report)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
