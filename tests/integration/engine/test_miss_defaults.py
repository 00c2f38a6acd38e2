"""What becomes of missed slots whose job says nothing about them."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.run import Trigger
from universal_agent.store import verbs
from universal_agent.testing import ManualClock


@pytest.fixture
async def gateway(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Gateway]:
    """A gateway as it is without settings."""
    gateway = Gateway(tmp_path / "data", clock, on_miss_default="cadence")
    await gateway.start()
    yield gateway
    await gateway.stop()


async def test_a_night_off_leaves_only_what_a_person_has_to_decide(
    gateway: Gateway, clock: ManualClock
) -> None:
    often = await gateway.create(every="5m")
    six_hourly = await gateway.create(every="6h")
    once = await gateway.create(run_at="in 2 hours")
    payment = await gateway.create(every="5h", side_effects=True)
    await gateway.kill()
    clock.step(8 * 3600)
    await gateway.start()

    assert {record.source_ref for record in await gateway.pending()} == {
        once.job_id,
        payment.job_id,
    }
    account = await gateway.ledger(often)
    assert (sum(account.missed.values()), account.skipped["on_miss"]) == (0, 8 * 12 - 1)
    (late,) = await gateway.runs(six_hourly)
    assert late.trigger is Trigger.CATCH_UP
    assert (await gateway.ledger()).unaccounted == []


async def test_a_late_daily_slot_runs_within_half_a_day_and_expires_after(
    gateway: Gateway, clock: ManualClock
) -> None:
    job = await gateway.create(cron_expr="0 13 * * *")  # in an hour
    await gateway.kill()
    clock.step(3600 * 11)
    await gateway.start()
    assert len(await gateway.runs(job)) == 1
    await gateway.kill()
    clock.step(3600 * 27)
    await gateway.start()
    assert len(await gateway.runs(job)) == 1
    (expired,) = await gateway.store.read(
        verbs.stasis.missed_spans, status=MissedStatus.EXPIRED, limit=10
    )
    assert expired.source_ref == job.job_id


async def test_the_answers_say_which_policy_applies_and_why(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/v1/cron/jobs", json={"command": "true", "every": "5m"})
    assert made.json()["echo"]["when_missed"] == (
        "Missed slots are skipped (on_miss skip, since its slots are 5 minutes or more apart)."
    )
    job = made.json()["job"]
    assert (job["on_miss"], job["useful_for_seconds"]) == ("skip", 300)
    assert job["follows_cadence"] == ["on_miss", "useful_for_seconds"]

    path = f"/api/v1/cron/jobs/{job['job_id']}"
    edited = (await client.put(path, json={"side_effects": True})).json()
    assert edited["job"]["on_miss"] == "ask"
    assert edited["echo"]["when_missed"].endswith("since it has side effects).")
    edited = (await client.put(path, json={"on_miss": "run_all"})).json()
    assert (edited["job"]["follows_cadence"], edited["job"]["useful_for_seconds"]) == ([], None)
