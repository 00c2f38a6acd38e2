"""What an operator may do to many things at once, and to single slots ahead of their time."""

from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, Gateway
from universal_agent.domain.job import Job
from universal_agent.domain.slot import epoch
from universal_agent.testing import ManualClock

BULK = "/api/v1/ops/stasis/bulk"


async def sent(client: httpx.AsyncClient, path: str, *, code: int = 200, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == code, answer.text
    return answer.json()


async def got(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def queue(client: httpx.AsyncClient) -> dict[str, Any]:
    """What waits for a decision, by the job's title."""
    items = (await got(client, "/api/v1/ops/stasis"))["stasis_queue"]
    return {item["event"]["title"]: item for item in items}


@pytest.fixture
async def waiting(gateway: Gateway, clock: ManualClock) -> dict[str, Job]:
    """Three jobs of every minute, after an hour in which the gateway was down."""
    made = {title: await gateway.create(title=title) for title in ("a", "b", "c")}
    await gateway.kill()
    clock.step(3600)
    await gateway.start()
    return made


class TestBulk:
    async def test_all_that_one_outage_missed_is_decided_at_once(
        self, waiting: dict[str, Job], gateway: Gateway, client: httpx.AsyncClient
    ) -> None:
        outage = (await queue(client))["a"]["outage_id"]
        done = await sent(client, BULK, outage=outage, action="delete_missed", note="a drill")
        assert (done["done"], done["refused"], len(done["results"])) == (3, 0, 3)
        assert await queue(client) == {}
        decided = [e for e in await gateway.events() if e.type == "calendar_missed_resolved"]
        assert {e.source_ref for e in decided} == {job.job_id for job in waiting.values()}
        assert {e.data["note"] for e in decided} == {"a drill"}
        assert (await gateway.ledger()).unaccounted == []

    async def test_any_member_of_a_group_stands_for_it(
        self, waiting: dict[str, Job], gateway: Gateway, client: httpx.AsyncClient
    ) -> None:
        member = f"cron|{waiting['b'].job_id}|{epoch(gateway.began + 7 * MINUTE)}"
        done = await sent(client, BULK, group=member, action="approve_backfill_run")
        assert done["done"] == 1
        assert sorted(await queue(client)) == ["a", "c"]

    async def test_what_was_decided_before_is_refused_and_holds_nothing_up(
        self, waiting: dict[str, Job], client: httpx.AsyncClient
    ) -> None:
        ids = {title: item["event_id"] for title, item in (await queue(client)).items()}
        await sent(client, BULK, event_ids=[ids["a"]], action="approve_backfill_run")
        done = await sent(client, BULK, event_ids=list(ids.values()), action="delete_missed")
        found = {result["event_id"]: result for result in done["results"]}
        assert (done["done"], done["refused"]) == (2, 1)
        assert (found[ids["a"]]["status"], found[ids["a"]]["code"]) == ("refused", 409)
        assert await queue(client) == {}

    @pytest.mark.parametrize(
        ("named", "code"),
        [
            ({}, 400),
            ({"outage": "out_x", "group": "cron|job_1|60"}, 400),
            ({"outage": "out_x"}, 404),
            ({"event_ids": []}, 422),
            ({"event_ids": ["cron|job_1|60"] * 1001}, 422),
            ({"event_ids": ["nonsense"]}, 400),
            ({"event_ids": ["cron|job_1|60", "cron|job_1|999999999999"]}, 400),
            ({"group": "cron|job_1|253402300800"}, 400),
        ],
    )
    async def test_what_names_nothing_or_too_much_is_refused_and_changes_nothing(
        self,
        waiting: dict[str, Job],
        gateway: Gateway,
        client: httpx.AsyncClient,
        named: dict[str, Any],
        code: int,
    ) -> None:
        before = len(await gateway.events())
        await sent(client, BULK, action="delete_missed", code=code, **named)
        assert len(await gateway.events()) == before
        assert len(await queue(client)) == len(waiting)


class TestNotifications:
    async def test_many_are_marked_at_once_and_one_that_is_unknown_holds_nothing_up(
        self, waiting: dict[str, Job], client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        await clock.advance(1)
        (told,) = (await got(client, "/api/v1/dashboard/notifications"))["notifications"]
        done = await sent(
            client,
            "/api/v1/dashboard/notifications/bulk",
            ids=[told["id"], "ntf_unknown"],
            status="snoozed",
            snooze_minutes=30,
        )
        assert [result["status"] for result in done["results"]] == ["ok", "refused"]
        shown = (await got(client, "/api/v1/dashboard/notifications"))["notifications"]
        assert [one["status"] for one in shown] == ["snoozed"]
        await clock.advance(30 * 60)
        shown = (await got(client, "/api/v1/dashboard/notifications"))["notifications"]
        assert shown[-1]["status"] == "new"


class TestSingleSlots:
    async def test_a_slot_is_skipped_moved_or_run_early_and_the_first_two_taken_back(
        self, gateway: Gateway, client: httpx.AsyncClient, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")

        def path(number: int) -> str:
            at = epoch(gateway.began + number * HOUR)
            return f"/api/v1/ops/calendar/events/cron|{job.job_id}|{at}/exception"

        async def marked() -> float:
            return float(
                (await got(client, f"/api/v1/cron/jobs/{job.job_id}"))["job"]["next_run_at"]
            )

        await sent(client, path(1), skip=True)
        assert await marked() == epoch(gateway.began + 2 * HOUR)
        later = (gateway.began + 3 * HOUR + 30 * MINUTE).isoformat()
        await sent(client, path(2), move_to=later)
        assert await marked() == epoch(gateway.began + 3 * HOUR)
        for number in (1, 2):
            assert (await client.delete(path(number))).status_code == 200
        assert await marked() == epoch(gateway.began + HOUR)
        early = await sent(client, path(1), run_early=True)
        assert early["run"]["trigger"] == "early"
        assert (await client.delete(path(1))).status_code == 404
        await clock.advance(2 * 3600 + 1)
        assert [run.trigger for run in await gateway.runs(job)] == ["early", "schedule"]
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (2, 2, [])
