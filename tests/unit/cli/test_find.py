"""Which job or run a name means."""

from typing import Any

import httpx
import pytest

from tests.unit.cli.gateways import gateway_with
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.find import find_job, find_run, zone_of

JOBS = "/api/v1/cron/jobs"
RUNS = "/api/v1/cron/runs"


def job(job_id: str, title: str = "untitled") -> dict[str, Any]:
    return {"job_id": job_id, "title": title, "timezone": "Asia/Tokyo"}


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
    runs = {"runs": [{"run_id": "run_aabb11"}, {"run_id": "run_ccdd22"}]}
    assert find_run(gateway_with({RUNS: runs}), "dd22")["run_id"] == "run_ccdd22"
    assert find_run(gateway_with({RUNS: runs}), "run_aa")["run_id"] == "run_aabb11"
    with pytest.raises(CommandFailed, match="no run 'ee33'"):
        find_run(gateway_with({RUNS: runs}), "ee33")


def test_the_zone_of_a_run_whose_job_is_gone_is_utc() -> None:
    gateway = gateway_with({f"{JOBS}/job_1": {"job": job("job_1")}})
    assert zone_of(gateway, {"job_id": "job_1"}) == "Asia/Tokyo"
    assert zone_of(gateway, {"job_id": "job_2"}) == "UTC"
