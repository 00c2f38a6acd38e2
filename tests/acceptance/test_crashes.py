"""A gateway that is killed, stopped, paused: what its operator finds afterwards."""

import json
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess

T = TypeVar("T")


class Operator:
    """Asks a gateway over HTTP."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway

    def add(self, **fields: Any) -> dict[str, Any]:
        """Make a job."""
        job: dict[str, Any] = self._ask("POST", "/api/v1/cron/jobs", json=fields)["job"]
        return job

    def runs(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """The job's runs, oldest first."""
        path = f"/api/v1/cron/jobs/{job['job_id']}/runs?limit=5000"
        runs: list[dict[str, Any]] = self._ask("GET", path)["runs"]
        return runs[::-1]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Every event of a type."""
        page = self._ask("GET", "/api/v1/ops/scheduling/events?limit=5000")
        return [event for event in page["events"] if event["type"] == kind]

    def ledger(self) -> dict[str, Any]:
        return self._ask("GET", "/api/v1/ops/scheduling/ledger")

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        url = f"{self.gateway.base_url}{path}"
        response = httpx.request(method, url, timeout=30, trust_env=False, **more)
        answer: dict[str, Any] = response.raise_for_status().json()
        return answer


@pytest.fixture
def operator(gateway: GatewayProcess) -> Operator:
    return Operator(gateway)


def until(question: Callable[[], T]) -> T:
    """The first answer that is not empty, asked again and again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answer := question()):
        assert time.monotonic() < deadline, f"never came true: {question}"
        time.sleep(0.05)
    return answer


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def slots(runs: list[dict[str, Any]]) -> list[int]:
    return [int(run["scheduled_at"]) for run in runs]


def lag(run: dict[str, Any]) -> float:
    started_at: float = run["started_at"]
    return started_at - float(run["scheduled_at"])


def test_a_gateway_killed_in_the_middle_of_a_run_loses_nothing_and_runs_nothing_twice(
    gateway: GatewayProcess, operator: Operator
) -> None:
    tick = operator.add(command="date >> out.txt", every="2s", runner="shell")
    out = Path(tick["workspace_dir"]) / "out.txt"
    until(lambda: len(lines(out)) >= 3)
    before = [run for run in operator.runs(tick) if run["started_at"]]
    assert {b - a for a, b in pairwise(slots(before))} == {2}
    assert min(map(lag, before)) < 1

    command = "echo begun >> begun; while [ ! -e go ]; do sleep 0.05; done; echo ended > ended"
    long = operator.add(command=command, run_at="now", runner="shell")
    workspace = Path(long["workspace_dir"])
    until((workspace / "begun").exists)
    gateway.kill()
    restarted_at = time.time()
    gateway.start()

    (run,) = operator.runs(long)
    assert run["status"] == "running"
    (workspace / "go").touch()
    until(lambda: [run["status"] for run in operator.runs(long)] == ["success"])
    assert (lines(workspace / "begun"), lines(workspace / "ended")) == (["begun"], ["ended"])

    def ran_on_time() -> list[dict[str, Any]]:
        ended = [run for run in operator.runs(tick) if run["status"] == "success"]
        return [run for run in ended if run["scheduled_at"] > restarted_at and lag(run) < 1]

    until(lambda: len(ran_on_time()) >= 2)
    done = [run for run in operator.runs(tick) if run["status"] == "success"]
    written = len(lines(out))
    begun = [run for run in operator.runs(tick) if run["started_at"]]
    assert len(done) <= written <= len(begun)
    assert len(set(slots(begun))) == len(begun)
    ledger = operator.ledger()
    assert ledger["unaccounted"] == []
    assert ledger["outcomes"]["interrupted"] == 0


def test_slots_that_passed_while_the_process_was_stopped_are_judged_by_their_grace(
    gateway: GatewayProcess, operator: Operator
) -> None:
    job = operator.add(
        command="true", every="1s", runner="shell", misfire_grace_seconds=2, overlap="allow"
    )
    until(lambda: operator.runs(job))
    os.kill(gateway.pid, signal.SIGSTOP)
    stopped_at = time.time()
    until(lambda: time.time() > stopped_at + 7)
    os.kill(gateway.pid, signal.SIGCONT)
    woken_at = time.time()

    (missed,) = until(lambda: operator.events("cron_run_missed"))
    assert missed["data"]["cause"] == "host_suspended"
    first, last = missed["data"]["first_at"], missed["data"]["last_at"]
    assert stopped_at - 2 < first < last < woken_at
    assert missed["data"]["count"] == last - first + 1

    until(lambda: max(slots(operator.runs(job))) > woken_at)
    ran = slots(operator.runs(job))
    assert not set(ran) & set(range(first, last + 1))
    assert last + 1 in ran
    assert len(set(ran)) == len(ran)
    assert operator.ledger()["unaccounted"] == []
    assert re.search(r'"jump": ?"host_suspended"', gateway.log.read_text())


def test_a_database_that_lost_its_end_is_refused_by_name_and_left_as_it_is(
    gateway: GatewayProcess, operator: Operator
) -> None:
    operator.add(command="true", every="1h", runner="shell")
    gateway.stop()
    database = gateway.data_dir / "ua.db"
    database.write_bytes(database.read_bytes()[: database.stat().st_size // 2])
    damaged = database.read_bytes()
    refusal = gateway.ua("serve")
    assert refusal.returncode == 2
    assert "ua.db is not a readable database" in refusal.stderr
    assert database.read_bytes() == damaged


def test_a_notification_that_a_kill_cut_off_from_its_record_is_sent_again_with_the_same_id(
    make_gateway: Callable[..., GatewayProcess],
) -> None:
    ids: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            ids.append(self.headers["webhook-id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        hook = {"name": "hook", "webhook": f"http://127.0.0.1:{receiver.server_port}/"}
        gateway = make_gateway(
            UA_NOTIFY_CHANNELS=json.dumps([hook]), UA_FAILPOINT="before_delivery_commit"
        )
        gateway.start()
        Operator(gateway).add(command="exit 3", every="1s")
        assert gateway.wait() == -signal.SIGKILL
        del gateway.environment["UA_FAILPOINT"]
        gateway.start()
        until(lambda: len(ids) >= 2)
        gateway.stop()
        receiver.shutdown()
        thread.join()
    assert ids[0] == ids[1]
    assert len(set(ids)) == len(ids) - 1
