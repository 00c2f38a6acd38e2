"""Heartbeats of a real gateway: from a file in a workspace to somebody who reads of it."""

import json
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess
from tests.acceptance.test_crashes import until

FAILING = "# All day\n- [ ] disk: `echo 97%; exit 1`\n- [ ] load: `true`\n"


class Session:
    """A session of a gateway, asked about over HTTP."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        made = self.post("/api/v1/sessions")
        self.session_id: str = made["session_id"]
        self.checklist = Path(made["workspace_dir"]) / "HEARTBEAT.md"

    def get(self, path: str) -> dict[str, Any]:
        url = f"{self.gateway.base_url}{path}"
        answer: dict[str, Any] = (
            httpx.get(url, timeout=30, trust_env=False).raise_for_status().json()
        )
        return answer

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        url = f"{self.gateway.base_url}{path}"
        answer: dict[str, Any] = (
            httpx.post(url, json=body, timeout=30, trust_env=False).raise_for_status().json()
        )
        return answer

    def wake(self) -> None:
        self.post("/api/v1/heartbeat/wake", session_id=self.session_id)

    def last_summary(self) -> dict[str, Any]:
        """What its last beat said; empty until it was decided who is told."""
        path = f"/api/v1/heartbeat/last?session_id={self.session_id}"
        summary: dict[str, Any] = self.get(path)["last_summary"] or {}
        return summary if summary.get("sent") or summary.get("suppressed_reason") else {}

    def alerts(self) -> list[dict[str, Any]]:
        """The notifications that are about alerts."""
        found = self.get("/api/v1/dashboard/notifications")["notifications"]
        return [notification for notification in found if notification["kind"] == "alert"]

    def attach(self) -> Generator[dict[str, Any], None, None]:
        """The heartbeat summaries that a new client is sent."""
        url = f"{self.gateway.base_url}/api/v1/sessions/{self.session_id}/stream"
        with connect(url.replace("http", "ws", 1), proxy=None) as client:
            while True:
                message = json.loads(client.recv(PATIENCE_SECONDS))
                if message["type"] == "system_event":
                    assert message["data"]["type"] == "heartbeat_summary"
                    yield message["data"]["payload"]


def test_pitfall_21_an_alert_outlives_a_kill_between_the_end_of_its_beat_and_its_delivery(
    gateway: GatewayProcess,
) -> None:
    session = Session(gateway)
    session.checklist.write_text(FAILING)
    gateway.stop()
    gateway.environment["UA_FAILPOINT"] = "after_finish_commit"
    gateway.start()
    with suppress(httpx.TransportError):  # it may be gone before it has answered
        session.wake()
    assert gateway.wait() == -signal.SIGKILL

    del gateway.environment["UA_FAILPOINT"]
    gateway.start()
    summary = until(session.last_summary)
    assert summary["suppressed_reason"] == "no_connected_targets"
    assert "disk: exit code 1\n    $ echo 97%; exit 1\n    97%" in summary["text"]
    (told,) = until(session.alerts)
    assert told["title"].endswith(": disk")

    assert next(session.attach())["run_id"] == summary["run_id"]
    again = until(lambda: sent(session.last_summary()))
    assert again["suppressed_reason"] is None


def test_a_beat_runs_from_a_file_to_a_client_without_any_model(gateway: GatewayProcess) -> None:
    session = Session(gateway)
    session.checklist.write_text(FAILING)
    client = session.attach()
    session.wake()
    summary = next(client)
    assert (summary["ok_only"], summary["sent"]) == (False, True)
    assert summary["artifacts"]["bash_commands"] == ["echo 97%; exit 1", "true"]
    client.close()

    session.checklist.write_text("- [ ] disk: `true`\n")
    session.wake()
    summary = until(lambda: ok_only(session.last_summary()))
    assert summary["suppressed_reason"] == "ok_suppressed"
    (alert,) = until(lambda: [a for a in session.alerts() if not a["is_open"]])
    assert alert["kind"] == "alert"


def sent(summary: dict[str, Any]) -> dict[str, Any]:
    return summary if summary.get("sent") else {}


def ok_only(summary: dict[str, Any]) -> dict[str, Any]:
    return summary if summary.get("ok_only") else {}


def test_a_check_each_second_is_quiet_while_all_is_well_and_alerts_once_when_it_is_not(
    gateway: GatewayProcess,
) -> None:
    gateway.stop()
    gateway.environment["UA_HEARTBEAT_EVERY"] = "1s"
    gateway.start()
    session = Session(gateway)
    session.checklist.write_text("- [ ] door: `test ! -e open`\n")
    until(lambda: beats(session) > 2)
    assert until(lambda: ok_only(session.last_summary()))["suppressed_reason"] == "ok_suppressed"
    assert session.alerts() == []

    (session.checklist.parent / "open").touch()
    until(session.alerts)
    before = beats(session)
    until(lambda: beats(session) > before + 2)
    (alert,) = session.alerts()
    assert alert["session_id"] == session.session_id
    assert alert["title"].endswith(": door")

    ledger = session.get(f"/api/v1/ops/scheduling/ledger?job_id={session.session_id}")
    assert (ledger["unaccounted"], ledger["expected"] > 5) == ([], True)
    now = session.get("/api/v1/ops/calendar/events?source=heartbeat")
    assert [row["source_ref"] for row in now["always_running"]] == [session.session_id]


def test_a_heartbeat_json_is_in_force_as_soon_as_it_is_written(gateway: GatewayProcess) -> None:
    session = Session(gateway)
    path = f"/api/v1/heartbeat/last?session_id={session.session_id}"
    assert session.get(path)["schedule"]["every_seconds"] == 25 * 60
    (session.checklist.parent / "HEARTBEAT.json").write_text('{"every": "5m"}')
    until(lambda: session.get(path)["schedule"]["every_seconds"] == 5 * 60)


class Outside(BaseHTTPRequestHandler):
    """A site that is checked, and a model that is asked."""

    is_up = True
    reply = "HEARTBEAT_OK"

    def do_GET(self) -> None:
        self.send_response(200 if type(self).is_up else 500)
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for choice in (
            {"delta": {"content": type(self).reply}},
            {"delta": {}, "finish_reason": "stop"},
        ):
            self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def outside() -> Iterator[str]:
    """Its address; all is well at first."""
    Outside.is_up, Outside.reply = True, "HEARTBEAT_OK all is well"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def stays_quiet_then_alerts_once(session: Session, alarm: Callable[[], None]) -> dict[str, Any]:
    """With a client attached from the start; what it is told."""
    heard = session.attach()
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(next, heard)
        until(lambda: beats(session) > 2)
        assert (session.alerts(), first.done()) == ([], False)
        alarm()
        told = first.result(PATIENCE_SECONDS)
        before = beats(session)
        until(lambda: beats(session) > before + 2)
        assert len(session.alerts()) == 1
        assert until(lambda: session.last_summary())["suppressed_reason"] == "dedupe"
        heard.close()
    ledger = session.get(f"/api/v1/ops/scheduling/ledger?job_id={session.session_id}")
    assert (ledger["unaccounted"], ledger["expected"] > 5) == ([], True)
    return told


def test_disk_and_site_are_checked_without_any_model(gateway: GatewayProcess, outside: str) -> None:
    gateway.stop()
    gateway.environment["UA_HEARTBEAT_EVERY"] = "1s"
    gateway.start()
    session = Session(gateway)
    session.checklist.write_text(
        f"- [ ] disk: `df -P /`\n- [ ] site: `curl -fsS -o /dev/null {outside}/`\n"
    )

    def down() -> None:
        Outside.is_up = False

    told = stays_quiet_then_alerts_once(session, down)
    assert "1 of 2 checks needs attention" in told["text"]
    assert (told["ok_only"], told["sent"]) == (False, True)


def test_a_model_is_asked_in_the_same_way(gateway: GatewayProcess, outside: str) -> None:
    gateway.stop()
    gateway.environment |= {
        "UA_HEARTBEAT_EVERY": "1s",
        "UA_AGENT_BASE_URL": f"{outside}/v1",
        "UA_AGENT_MODEL": "any",
    }
    gateway.start()
    session = Session(gateway)
    session.checklist.write_text("- Look at the mail.\n")

    def overflow() -> None:
        Outside.reply = "The inbox overflows. HEARTBEAT_OK"

    told = stays_quiet_then_alerts_once(session, overflow)
    assert told["text"].strip() == "The inbox overflows."


def beats(session: Session) -> int:
    """How many beats of the session have run well, by the calendar."""
    feed = session.get("/api/v1/ops/calendar/events?source=heartbeat&view=day")
    hours = [hour for row in feed["always_running"] for hour in row["hourly"]]
    return sum(hour["counts"].get("success", 0) for hour in hours)
