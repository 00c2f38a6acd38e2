"""Which job or run a name means."""

from typing import Any

import httpx
import pytest

from tests.unit.cli.gateways import gateway_with
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.find import (
    find_beating_session,
    find_job,
    find_job_history,
    find_run,
    latest_slot,
    zone_of,
)

JOBS = "/api/v1/cron/jobs"
RUNS = "/api/v1/cron/runs"
EVENTS = "/api/v1/ops/scheduling/events"


def job(job_id: str, title: str = "untitled") -> dict[str, Any]:
    return {"job_id": job_id, "title": title, "timezone": "Asia/Tokyo"}


def replay(*runs: dict[str, Any]) -> dict[str, Any]:
    return {"event_bus_seq": 9, "events": [{"data": {"run": run}} for run in runs]}


def page(*jobs: dict[str, Any]) -> dict[str, Any]:
    return {"jobs": list(jobs), "next_cursor": None}


def test_a_whole_id_is_asked_for_by_itself() -> None:
    assert find_job(gateway_with({f"{JOBS}/job_1": {"job": job("job_1")}}), "job_1")["job_id"]


@pytest.mark.parametrize("name", ["job_aa", "bb11", "backup"])
def test_either_end_of_an_id_and_an_exact_title_are_found(name: str) -> None:
    jobs = page(job("job_aabb11", "backup"), job("job_ccdd22", "backup of backups"))
    assert find_job(gateway_with({JOBS: jobs}), name)["job_id"] == "job_aabb11"


def test_every_page_is_looked_at() -> None:
    def answer(request: httpx.Request) -> dict[str, Any]:
        if "cursor" in request.url.params:
            return page(job("job_2", "second"))
        return {"jobs": [job("job_1", "first")], "next_cursor": "job_1"}

    assert find_job(gateway_with({JOBS: answer}), "second")["job_id"] == "job_2"


def test_a_title_that_is_another_jobs_id_does_not_hide_that_job() -> None:
    jobs = page(job("job_1", "job_2"), job("job_2"))
    answers = {JOBS: jobs, f"{JOBS}/job_2": {"job": job("job_2")}}
    assert find_job(gateway_with(answers), "job_2")["job_id"] == "job_2"


def test_many_candidates_are_refused_with_the_first_few() -> None:
    jobs = page(*(job(f"job_a{n}", "same") for n in range(7)))
    with pytest.raises(CommandFailed) as refused:
        find_job(gateway_with({JOBS: jobs}), "same")
    assert refused.value.code is ExitCode.USAGE
    assert "means 7 jobs: job_a0 (same), " in refused.value.message
    assert refused.value.message.endswith("job_a4 (same) and 2 more. Give more of the id.")


