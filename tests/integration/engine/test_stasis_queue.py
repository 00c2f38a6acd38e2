"""The order of the queue, what is recommended, and the digest of what expired."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.run import RunStatus
from universal_agent.testing import ManualClock

STASIS = "/api/v1/ops/stasis"
BULK = f"{STASIS}/bulk"


async def get(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def titles(page: Any) -> list[str]:
    return [item["event"]["title"] for item in page["stasis_queue"]]


async def away(gateway: Gateway, clock: ManualClock, seconds: float) -> None:
    await gateway.kill()
    clock.step(seconds)
    await gateway.start()


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who talks to whatever gateway runs at the moment."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await create_app(gateway.runtime)(scope, receive, send)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


async def five(gateway: Gateway, clock: ManualClock) -> None:
    """Five jobs, one of which was missed a day before the others."""
    await gateway.create(title="old", run_at="in 1 hour")
    await away(gateway, clock, 86_400)
    await gateway.create(title="low", run_at="in 1 hour", metadata={"priority": "low"})
    await gateway.create(title="critical", run_at="in 1 hour", metadata={"priority": "critical"})
    await gateway.create(title="tomorrow", every="2h", useful_for_seconds=86_400)
    await gateway.create(title="soon", every="2h", useful_for_seconds=3600)
    await away(gateway, clock, 2 * 3600 + 600)


class TestOrder:
    async def test_what_can_be_saved_for_the_shortest_time_comes_first(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await five(gateway, clock)
        page = await get(client, STASIS)
        assert titles(page) == ["soon", "tomorrow", "critical", "old", "low"]
        assert (page["total"], page["next_cursor"]) == (5, None)
        feed = await get(client, "/api/v1/ops/calendar/events")
        assert titles(feed) == titles(page)

    async def test_pages_stay_whole_while_items_come_and_go(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await five(gateway, clock)
        first = await get(client, STASIS, limit=2)
        assert titles(first) == ["soon", "tomorrow"]
        # One of the first page is decided, one that comes before all others is added.
        ids = [first["stasis_queue"][0]["event_id"]]
        await post(client, BULK, event_ids=ids, action="delete_missed")
        await gateway.create(title="sooner", every="2h", useful_for_seconds=1800)
        await away(gateway, clock, 2 * 3600 + 600)
        second = await get(client, STASIS, limit=2, cursor=first["next_cursor"])
        third = await get(client, STASIS, limit=2, cursor=second["next_cursor"])
        rest = titles(second) + titles(third)
        assert [title for title in rest if title in ("critical", "old", "low")] == [
            "critical",
            "old",
            "low",
        ]
        assert third["next_cursor"] is None

    @pytest.mark.parametrize(
        "cursor", ["nonsense", "W10=", "WzEsIDJd", "WyJhIiwxXQ==", "e30=", "ÄÖ"]
    )
    async def test_a_cursor_that_is_none_is_refused(
        self, gateway: Gateway, client: httpx.AsyncClient, cursor: str
    ) -> None:
        for path in (STASIS, f"{STASIS}/expired"):
            answer = await client.get(path, params={"cursor": cursor})
            assert answer.status_code == 400, answer.text
            assert answer.json()["field"] == "cursor"


class TestRecommended:
    async def test_each_item_says_what_to_do_and_why(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await five(gateway, clock)
        items = {one["event"]["title"]: one for one in (await get(client, STASIS))["stasis_queue"]}
        assert items["soon"]["recommended"] == {
            "decision": "approve",
            "reason": "its result is useful for 50 minutes more",
        }
        assert items["old"]["recommended"] == {
            "decision": "approve",
            "reason": "no later slot does its work",
        }

    async def test_all_are_decided_as_recommended_and_a_preview_decides_nothing(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.create(title="near", every="2h", timeout_seconds=60)
        await gateway.create(title="far", run_at="in 1 hour")
        await away(gateway, clock, 4 * 3600 - 300)
        queue = (await get(client, STASIS))["stasis_queue"]
        ids = [item["event_id"] for item in queue]
        preview = await post(client, BULK, event_ids=ids, action="recommended", preview=True)
        told = {one["event_id"]: one["recommended"] for one in preview["results"]}
        assert told == {item["event_id"]: item["recommended"] for item in queue}
        assert {one["status"] for one in preview["results"]} == {"preview"}
        assert (preview["done"], preview["refused"]) == (0, 0)
        assert (await get(client, STASIS))["total"] == 2

        done = await post(client, BULK, event_ids=ids, action="recommended")
        found = {item["event"]["title"]: item["event_id"] for item in queue}
        results = {one["event_id"]: one for one in done["results"]}
        assert results[found["near"]]["resolution"] == "deleted"
        assert results[found["near"]]["recommended"]["reason"] == (
            "its next slot, in 5 minutes, does the same work"
        )
        assert results[found["far"]]["resolution"] == "approved_and_run"
        assert (await get(client, STASIS))["total"] == 0

    async def test_a_repeated_request_answers_as_the_first_did(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.create(title="far", run_at="in 1 hour")
        await away(gateway, clock, 4 * 3600)
        ids = [item["event_id"] for item in (await get(client, STASIS))["stasis_queue"]]
        body = {"event_ids": ids, "action": "recommended"}
        key = {"Idempotency-Key": "once"}
        answers = [(await client.post(BULK, json=body, headers=key)).json() for _ in range(2)]
        assert answers[0]["done"] == answers[1]["done"] == 1
        await clock.settle()
        assert await gateway.statuses() == [RunStatus.SUCCESS]

    async def test_a_preview_of_a_decision_names_what_would_be_refused(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.create(title="far", run_at="in 1 hour")
        await away(gateway, clock, 4 * 3600)
        ids = [item["event_id"] for item in (await get(client, STASIS))["stasis_queue"]]
        await post(client, BULK, event_ids=ids, action="delete_missed")
        for action in ("recommended", "approve_backfill_run"):
            answer = await post(client, BULK, event_ids=ids, action=action, preview=True)
            assert (answer["done"], answer["refused"]) == (0, 1)


async def news(client: httpx.AsyncClient) -> list[Any]:
    found = (await get(client, "/api/v1/dashboard/notifications"))["notifications"]
    return [one for one in reversed(found) if one["kind"] == "expired"]


class TestExpired:
    async def test_what_expired_in_a_day_is_one_message_and_nothing_is_none(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        # It is noon; the digest is at eight.
        await gateway.create(title="Backup", every="2h", useful_for_seconds=600)
        await gateway.create(title="Report", every="3h", useful_for_seconds=600)
        await away(gateway, clock, 3 * 3600 + 900)
        await clock.advance(60)
        assert (await get(client, STASIS))["total"] == 0
        assert await news(client) == []
        await clock.advance(17 * 3600)
        (told,) = await news(client)
        assert (told["title"], told["severity"]) == (
            "2 missed slots expired without a decision",
            "info",
        )
        day = f"{gateway.began:%b %d}"
        assert told["message"].startswith(
            f"Backup: 1 missed slot, {day} 14:00 UTC; Report: 1 missed slot, {day} 15:00 UTC."
        )
        await clock.advance(86_400)
        assert len(await news(client)) == 1

    async def test_a_digest_whose_time_passed_while_the_gateway_was_off_is_told_at_the_start(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.create(title="Backup", every="2h", useful_for_seconds=600)
        await away(gateway, clock, 2 * 3600 + 300)
        await clock.advance(600)
        await away(gateway, clock, 20 * 3600)
        await clock.advance(5)
        (told,) = await news(client)
        assert told["metadata"]["slots"] == 1
        await away(gateway, clock, 60)
        await clock.advance(5)
        assert len(await news(client)) == 1

    async def test_a_clock_that_ran_ahead_and_is_set_back_silences_no_digest(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        clock.step(30 * 86_400)
        await clock.advance(86_400)
        clock.step(-30 * 86_400)
        await clock.advance(60)
        known = {one["id"] for one in await news(client)}
        await gateway.create(title="Backup", every="2h", useful_for_seconds=600)
        await away(gateway, clock, 2 * 3600 + 900)
        await clock.advance(20 * 3600)
        told = [one for one in await news(client) if one["id"] not in known]
        assert [one["title"] for one in told] == ["1 missed slot expired without a decision"]

    async def test_each_user_has_one(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.create(title="a", every="2h", useful_for_seconds=600, user_id="ann")
        await gateway.create(title="b", every="2h", useful_for_seconds=600, user_id="bob")
        await away(gateway, clock, 2 * 3600 + 900)
        await clock.advance(20 * 3600)
        assert sorted(one["title"] for one in await news(client)) == [
            "1 missed slot of ann expired without a decision",
            "1 missed slot of bob expired without a decision",
        ]

    async def test_it_can_be_switched_off(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await gateway.stop()
        await gateway.start(expired_digest="")
        await gateway.create(title="Backup", every="2h", useful_for_seconds=600)
        await away(gateway, clock, 2 * 3600 + 900)
        await clock.advance(86_400)
        assert await news(client) == []

    async def test_they_are_listed_by_page_the_latest_first(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        for number in range(3):
            await gateway.create(title=f"job {number}", every="2h", useful_for_seconds=600)
            await away(gateway, clock, 2 * 3600 + 900)
            await clock.advance(5)
        found, cursor = [], None
        while True:
            query = {"limit": 2} if cursor is None else {"limit": 2, "cursor": cursor}
            page = await get(client, f"{STASIS}/expired", **query)
            assert len(page["expired"]) <= 2
            found += page["expired"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert len({one["event_id"] for one in found}) == len(found) >= 3
        times = [one["expired_at_utc"] for one in found]
        assert times == sorted(times, reverse=True)
        assert {"job 0", "job 1", "job 2"} == {one["title"] for one in found}
        assert found[0]["cause"] == "process_down"
