"""A client that got no answer sends its request again, and must get the answer to the first."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from universal_agent.api.app import create_app
from universal_agent.domain.job_draft import JobDraft
from universal_agent.errors import Conflict, LimitReached
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store.values import Once
from universal_agent.testing import ManualClock

TIDY = {"command": "true", "run_at": "in 5 minutes", "runner": "shell"}


@pytest.fixture
async def runtime(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Runtime]:
    """A running product with room for two jobs."""
    runtime = Runtime(Settings(data_dir=tmp_path / "data", max_jobs=2), clock=clock)
    await runtime.start()
    yield runtime
    await runtime.stop()


def once(key: str, fingerprint: str = "the request") -> Once:
    return Once(key=key, fingerprint=fingerprint)


async def test_a_one_shot_whose_time_has_passed_meanwhile_is_answered_with_its_job(
    runtime: Runtime, clock: ManualClock
) -> None:
    run_at = int(clock.now().timestamp()) + 60
    fields = TIDY | {"run_at": run_at}
    made = await runtime.jobs.create(JobDraft.of(fields), once=once("k"))
    clock.step(3600)
    again = await runtime.jobs.create(JobDraft.of(fields), once=once("k"))
    assert again.job_id == made.job_id


async def test_a_request_that_made_the_last_job_is_not_refused_for_lack_of_room(
    runtime: Runtime,
) -> None:
    await runtime.jobs.create(JobDraft.of(TIDY))
    made = await runtime.jobs.create(JobDraft.of(TIDY), once=once("k"))
    with pytest.raises(LimitReached):
        await runtime.jobs.create(JobDraft.of(TIDY))
    again = await runtime.jobs.create(JobDraft.of(TIDY), once=once("k"))
    assert again.job_id == made.job_id


async def test_a_deleted_job_makes_room_for_another(runtime: Runtime) -> None:
    first = await runtime.jobs.create(JobDraft.of(TIDY))
    await runtime.jobs.create(JobDraft.of(TIDY))
    await runtime.jobs.delete(first.job_id)
    await runtime.jobs.create(JobDraft.of(TIDY))
    with pytest.raises(LimitReached):
        await runtime.jobs.create(JobDraft.of(TIDY))


async def test_a_key_belongs_to_one_request_alone(runtime: Runtime) -> None:
    await runtime.jobs.create(JobDraft.of(TIDY), once=once("k"))
    with pytest.raises(Conflict, match="another request"):
        await runtime.jobs.create(JobDraft.of(TIDY), once=once("k", "another"))


async def test_a_key_whose_job_was_deleted_makes_no_second_one(runtime: Runtime) -> None:
    made = await runtime.jobs.create(JobDraft.of(TIDY), once=once("k"))
    await runtime.jobs.delete(made.job_id)
    with pytest.raises(Conflict, match="deleted since"):
        await runtime.jobs.create(JobDraft.of(TIDY), once=once("k"))


@pytest.fixture
async def client(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def a_daily_slot(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/v1/cron/jobs", json={"every": "1d", "command": "true"})
    job = made.json()["job"]
    return f"/api/v1/ops/calendar/events/cron|{job['job_id']}|{int(job['next_run_at'])}"


def key(word: str) -> dict[str, str]:
    return {"Idempotency-Key": word}


async def test_a_decision_that_is_sent_again_is_answered_as_the_first_time(
    client: httpx.AsyncClient,
) -> None:
    path = await a_daily_slot(client) + "/exception"
    first = await client.post(path, json={"skip": True}, headers=key("k"))
    again = await client.post(path, json={"skip": True}, headers=key("k"))
    without = await client.post(path, json={"skip": True})
    assert first.status_code == 200
    assert (again.status_code, again.content) == (200, first.content)
    assert without.status_code == 409


async def test_a_key_is_refused_for_another_decision(client: httpx.AsyncClient) -> None:
    path = await a_daily_slot(client) + "/exception"
    await client.post(path, json={"skip": True}, headers=key("k"))
    other = await client.post(path, json={"run_early": True}, headers=key("k"))
    assert other.status_code == 409
    assert other.json()["field"] == "Idempotency-Key"


async def test_a_request_that_was_refused_leaves_its_key_free(client: httpx.AsyncClient) -> None:
    path = await a_daily_slot(client) + "/exception"
    refused = await client.post(path, json={"move_to": "yesterday"}, headers=key("k"))
    assert refused.status_code == 400
    assert (await client.post(path, json={"skip": True}, headers=key("k"))).status_code == 200


async def test_run_now_in_the_calendar_makes_one_run_for_one_key(
    client: httpx.AsyncClient,
) -> None:
    path = await a_daily_slot(client) + "/action"
    made = [
        (await client.post(path, json={"action": "run_now"}, headers=key("k"))).json()
        for _ in range(2)
    ]
    assert made[0]["run"]["run_id"] == made[1]["run"]["run_id"]
    assert [answered["run"]["status"] for answered in made] == ["success", "success"]


async def test_every_post_that_makes_something_takes_a_key(runtime: Runtime) -> None:
    paths: dict[str, Any] = create_app(runtime).openapi()["paths"]
    without = [
        path
        for path, operations in paths.items()
        if "post" in operations
        if "Idempotency-Key" not in {p["name"] for p in operations["post"].get("parameters", [])}
    ]
    assert sorted(without) == [
        "/api/v1/auth/login",
        "/api/v1/auth/logout",
        "/api/v1/notify/channels/check",
        "/api/v1/notify/channels/test",
        "/api/v1/ops/drain",
        "/api/v1/ops/resources/clear",
    ]