@pytest.mark.parametrize("name", ["", "nobody", "job_none"])
def test_what_means_no_job_is_not_found(name: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        find_job(gateway_with({JOBS: page(job("job_1"))}), name)
    assert refused.value.code is ExitCode.CONFLICT


def test_a_run_is_found_by_either_end_among_the_latest() -> None:
    ids = ("run_aabb11", "run_ccdd22")
    one = {f"{RUNS}/{run_id}": {"run": {"run_id": run_id}} for run_id in ids}
    runs = {"runs": [{"run_id": run_id} for run_id in ids]}
    answers: dict[str, Any] = {RUNS: runs, **one, EVENTS: replay()}
    assert find_run(gateway_with(answers), "dd22")["run_id"] == "run_ccdd22"
    assert find_run(gateway_with(answers), "run_aa")["run_id"] == "run_aabb11"
    with pytest.raises(CommandFailed, match="no run 'ee33'"):
        find_run(gateway_with(answers), "ee33")


def test_a_run_of_a_beat_is_found_by_the_end_of_its_id() -> None:
    beat = {"run_id": "run_beat77"}
    answers: dict[str, Any] = {
        RUNS: {"runs": []},
        f"{RUNS}/run_beat77": {"run": beat},
        EVENTS: replay(beat, beat),
    }
    assert find_run(gateway_with(answers), "beat77")["run_id"] == "run_beat77"


def test_an_event_id_means_the_latest_run_of_its_slot() -> None:
    runs = [{"run_id": f"run_{n}", "event_id": f"cron|job_1|{n // 2}"} for n in (5, 4, 3, 2)]
    gateway = gateway_with({f"{JOBS}/job_1/runs": {"runs": runs}})
    assert find_run(gateway, "cron|job_1|1")["run_id"] == "run_3"
    with pytest.raises(CommandFailed, match=r"No run of the slot 'cron\|job_1\|9' is known"):
        find_run(gateway, "cron|job_1|9")


@pytest.mark.parametrize("name", ["cron|job_1|1800000000", "run_7"])
def test_an_event_id_and_a_run_id_mean_their_job(name: str) -> None:
    answers = {
        f"{JOBS}/job_1": {"job": job("job_1")},
        f"{RUNS}/run_7": {"run": {"run_id": "run_7", "job_id": "job_1"}},
    }
    assert find_job(gateway_with(answers), name)["job_id"] == "job_1"


def test_an_exact_title_wins_over_a_part_of_another_jobs_id() -> None:
    jobs = page(job("job_aa10", "Job 10"), job("job_bb20", "Job 1"), job("job_cc30", "10"))
    assert find_job(gateway_with({JOBS: jobs}), "Job 1")["job_id"] == "job_bb20"
    assert find_job(gateway_with({JOBS: jobs}), "10")["job_id"] == "job_cc30"


@pytest.mark.parametrize("name", ["job_gone1", "gone1"])
def test_the_history_of_a_deleted_job_is_found_by_its_id_and_by_a_part_of_it(name: str) -> None:
    runs = {"runs": [{"run_id": "run_1", "job_id": "job_gone1"}]}
    answers = {JOBS: page(), RUNS: runs, f"{JOBS}/job_gone1/runs": runs}
    assert find_job_history(gateway_with(answers), name)["job_id"] == "job_gone1"
    with pytest.raises(CommandFailed, match="There is no job 'other'"):
        find_job_history(gateway_with(answers), "other")


def test_a_session_is_found_by_a_part_of_its_id_and_by_the_event_id_of_a_beat() -> None:
    beats: dict[str, Any] = {"heartbeats": {"ses_aa11": {}, "ses_bb22": {}}}

    def answer(request: httpx.Request) -> dict[str, Any]:
        one: dict[str, Any] = beats["heartbeats"].get(request.url.params.get("session_id"), beats)
        return one

    gateway = gateway_with({"/api/v1/heartbeat/last": answer})
    for name in ("ses_bb22", "bb22", "heartbeat|ses_bb22|1800000000"):
        assert find_beating_session(gateway, name) == "ses_bb22", name
    with pytest.raises(CommandFailed, match="'ses' means 2 sessions: ses_aa11, ses_bb22"):
        find_beating_session(gateway, "ses")


def test_the_zone_of_a_run_whose_job_is_gone_is_utc() -> None:
    gateway = gateway_with({f"{JOBS}/job_1": {"job": job("job_1")}})
    assert zone_of(gateway, {"job_id": "job_1"}) == "Asia/Tokyo"
    assert zone_of(gateway, {"job_id": "job_2"}) == "UTC"


def test_the_latest_slot_of_a_job_is_one_that_waits_else_that_of_its_latest_run() -> None:
    runs: list[dict[str, Any]] = [
        {"run_id": "run_9", "event_id": None},
        {"run_id": "run_8", "event_id": "cron|job_1|8"},
    ]
    waits: dict[str, Any] = {"event_id": "cron|job_1|5", "event": {"source_ref": "job_1"}}
    answers: dict[str, Any] = {
        f"{JOBS}/job_1": {"job": job("job_1")},
        f"{JOBS}/job_1/runs": {"runs": runs},
        "/api/v1/ops/stasis": {"stasis_queue": []},
        **{f"{RUNS}/{run['run_id']}": {"run": run} for run in runs},
    }
    assert latest_slot(gateway_with(answers), "job_1") == "cron|job_1|8"
    assert latest_slot(gateway_with(answers), "run_8") == "cron|job_1|8"
    assert latest_slot(gateway_with(answers), "cron|job_1|7") == "cron|job_1|7"
    with pytest.raises(CommandFailed, match="started by hand"):
        latest_slot(gateway_with(answers), "run_9")
    answers["/api/v1/ops/stasis"] = {"stasis_queue": [waits]}
    assert latest_slot(gateway_with(answers), "job_1") == "cron|job_1|5"


def test_a_session_goes_by_the_name_of_its_folder() -> None:
    beats = {"heartbeats": {"ses_aa11": {"workspace_dir": "watch"}, "ses_bb22": {}}}
    gateway = gateway_with({"/api/v1/heartbeat/last": beats})
    assert find_beating_session(gateway, "watch") == "ses_aa11"
