"""What clients see of heartbeats, and what they may do to them."""

from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import MINUTE, Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import JobId
from universal_agent.domain.slot import Source, epoch
from universal_agent.testing import ManualClock


def slot_of(gateway: Gateway, minutes: int) -> str:
    at = epoch(gateway.began + minutes * MINUTE)
    return f"/api/v1/ops/calendar/events/heartbeat|s1|{at}"


async def document(client: httpx.AsyncClient, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_each_session_has_a_row_with_its_beats_counted_by_the_hour(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await gateway.session(every="10m")
    await gateway.create(every="1h")
    await clock.advance(1800)
    feed = await document(client, "/api/v1/ops/calendar/events?source=heartbeat&view=day")
    (row,) = feed["always_running"]
    assert (row["source"], row["source_ref"], row["color_key"]) == ("heartbeat", "s1", "heartbeat")
    counted = sum(hour["counts"].get("success", 0) for hour in row["hourly"])
    ran = [event for event in feed["events"] if event["status"] == "success"]
    assert counted == len(ran) == 3
    assert {event["source"] for event in feed["events"]} == {"heartbeat"}
    cron = await document(client, "/api/v1/ops/calendar/events?source=cron&view=day")
    assert {event["source"] for event in cron["events"]} == {"cron"}
    assert cron["always_running"] == []


async def test_the_calendars_actions_on_a_beat(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await gateway.session(every="10m")
    path = slot_of(gateway, 10) + "/action"
    made = (await client.post(path, json={"action": "run_now"})).json()
    assert made["run"]["trigger"] == "wake"
    await clock.settle()
    assert len(gateway.beats.requests) == 1
    for action, enabled in (("pause", False), ("resume", True), ("disable", False)):
        answer = await client.post(path, json={"action": action})
        assert (answer.status_code, answer.json()["job"]["enabled"]) == (200, enabled)
    last = await document(client, "/api/v1/heartbeat/last?session_id=s1")
    assert (last["delivery"]["mode"], last["enabled"]) == ("none", False)
    wrong = await client.post(path.replace("heartbeat|", "cron|"), json={"action": "pause"})
    assert wrong.status_code == 404


@pytest.mark.parametrize(
    ("instruction", "operation"),
    [
        ("pause", "pause"),
        ("every 2 minutes", "set_schedule"),
        ("skip next", "skip_slot"),
        ("move to in 25 minutes", "move_slot"),
        ("run now", "run_now"),
    ],
)
async def test_a_beat_takes_change_requests(
    gateway: Gateway,
    client: httpx.AsyncClient,
    clock: ManualClock,
    instruction: str,
    operation: str,
) -> None:
    await gateway.session(every="10m")
    path = slot_of(gateway, 10) + "/change-request"
    answer = await client.post(path, json={"instruction": instruction})
    proposal = answer.json()["proposal"]
    assert (proposal["source"], proposal["operation"]) == ("heartbeat", operation)
    confirmation = {"proposal_id": proposal["proposal_id"], "approve": True}
    done = await client.post(path + "/confirm", json=confirmation)
    assert done.status_code == 200, done.text
    await clock.advance(1800)
    expected = {"pause": 0, "set_schedule": 15, "skip_slot": 2, "move_slot": 3, "run_now": 4}
    assert len(gateway.beats.requests) == expected[operation]
    assert (await gateway.ledger()).unaccounted == []


async def test_what_is_told_of_a_heartbeat_is_the_cadence_that_it_has(
    gateway: Gateway, client: httpx.AsyncClient
) -> None:
    await gateway.session(every="10m")
    beats = gateway.runtime.commands(Source.HEARTBEAT)
    await beats.edit(JobId("s1"), JobDraft(every="2m"))
    last = await document(client, "/api/v1/heartbeat/last?session_id=s1")
    assert (
        last["schedule"].items() >= {"every_seconds": 120, "description": "every 2 minutes"}.items()
    )
    await beats.edit(JobId("s1"), JobDraft(cron_expr="0 9 * * 1-5"))
    told = (await document(client, "/api/v1/heartbeat/last?session_id=s1"))["schedule"]
    assert "every_seconds" not in told


async def test_wakes_and_system_events_over_http(
    gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    await gateway.session(every="10m")
    queued = await client.post(
        "/api/v1/system/event",
        json={"session_id": "s1", "event_type": "mail", "payload": {"n": 1}},
    )
    assert queued.json() == {"status": "queued", "count": 1, "session_id": "s1"}
    waiting = await document(client, "/api/v1/system/events?session_id=s1")
    assert [event["event_type"] for event in waiting["events"]] == ["mail"]
    woken = await client.post("/api/v1/heartbeat/wake", json={"session_id": "s1", "reason": "me"})
    assert woken.json().items() >= {"status": "queued", "mode": "now", "reason": "me"}.items()
    assert (await client.post("/api/v1/heartbeat/wake", json={"mode": "next"})).json()["count"] == 1
    await clock.settle()
    assert (
        await client.post("/api/v1/heartbeat/wake", json={"session_id": "x"})
    ).status_code == 404
    metrics = (await document(client, "/api/v1/ops/metrics/scheduling-runtime"))["metrics"]
    assert metrics["counters"]["heartbeat_wake_requests"] == 3
    assert metrics["event_counts"]["heartbeat"]["heartbeat_wake_requested"] == 2
    assert metrics["projection_state"]["heartbeat_sessions"] == 1


async def test_nodes_say_that_they_are_here(gateway: Gateway, client: httpx.AsyncClient) -> None:
    for node in ("a", "b", "a"):
        await client.post("/api/v1/system/presence", json={"node_id": node, "status": "online"})
    nodes = (await document(client, "/api/v1/system/presence"))["nodes"]
    assert [node["node_id"] for node in nodes] == ["a", "b"]


async def test_with_heartbeats_off_their_routes_say_so(
    gateway: Gateway, clock: ManualClock
) -> None:
    await gateway.stop()
    await gateway.start(enable_heartbeat=False)
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        refused = [
            await client.post("/api/v1/heartbeat/wake", json={}),
            await client.get("/api/v1/heartbeat/last"),
            await client.post("/api/v1/system/event", json={}),
            await client.post(slot_of(gateway, 1) + "/action", json={"action": "run_now"}),
        ]
    assert {(answer.status_code, answer.json()["detail"]) for answer in refused} == {
        (503, "Heartbeat service not available.")
    }
