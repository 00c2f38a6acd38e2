"""Restarts that do not touch work: a drain, signals, and runs that go on without their gateway."""

import os
import signal
import sqlite3
import ssl
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import MakeGateway
from tests.acceptance.gateway import PATIENCE_SECONDS, GatewayProcess

#: Nothing is asked over TLS, so no certificates are read.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

#: Runs until the file `go` is in the workspace.
UNTIL_GO = 'echo began; while [ ! -e "$GO" ]; do sleep 0.05; done; echo ended'


def run_job(gateway: GatewayProcess, command: str, **fields: Any) -> str:
    """Add a one-shot job and run it now; returns the run's id once it prints."""
    body = {"command": command, "schedule": "in 1 day", "runner": "shell", **fields}
    made = httpx.post(
        f"{gateway.base_url}/api/v1/cron/jobs", json=body, trust_env=False, verify=NO_TLS
    )
    job_id = made.json()["job"]["job_id"]
    run = httpx.post(
        f"{gateway.base_url}/api/v1/cron/jobs/{job_id}/run",
        json={"wait_seconds": 0},
        trust_env=False,
        verify=NO_TLS,
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
    health = httpx.get(f"{gateway.base_url}/api/v1/health", trust_env=False, verify=NO_TLS)
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


RUNS = 20

#: Prints before and after the file `go` is there, and what it is.
PRINTING = f'echo "$UA_RUN_ID $UA_ATTEMPT" >> "$DONE"; {UNTIL_GO}; echo "$UA_RUN_ID"'


def get(gateway: GatewayProcess, path: str) -> Any:
    return httpx.get(f"{gateway.base_url}/api/v1{path}", trust_env=False, verify=NO_TLS).json()


def wait_for(holds: Callable[[], bool], gateway: GatewayProcess) -> None:
    """Return when it holds. Raises AssertionError, with the gateway's log, if it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, gateway.log.read_text()[-5000:]
        time.sleep(0.05)


def children_of(gateway: GatewayProcess, run_id: str) -> list[int]:
    """The processes that have the run's id in their environment."""
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            if path.name.isdecimal() and f"UA_RUN_ID={run_id}".encode() in (
                path / "environ"
            ).read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found


def begun_job(gateway: GatewayProcess, command: str, **fields: Any) -> str:
    """The same as `run_job`, once a process of the run is there."""
    run_id = run_job(gateway, command, **fields)
    wait_for(lambda: bool(children_of(gateway, run_id)), gateway)
    return run_id


def keeper_of(pid: int) -> int:
    """The parent of a run's first process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_twenty_runs_go_on_over_a_stop_a_kill_and_a_restart(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    gateway = make_gateway(
        UA_CHILD_ENV="GO DONE",
        GO=str(tmp_path / "go"),
        DONE=str(done),
        UA_CRON_MAX_CONCURRENCY=str(RUNS),
    )
    gateway.start()
    run_ids = [run_job(gateway, PRINTING) for _ in range(RUNS)]
    wait_for(lambda: done.exists() and len(done.read_text().splitlines()) == RUNS, gateway)
    assert gateway.stop() == 0
    gateway.start()
    gateway.kill()
    gateway.start()
    gateway.restart()
    assert statuses(gateway) == ["running"] * RUNS
    (tmp_path / "go").touch()
    wait_for(lambda: "running" not in statuses(gateway), gateway)
    assert statuses(gateway) == ["success"] * RUNS
    assert sorted(done.read_text().splitlines()) == sorted(f"{run_id} 1" for run_id in run_ids)
    for run_id in run_ids:
        tail = get(gateway, f"/ops/logs/tail?run_id={run_id}")
        assert tail["lines"] == ["began", "ended", run_id]
    wait_for(lambda: list((gateway.data_dir / "keepers").iterdir()) == [], gateway)
    assert get(gateway, "/ops/scheduling/ledger")["unaccounted_count"] == 0


def test_a_run_that_ends_while_no_gateway_is_there_has_its_own_outcome(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, f"{UNTIL_GO}; exit 3")
    gateway.kill()
    (tmp_path / "go").touch()
    wait_for(lambda: not children_of(gateway, run_id), gateway)
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["error"], gateway)
    run = get(gateway, f"/cron/runs/{run_id}")["run"]
    assert (run["exit_code"], run["error"]) == (3, "exit code 3; last line: ended")


def test_a_run_that_is_rate_limited_while_no_gateway_is_there_opens_the_cooldown(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    command = f'{UNTIL_GO}; echo UA_RETRY_AFTER=600 > "$UA_OUTCOME_FILE"; exit 75'
    run_id = begun_job(gateway, command, resources=["model"])
    gateway.kill()
    (tmp_path / "go").touch()
    wait_for(lambda: not children_of(gateway, run_id), gateway)
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["error"], gateway)
    assert get(gateway, f"/cron/runs/{run_id}")["run"]["end_class"] == "rate_limited"
    (cooldown,) = get(gateway, "/ops/resources")["resources"]
    assert (cooldown["resource"], cooldown["cause"]) == ("model", "rate_limited")


@pytest.mark.parametrize(
    "record",
    [
        "{}",
        "null",
        "not JSON",
        '{"run_id": "run_of_another", "code": 0, "over_limit": false, "cut": false}',
        '{"run_id": "RUN", "code": 4096, "over_limit": false, "cut": false}',
        '{"run_id": "RUN", "code": true, "over_limit": false, "cut": false}',
        "[" * 2000,
    ],
)
def test_an_exit_record_that_no_keeper_writes_is_not_believed(
    make_gateway: MakeGateway, tmp_path: Path, record: str
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, "exec sleep 600")
    (child,) = children_of(gateway, run_id)
    gateway.kill()
    (folder,) = (gateway.data_dir / "keepers").iterdir()
    os.kill(keeper_of(child), signal.SIGKILL)
    os.kill(child, signal.SIGKILL)
    (folder / "exit").write_text(record.replace("RUN", run_id))
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["interrupted"], gateway)


def test_a_second_signal_ends_the_drain_and_the_run_goes_on(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go", UA_DRAIN_SECONDS="600")
    run_job(gateway, UNTIL_GO)
    gateway.wait_for_output(b"cron_run_started")
    os.kill(gateway.pid, signal.SIGTERM)
    gateway.wait_for_output(b'"drain_began"')
    os.kill(gateway.pid, signal.SIGTERM)
    assert gateway.wait() == 0
    assert statuses(gateway) == ["running"]
    (tmp_path / "go").touch()
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["success"], gateway)


def test_an_adopted_run_can_be_cancelled_and_all_its_processes_end(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = run_job(gateway, "setsid sleep 600 & sleep 600")
    wait_for(lambda: len(children_of(gateway, run_id)) >= 3, gateway)
    gateway.kill()
    gateway.start()
    answer = httpx.post(
        f"{gateway.base_url}/api/v1/cron/runs/{run_id}/cancel", trust_env=False, verify=NO_TLS
    )
    assert answer.is_success
    wait_for(lambda: statuses(gateway) == ["cancelled"], gateway)
    assert children_of(gateway, run_id) == []


def test_the_time_limit_of_an_adopted_run_counts_from_its_start(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, "echo began; sleep 600", timeout_seconds=3)
    gateway.restart()
    wait_for(lambda: statuses(gateway) == ["timeout"], gateway)
    run = get(gateway, f"/cron/runs/{run_id}")["run"]
    assert run["error"] == "stopped after its limit of 3 s; last line: began"
    assert children_of(gateway, run_id) == []


def test_a_keeper_keeps_the_time_limit_though_no_gateway_comes_back(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = run_job(gateway, "setsid sleep 600 & sleep 600", timeout_seconds=2)
    wait_for(lambda: len(children_of(gateway, run_id)) >= 3, gateway)
    gateway.kill()
    wait_for(lambda: not children_of(gateway, run_id), gateway)
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["timeout"], gateway)


@pytest.mark.parametrize("is_up", [True, False])
def test_a_run_is_interrupted_only_when_its_keeper_has_died(
    make_gateway: MakeGateway, tmp_path: Path, *, is_up: bool
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, "exec sleep 600")
    (child,) = children_of(gateway, run_id)
    if not is_up:
        gateway.kill()
    os.kill(keeper_of(child), signal.SIGKILL)
    if not is_up:
        gateway.start()
    wait_for(lambda: statuses(gateway) == ["interrupted"], gateway)
    assert children_of(gateway, run_id) == []


def test_a_run_in_execution_at_two_crashes_is_ended_and_told(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, "exec sleep 600", retry_interrupted=True)
    gateway.kill()
    gateway.start()
    assert statuses(gateway) == ["running"]
    gateway.kill()
    gateway.start()
    assert statuses(gateway) == ["interrupted"]
    assert children_of(gateway, run_id) == []
    wait_for(lambda: bool(get(gateway, "/dashboard/notifications")["notifications"]), gateway)
    kinds = [
        (notification["kind"], notification["severity"])
        for notification in get(gateway, "/dashboard/notifications")["notifications"]
    ]
    assert kinds == [("crash_loop", "error")]


#: Says something every tenth of a second, or touches its progress file.
TALKS = 'while [ ! -e "$GO" ]; do echo on; sleep 0.1; done'
TOUCHES = 'while [ ! -e "$GO" ]; do touch "$UA_PROGRESS"; sleep 0.1; done'


def test_a_silent_run_is_stopped_over_a_restart_and_those_with_signs_of_life_are_not(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    alive = [run_job(gateway, command, idle_timeout_seconds=4) for command in (TALKS, TOUCHES)]
    silent = run_job(gateway, "echo began; exec sleep 600", idle_timeout_seconds=4)
    wait_for(lambda: all(children_of(gateway, run_id) for run_id in (*alive, silent)), gateway)
    gateway.restart()
    shown = get(gateway, f"/cron/runs/{alive[1]}")["run"]
    assert shown["status"] == "running"
    wait_for(
        lambda: get(gateway, f"/cron/runs/{alive[1]}")["run"]["last_sign_of_life"] == "progress",
        gateway,
    )
    wait_for(lambda: get(gateway, f"/cron/runs/{silent}")["run"]["status"] == "stalled", gateway)
    run = get(gateway, f"/cron/runs/{silent}")["run"]
    assert run["error"].startswith("stopped: no sign of life for 4 s (the last: output at ")
    assert run["error"].endswith("; last line: began")
    assert children_of(gateway, silent) == []
    for run_id in alive:
        assert get(gateway, f"/cron/runs/{run_id}")["run"]["status"] == "running"
    (tmp_path / "go").touch()
    wait_for(lambda: sorted(statuses(gateway)) == ["stalled", "success", "success"], gateway)


def test_a_run_that_was_silent_while_no_gateway_was_there_is_stopped_by_the_next_one(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    run_id = begun_job(gateway, "echo began; exec sleep 600", idle_timeout_seconds=3)
    gateway.kill()
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["stalled"], gateway)
    assert children_of(gateway, run_id) == []


def test_output_over_the_bound_is_cut_in_the_middle_and_the_end_is_right_over_a_restart(
    make_gateway: MakeGateway, tmp_path: Path
) -> None:
    gateway = waiting_gateway(make_gateway, tmp_path / "go")
    size = 48 * 1024 * 1024
    command = f"echo first; head -c {size} /dev/zero | tr '\\0' x; echo; {UNTIL_GO}; exit 7"
    run_id = begun_job(gateway, command)
    gateway.kill()
    (tmp_path / "go").touch()
    wait_for(lambda: not children_of(gateway, run_id), gateway)
    kept = sum(path.stat().st_size for path in (gateway.data_dir / "keepers" / run_id).iterdir())
    assert kept < size / 1.5
    gateway.start()
    wait_for(lambda: statuses(gateway) == ["error"], gateway)
    run = get(gateway, f"/cron/runs/{run_id}")["run"]
    assert (run["exit_code"], run["error"]) == (7, "exit code 7; last line: ended")
    assert run["output_preview"].startswith("first\n")
    log = next((gateway.data_dir / "runs").rglob(f"{run_id}.log"))
    assert log.stat().st_size < 8 * 1024 * 1024
