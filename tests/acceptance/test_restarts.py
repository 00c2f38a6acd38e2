"""Restarts that do not touch work: a drain, signals, and runs that go on without their gateway."""

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import GatewayProcess

#: Runs until the file `go` is in the workspace.
UNTIL_GO = 'echo began; while [ ! -e "$GO" ]; do sleep 0.05; done; echo ended'


def run_job(gateway: GatewayProcess, command: str, **fields: Any) -> str:
    """Add a one-shot job and run it now; returns the run's id once it prints."""
    body = {"command": command, "schedule": "in 1 day", "runner": "shell", **fields}
    made = httpx.post(f"{gateway.base_url}/api/v1/cron/jobs", json=body, trust_env=False)
    job_id = made.json()["job"]["job_id"]
    run = httpx.post(
        f"{gateway.base_url}/api/v1/cron/jobs/{job_id}/run",
        json={"wait_seconds": 0},
        trust_env=False,
    )
    return str(run.json()["run"]["run_id"])


def statuses(gateway: GatewayProcess) -> list[str]:
    """How the runs stand in the database, oldest first."""
    with closing(sqlite3.connect(gateway.data_dir / "ua.db")) as database:
        rows = database.execute("SELECT status FROM runs ORDER BY queued_at, run_id").fetchall()
    return [status for (status,) in rows]


def waiting_gateway(make_gateway: MakeGateway, go: Path, **settings: str) -> GatewayProcess:
    """A gateway whose children see `GO`, the path of a file that lets them end."""
    gateway = make_gateway(UA_CHILD_ENV="GO", GO=str(go), **settings)
    gateway.start()
    return gateway


def test_a_signal_with_a_drain_lets_the_open_run_end(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go", UA_DRAIN_SECONDS="60")
    run_job(gateway, UNTIL_GO)
    gateway.wait_for_output(b"cron_run_started")
    os.kill(gateway.pid, signal.SIGTERM)
    gateway.wait_for_output(b'"drain_began"')
    health = httpx.get(f"{gateway.base_url}/api/v1/health", trust_env=False)
    assert (health.status_code, health.json()["status"]) == (200, "draining")
    (tmp_path / "go").touch()
    assert gateway.wait() == 0
    assert statuses(gateway) == ["success"]


def test_ua_drain_waits_for_the_open_run_and_returns_when_the_gateway_has_stopped(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = run_job(gateway, UNTIL_GO)
    gateway.wait_for_output(b"cron_run_started")
    with gateway.going_on("drain", "--for", "10m") as drain:
        gateway.wait_for_output(b'"drain_began"')
        (tmp_path / "go").touch()
        said, noted = drain.communicate(timeout=60)
    assert drain.returncode == 0
    assert "1 run is open" in said and run_id in said
    assert "the gateway has stopped" in noted
    assert gateway.wait() == 0
    assert statuses(gateway) == ["success"]
