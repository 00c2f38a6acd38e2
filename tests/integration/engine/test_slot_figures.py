"""What `/metrics` says of slots: every outcome from 0, what waits, and the first of each kind."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.engine.gateway import MINUTE, Gateway
from universal_agent.api.app import create_app
from universal_agent.testing import FAILURE, ManualClock

OUTCOMES = {
    "success",
    "error",
    "timeout",
    "stalled",
    "cancelled",
    "skipped",
    "interrupted",
    "missed",
}


async def figures(client: httpx.AsyncClient, name: str, label: str = "") -> dict[str, float]:
    """The samples of a metric, by the value of its label."""
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return {
        sample.labels.get(label, ""): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }


async def slots(client: httpx.AsyncClient) -> dict[str, float]:
    """The outcomes that have been counted."""
    found = await figures(client, "ua_slots_total", "outcome")
    assert set(found) == OUTCOMES
    return {outcome: count for outcome, count in found.items() if count}


async def test_every_label_has_a_sample_before_the_first_event(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    assert await slots(client) == {}
    finished = await figures(client, "ua_runs_finished_total", "status")
    assert finished == dict.fromkeys(OUTCOMES - {"missed"}, 0.0)
    loops = await figures(client, "ua_loop_restarts_total", "loop")
    assert len(loops) > 5
    assert set(loops.values()) == {0.0}
    assert await figures(client, "ua_stasis_pending") == {"": 0.0}
    assert await figures(client, "ua_runs_waiting") == {"": 0.0}


async def test_slots_are_counted_by_their_outcome(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await gateway.create(every="1m")
    await clock.advance(60)
    assert await slots(client) == {"success": 1}
    gateway.runner.usual = FAILURE
    await clock.advance(60)
    assert await slots(client) == {"success": 1, "error": 1}


async def test_an_attempt_that_is_made_again_is_no_outcome_and_a_run_that_was_asked_for_no_slot(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    gateway.runner.usual = FAILURE
    job = await gateway.create(run_at=(clock.now() + MINUTE).isoformat(), retries=1)
    await clock.advance(60)
    assert await slots(client) == {}
    assert (await figures(client, "ua_runs_finished_total", "status"))["error"] == 1
    await clock.advance(60)
    assert await slots(client) == {"error": 1}
    run = await client.post(f"/api/v1/cron/jobs/{job.job_id}/run", json={"wait_seconds": 0})
    assert run.status_code in (200, 202)
    await clock.advance(5)
    assert await slots(client) == {"error": 1}
    assert (await figures(client, "ua_runs_finished_total", "status"))["error"] == 3


async def test_missed_slots_are_counted_and_wait(gateway: Gateway, clock: ManualClock) -> None:
    await gateway.create(every="1m")
    await gateway.kill()
    clock.step(3600)
    await gateway.start()
    await clock.advance(1)
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        waiting = (await figures(client, "ua_stasis_pending"))[""]
        assert waiting == sum(record.span.count for record in await gateway.pending()) > 50
        assert (await slots(client))["missed"] == waiting


async def test_runs_that_wait_for_a_worker_are_counted(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    gateway.runner.hold()
    for _ in range(11):
        await gateway.create(every="1m")
    await clock.advance(60)
    assert await figures(client, "ua_runs_waiting") == {"": 3.0}
    assert await figures(client, "ua_runs_running") == {"": 8.0}
