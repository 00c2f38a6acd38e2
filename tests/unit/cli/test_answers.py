"""What commands say about answers that a real gateway seldom gives."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import typer

from tests.unit.cli.gateways import invocation_with
from universal_agent.cli.events import events
from universal_agent.cli.failure import ExitCode
from universal_agent.cli.invocation import Invocation
from universal_agent.cli.jobs import list_jobs
from universal_agent.cli.ledger import ledger
from universal_agent.cli.run_log import follow_job, follow_run, print_log

TAIL = "/api/v1/ops/logs/tail"
RUN = "/api/v1/cron/runs/run_1"


def ledger_document(*unaccounted: str) -> dict[str, Any]:
    return {
        "start_utc": "2026-01-01T00:00:00+00:00",
        "end_utc": "2026-01-02T00:00:00+00:00",
        "expected": 1440,
        "outcomes": {
            "ran": {"success": 1400, "error": 2, "timeout": 0},
            "skipped": {"overlap": 3},
            "missed": {"pending": 5, "deleted": 0},
            "interrupted": 1,
            "in_flight": 0,
        },
        "unaccounted": list(unaccounted),
        "unaccounted_count": len(unaccounted),
    }


def tail(text: str, *, cursor: int, size: int, truncated: bool = False) -> dict[str, Any]:
    return {
        "lines": text.splitlines(),
        "partial": not text.endswith("\n"),
        "cursor": cursor,
        "size": size,
        "truncated": truncated,
    }


def test_slots_without_an_outcome_are_listed_and_the_answer_is_no(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost = [f"cron|job_1|{n}" for n in range(25)]
    ua = invocation_with({"/api/v1/ops/scheduling/ledger": ledger_document(*lost)})
    with pytest.raises(typer.Exit) as ended:
        ledger(ua)
    assert ended.value.exit_code == ExitCode.NO
    text = capsys.readouterr().out
    assert "expected     1,440\n" in text
    assert "ran          1,402  success 1,400, error 2\n" in text
    assert "fail 25 expected slots have no outcome\n  cron|job_1|0\n" in text
    assert text.endswith("  cron|job_1|19\n  and 5 more\n")


def job_document(**given: Any) -> dict[str, Any]:
    return {
        "job_id": "job_1",
        "title": "t",
        "description": "every hour",
        "timezone": "UTC",
        "enabled": True,
        "off_label": None,
        "running": False,
        "next_run_at": 1_800_000_000.0,
        "consecutive_failures": 0,
        **given,
    }


@pytest.mark.parametrize(
    ("given", "state", "failed"),
    [
        ({}, "enabled", ""),
        ({"consecutive_failures": 3}, "failing", "3 in a row"),
        ({"next_run_at": None}, "finished", ""),
        ({"next_run_at": None, "consecutive_failures": 1}, "finished", "1 in a row"),
        ({"next_run_at": None, "running": True}, "running", ""),
        ({"off_label": "auto_paused", "consecutive_failures": 10}, "auto_paused", "10 in a row"),
        ({"enabled": False}, "disabled", ""),
    ],
)
def test_the_list_of_jobs_says_which_fail_and_which_are_finished(
    capsys: pytest.CaptureFixture[str], given: dict[str, Any], state: str, failed: str
) -> None:
    page = {"jobs": [job_document(**given)], "total": 1, "next_cursor": None}
    list_jobs(invocation_with({"/api/v1/cron/jobs": page}))
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split()[1] == state
    assert line.partition("every hour")[2].strip() == failed


def test_a_list_that_was_cut_off_says_so_beside_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = {"jobs": [], "total": 3, "next_cursor": "job_1"}
    list_jobs(invocation_with({"/api/v1/cron/jobs": page}, json=True), limit=1)
    said = capsys.readouterr()
    assert said.err == "ua: these are 1 of 3 jobs; --limit shows more\n"


def test_events_that_are_no_longer_kept_are_never_left_out_in_silence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    replay = {"events": [], "gap": True, "oldest_seq": 900, "has_more": False}
    events(invocation_with({"/api/v1/ops/scheduling/events": replay}), since=1)
    said = capsys.readouterr()
    assert said.err == "ua: events before 900 are no longer kept\n"


def test_a_log_that_is_longer_than_what_is_shown_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ua = invocation_with({TAIL: tail("c\nd\n", cursor=8, size=8, truncated=True)})
    print_log(ua, {"run_id": "run_1"}, lines=2)
    said = capsys.readouterr()
    assert (said.out, said.err) == ("c\nd\n", "ua: these are the last 2 lines\n")


def in_turn(*answers: dict[str, Any]) -> Callable[[httpx.Request], dict[str, Any]]:
    """Gives the answers one after another."""
    waiting = iter(answers)
    return lambda _: next(waiting)


@pytest.fixture
def paces(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, instead of waiting."""
    waited: list[float] = []
    monkeypatch.setattr(Invocation, "pause", lambda _, seconds: waited.append(seconds))
    return waited


def test_what_a_run_prints_as_it_ends_is_not_left_out(
    paces: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run = in_turn(*({"run": {"run_id": "run_1", "status": s}} for s in ("running", "success")))
    log = in_turn(tail("a\nb", cursor=3, size=3), tail("c\n", cursor=5, size=5))
    follow_run(invocation_with({RUN: run, TAIL: log}), {"run_id": "run_1"}, lines=10)
    assert capsys.readouterr().out == "a\nbc\n"
    assert len(paces) == 1


def test_a_long_log_is_read_to_its_end_without_a_pause(
    paces: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run = {"run": {"run_id": "run_1", "status": "success"}}
    log = in_turn(tail("a\n", cursor=2, size=4), tail("b\n", cursor=4, size=4))
    follow_run(invocation_with({RUN: run, TAIL: log}), {"run_id": "run_1"}, lines=1)
    assert capsys.readouterr().out == "a\nb\n"
    assert paces == []


def test_runs_that_came_between_two_looks_are_all_shown_in_order(
    paces: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    class Enough(Exception):
        pass

    ids = [["run_1"], ["run_3", "run_2", "run_1"], ["run_3", "run_2", "run_1"]]
    looks = iter(ids)

    def runs(request: httpx.Request) -> dict[str, Any]:
        found = next(looks, None)
        if found is None:
            raise Enough
        return {"runs": [{"run_id": run_id} for run_id in found]}

    def log(request: httpx.Request) -> dict[str, Any]:
        return tail(request.url.params["run_id"] + "\n", cursor=6, size=6)

    answers: dict[str, Any] = {"/api/v1/cron/jobs/job_1/runs": runs, TAIL: log}
    for name in ("run_1", "run_2", "run_3"):
        answers[f"/api/v1/cron/runs/{name}"] = {"run": {"run_id": name, "status": "success"}}
    with pytest.raises(Enough):
        follow_job(invocation_with(answers), {"job_id": "job_1"}, lines=10)
    assert capsys.readouterr().out == "run_1\nrun_2\nrun_3\n"
