"""`ua job run --wait` behind a proxy that gives up after 50 seconds."""

from typing import Any

import httpx
import pytest
import typer

from tests.unit.cli.gateways import invocation_with
from universal_agent.cli import jobs
from universal_agent.testing import ManualClock

JOB = {"job_id": "j1", "title": "a job", "timezone": "UTC", "schedule": "x"}


def run(status: str) -> dict[str, Any]:
    return {"run": {"run_id": "r1", "status": status}}


@pytest.mark.parametrize("ends_after", [0, 70])
def test_a_long_wait_is_many_short_ones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ends_after: int
) -> None:
    clock = ManualClock()
    waits: list[float] = []

    def started(request: httpx.Request) -> dict[str, Any]:
        import json

        wait = json.loads(request.content)["wait_seconds"]
        waits.append(wait)
        clock.freeze(min(wait, ends_after))
        return run("success" if ends_after <= wait else "running")

    def asked(_: httpx.Request) -> dict[str, Any]:
        return run("success" if clock.monotonic() - began >= ends_after else "running")

    ua = invocation_with(
        {
            "/api/v1/cron/jobs/j1": {"job": JOB},
            "/api/v1/cron/jobs/j1/run": started,
            "/api/v1/cron/runs/r1": asked,
        },
        json=True,
    )
    ua.clock = clock
    began = clock.monotonic()
    monkeypatch.setattr(type(ua), "pause", lambda self, seconds: clock.freeze(seconds))
    monkeypatch.setattr("universal_agent.cli.find.find_job", lambda gateway, name: JOB)
    jobs.run(ua, "j1", wait=120.0)
    assert waits == [40.0]
    assert '"success"' in capsys.readouterr().out


def test_a_run_that_does_not_end_in_time_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    ua = invocation_with(
        {"/api/v1/cron/jobs/j1/run": run("running"), "/api/v1/cron/runs/r1": run("running")},
        json=True,
    )
    ua.clock = clock
    monkeypatch.setattr(type(ua), "pause", lambda self, seconds: clock.freeze(seconds))
    monkeypatch.setattr("universal_agent.cli.find.find_job", lambda gateway, name: JOB)
    with pytest.raises(typer.Exit) as ended:
        jobs.run(ua, "j1", wait=120.0)
    assert ended.value.exit_code == 1
