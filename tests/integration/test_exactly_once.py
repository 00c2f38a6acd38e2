"""Every POST with an Idempotency-Key has one effect, however often and after whatever it is sent.

The scenarios name every POST route there is; one that is added without a scenario fails.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from tests.integration.engine.gateway import HOUR, Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.slot import epoch
from universal_agent.store import verbs
from universal_agent.testing import ManualClock

KEY = {"Idempotency-Key": "k-1"}

Request: TypeAlias = tuple[str, dict[str, Any]]
Prepare: TypeAlias = Callable[[Gateway, ManualClock, httpx.AsyncClient], Awaitable[Request]]


class Killed(BaseException):
    """The gateway has died; no code of it may handle that."""


#: Set in the task of a request.
_IN_REQUEST: ContextVar[bool] = ContextVar("in_request", default=False)


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# -- what is sent, after what


def body_alone(path: str, **body: Any) -> Prepare:
    async def prepare(_: Gateway, __: ManualClock, ___: httpx.AsyncClient) -> Request:
        return path, body

    return prepare


async def run_now(gateway: Gateway, _: ManualClock, __: httpx.AsyncClient) -> Request:
    job = await gateway.create(every="6h")
    return f"/api/v1/cron/jobs/{job.job_id}/run", {"wait_seconds": 10}


async def cancel(gateway: Gateway, clock: ManualClock, client: httpx.AsyncClient) -> Request:
    gateway.runner.hold()
    path, _ = await run_now(gateway, clock, client)
    made = await client.post(path, json={"wait_seconds": 0})
    await clock.advance(1)
    run = made.json()["run"]
    return f"/api/v1/cron/runs/{run['run_id']}/cancel", {}


def on_a_slot(end: str, *before: dict[str, Any], **body: Any) -> Prepare:
    """On the next slot of an hourly job, after other requests to the same address."""

    async def prepare(gateway: Gateway, _: ManualClock, client: httpx.AsyncClient) -> Request:
        job = await gateway.create(every="1h")
        event_id = f"cron|{job.job_id}|{epoch(gateway.began + HOUR)}"
        path = f"/api/v1/ops/calendar/events/{event_id}/{end}"
        for earlier in before:
            await post(client, path, **earlier)
        return path, body

    return prepare


def on_a_beat(action: str) -> Prepare:
    async def prepare(gateway: Gateway, _: ManualClock, __: httpx.AsyncClient) -> Request:
        await gateway.session(every="1h")
        event_id = f"heartbeat|s1|{epoch(gateway.began + HOUR)}"
        return f"/api/v1/ops/calendar/events/{event_id}/action", {"action": action}

    return prepare


def confirm(instruction: str, *, approve: bool = True) -> Prepare:
    async def prepare(gateway: Gateway, clock: ManualClock, client: httpx.AsyncClient) -> Request:
        asking = on_a_slot("change-request", instruction=instruction)
        path, body = await asking(gateway, clock, client)
        proposal = (await post(client, path, **body))["proposal"]
        return f"{path}/confirm", {"proposal_id": proposal["proposal_id"], "approve": approve}

    return prepare


async def missed(gateway: Gateway, clock: ManualClock, *, beats: bool = False) -> list[str]:
    """The ids of what three jobs, or one session, missed while the gateway was down."""
    if beats:
        await gateway.session(every="6h")
    else:
        for title in ("a", "b", "c"):
            await gateway.create(every="6h", title=title)
    await gateway.kill()
    clock.step(7 * 3600)
    await gateway.start()
    await clock.advance(1)
    return [record.event_id for record in await gateway.pending()]


def decide(action: str, *, beats: bool = False) -> Prepare:
    async def prepare(gateway: Gateway, clock: ManualClock, _: httpx.AsyncClient) -> Request:
        ids = await missed(gateway, clock, beats=beats)
        return f"/api/v1/ops/calendar/events/{ids[0]}/action", {"action": action}

    return prepare


def decide_many(action: str, *, by_outage: bool) -> Prepare:
    async def prepare(gateway: Gateway, clock: ManualClock, _: httpx.AsyncClient) -> Request:
        ids = await missed(gateway, clock)
        (outage,) = {record.outage_id for record in await gateway.pending()}
        named = {"outage": outage} if by_outage else {"event_ids": [*ids, ids[0]]}
        return "/api/v1/ops/stasis/bulk", {"action": action, **named}

    return prepare


async def undo(gateway: Gateway, clock: ManualClock, _: httpx.AsyncClient) -> Request:
    path, body = await decide("delete_missed")(gateway, clock, _)
    async with client_of(gateway) as client:
        await post(client, path, **body)
    event_id = path.split("/")[-2]
    return f"/api/v1/ops/stasis/{event_id}/undo", {}


async def mark(gateway: Gateway, clock: ManualClock, _: httpx.AsyncClient) -> Request:
    await missed(gateway, clock)
    (told,) = await gateway.store.read(verbs.notifications.list_notifications, limit=9)
    ids = [told.notification_id, "ntf_unknown"]
    return "/api/v1/dashboard/notifications/bulk", {"ids": ids, "status": "read"}


async def cancel_session(
    gateway: Gateway, clock: ManualClock, client: httpx.AsyncClient
) -> Request:
    gateway.beats.hold()
    made = await post(client, "/api/v1/sessions")
    session_id = made["session_id"]
    await post(client, "/api/v1/heartbeat/wake", session_id=session_id, mode="now")
    await clock.advance(1)
    return f"/api/v1/ops/sessions/{session_id}/cancel", {}


def with_sessions(path: str, **body: Any) -> Prepare:
    async def prepare(gateway: Gateway, _: ManualClock, __: httpx.AsyncClient) -> Request:
        gateway.beats.hold()
        for session_id in ("s1", "s2"):
            await gateway.session(session_id, every="1h")
        return path, body

    return prepare


_EVENTS = "/api/v1/ops/calendar/events/{event_id}"

#: What is sent to each POST route.
SCENARIOS: dict[str, dict[str, Prepare]] = {
    "/api/v1/cron/jobs": {"a job": body_alone("/api/v1/cron/jobs", every="1h", command="true")},
    "/api/v1/cron/preview": {"a schedule": body_alone("/api/v1/cron/preview", every="1h")},
    "/api/v1/cron/jobs/{job_id}/run": {"run now": run_now},
    "/api/v1/cron/runs/{run_id}/cancel": {"a run": cancel},
    f"{_EVENTS}/action": {
        "run now": on_a_slot("action", action="run_now"),
        "pause": on_a_slot("action", action="pause"),
        "disable": on_a_slot("action", action="disable"),
        "resume": on_a_slot("action", {"action": "pause"}, action="resume"),
        "resume what is on": on_a_slot("action", action="resume"),
        "pause beats": on_a_beat("pause"),
        "wake": on_a_beat("run_now"),
        "approve": decide("approve_backfill_run"),
        "reschedule": decide("reschedule"),
        "delete": decide("delete_missed"),
        "reschedule a beat": decide("reschedule", beats=True),
    },
    f"{_EVENTS}/change-request": {
        "a proposal": on_a_slot("change-request", instruction="every weekday at 9am"),
    },
    f"{_EVENTS}/change-request/confirm": {
        "a schedule": confirm("every weekday at 9am"),
        "a pause": confirm("pause"),
        "a skip": confirm("skip this run"),
        "a run": confirm("run now"),
        "a rejection": confirm("pause", approve=False),
    },
    f"{_EVENTS}/exception": {
        "skip": on_a_slot("exception", skip=True),
        "move": on_a_slot("exception", move_to="in 2 hours"),
        "run early": on_a_slot("exception", run_early=True),
    },
    "/api/v1/ops/stasis/bulk": {
        "delete an outage": decide_many("delete_missed", by_outage=True),
        "approve an outage": decide_many("approve_backfill_run", by_outage=True),
        "reschedule by ids": decide_many("reschedule", by_outage=False),
    },
    "/api/v1/ops/stasis/{event_id}/undo": {"a deletion": undo},
    "/api/v1/dashboard/notifications/bulk": {"read": mark},
    "/api/v1/sessions": {"a session": body_alone("/api/v1/sessions", user_id="kim")},
    "/api/v1/ops/sessions/{session_id}/cancel": {"a beat": cancel_session},
    "/api/v1/system/event": {
        "to all": with_sessions("/api/v1/system/event", event_type="news"),
        "with a wake": with_sessions(
            "/api/v1/system/event", session_id="s1", event_type="news", wake_heartbeat="now"
        ),
    },
    "/api/v1/system/presence": {
        "a node": body_alone("/api/v1/system/presence", node_id="n1", status="online")
    },
    "/api/v1/heartbeat/wake": {
        "one now": with_sessions("/api/v1/heartbeat/wake", session_id="s1", mode="now"),
        "one next": with_sessions("/api/v1/heartbeat/wake", session_id="s1", mode="next"),
        "all now": with_sessions("/api/v1/heartbeat/wake", mode="now"),
    },
    "/api/v1/ops/scheduling/projection/rebuild": {
        "rebuild": body_alone("/api/v1/ops/scheduling/projection/rebuild")
    },
    "/api/v1/auth/login": {"a token": body_alone("/api/v1/auth/login", token="x")},
    "/api/v1/auth/logout": {"a session": body_alone("/api/v1/auth/logout")},
}

#: Repeated, they do nothing more than once: tests of channels tell what a channel answers now, a
#: drain names its process, and a cooldown that is over is not cleared again.
WITHOUT_A_KEY = {
    "/api/v1/notify/channels/check",
    "/api/v1/notify/channels/test",
    "/api/v1/ops/drain",
    "/api/v1/ops/resources/clear",
}

CASES = [
    pytest.param(prepare, id=f"{route} {name}")
    for route, scenarios in SCENARIOS.items()
    for name, prepare in scenarios.items()
]


# -- what comes of it

#: Events of what time and recovery do, which come beside the effect of a request.
_BESIDE = {
    "notification_changed",  # what comes close together is folded into one change
    "cron_run_started",
    "cron_run_completed",
    "cron_run_failed",
    "cron_run_missed",
    "heartbeat_started",
    "heartbeat_completed",
    "heartbeat_failed",
    "heartbeat_missed",
    "heartbeat_scheduled",
}

_TABLES = ("jobs", "sessions", "proposals", "system_events", "missed", "runs")


@dataclass(frozen=True)
class Effect:
    """All that the store has of what was asked for."""

    events: dict[str, int]
    rows: dict[str, int]
    decided: dict[str, int]
    marked: list[str]


async def effect_on(gateway: Gateway) -> Effect:
    rows: dict[str, int] = {}
    found: Counter[str] = Counter()
    kinds = await gateway.kinds()
    for status in ("pending", "deleted", "superseded", "approved_and_run", "rescheduled"):
        spans = await gateway.store.read(verbs.stasis.missed_spans, status=status, limit=1000)  # type: ignore[arg-type]
        found[status] = len(spans)
    rows["jobs"] = await gateway.store.read(verbs.jobs.count_jobs)
    rows["sessions"] = await gateway.store.read(verbs.sessions.count_sessions)
    rows["runs"] = len(await gateway.runs())
    for session_id in ("s1", "s2"):
        rows[f"told {session_id}"] = len(
            await gateway.store.read(verbs.beats.system_events, session_id)
        )
    marked = [
        str(n.status)
        for n in await gateway.store.read(verbs.notifications.list_notifications, limit=99)
    ]
    return Effect(
        events={kind: count for kind, count in kinds.items() if kind not in _BESIDE},
        rows=rows,
        decided=dict(found),
        marked=sorted(marked),
    )


@asynccontextmanager
async def client_of(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", timeout=None
    ) as client:
        yield client


@asynccontextmanager
async def prepared(
    folder: Path, prepare: Prepare
) -> AsyncIterator[tuple[Gateway, ManualClock, Request]]:
    """A gateway at the moment before the request."""
    clock = ManualClock()
    gateway = Gateway(folder, clock)
    await gateway.start()
    try:
        async with client_of(gateway) as client:
            request = await prepare(gateway, clock, client)
        await clock.settle()
        yield gateway, clock, request
    finally:
        gateway.runner.release()
        gateway.beats.release()
        await gateway.stop()


async def send(
    gateway: Gateway,
    clock: ManualClock,
    request: Request,
    *,
    times: int = 1,
    headers: dict[str, str] | None = None,
) -> list[httpx.Response]:
    path, body = request
    async with client_of(gateway) as client:
        sent = [
            asyncio.create_task(client.post(path, json=body, headers=headers)) for _ in range(times)
        ]
        while not all(task.done() for task in sent):
            await clock.advance(1)
        await clock.advance(2)  # what the notifier folds
        return [task.result() for task in sent]


async def test_every_post_has_a_scenario(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, ManualClock())
    await gateway.start()
    routes = {
        route.path
        for route in iter_route_contexts(create_app(gateway.runtime).routes)
        if "POST" in (route.methods or ())
    }
    await gateway.stop()
    assert set(SCENARIOS) == routes - WITHOUT_A_KEY


@pytest.mark.parametrize("prepare", CASES)
async def test_twenty_at_once_with_one_key_have_one_effect_and_one_answer(
    tmp_path: Path, prepare: Prepare
) -> None:
    async with prepared(tmp_path / "once", prepare) as (gateway, clock, request):
        (single,) = await send(gateway, clock, request)
        assert single.status_code in (200, 202), single.text
        once = await effect_on(gateway)

    async with prepared(tmp_path / "twenty", prepare) as (gateway, clock, request):
        answers = await send(gateway, clock, request, times=20, headers=KEY)
        assert await effect_on(gateway) == once
        assert {answer.status_code for answer in answers} == {single.status_code}
        assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("prepare", CASES)
async def test_a_request_repeated_after_a_kill_at_any_commit_has_one_effect_and_is_answered(
    tmp_path: Path, prepare: Prepare
) -> None:
    async with prepared(tmp_path / "once", prepare) as (gateway, clock, request):
        (single,) = await send(gateway, clock, request, headers=KEY)
        once = await effect_on(gateway)

    for commits in itertools.count(1):
        async with prepared(tmp_path / f"kill_{commits}", prepare) as (gateway, clock, request):
            if not await dies(gateway, clock, request, after=commits):
                break
            await gateway.kill()
            await gateway.start()
            (again,) = await send(gateway, clock, request, headers=KEY)
            assert again.status_code == single.status_code, (commits, again.text)
            assert kept(again) == kept(single), commits
            assert without_recovery(await effect_on(gateway)) == without_recovery(once), commits


async def dies(gateway: Gateway, clock: ManualClock, request: Request, *, after: int) -> bool:
    """Send a request to a gateway that dies after so many commits of it; False: it had fewer."""
    database = gateway.store.database
    write, left = database.write, after

    async def dying(fn: Any) -> Any:
        nonlocal left
        result = await write(fn)
        if _IN_REQUEST.get():
            left -= 1
            if left == 0:
                raise Killed
        return result

    database.write = dying  # type: ignore[method-assign]
    path, body = request

    async def ask(client: httpx.AsyncClient) -> None:
        _IN_REQUEST.set(True)
        await client.post(path, json=body, headers=KEY)

    async with client_of(gateway) as client:
        asking = asyncio.create_task(ask(client))
        while not asking.done():
            await clock.advance(1)
    return isinstance(asking.exception(), Killed)


#: Ends of the names of what differs between two gateways, or with the time that a restart takes.
_OWN = ("id", "_ref", "_at", "_utc", "_local", "status", "dir", "by", "detail")
_LEFT_OUT = {"proposal", "run", "job", "next", "presence", "hash", "cancelled"}


def kept(answer: httpx.Response) -> Any:
    """What an answer says, without ids and times."""

    def shape(value: Any) -> Any:
        match value:
            case dict():
                return {
                    name: "" if name.endswith(_OWN) else shape(inner)
                    for name, inner in value.items()
                    if name not in _LEFT_OUT
                }
            case list():
                return [shape(inner) for inner in value]
            case _:
                return value

    return shape(answer.json())


def without_recovery(effect: Effect) -> Effect:
    """The effect but for what a start does about runs that were going on."""
    beside = ("pending", "superseded")
    return Effect(
        events={k: n for k, n in effect.events.items() if not k.startswith("cron_run_")},
        rows={k: n for k, n in effect.rows.items() if not k.startswith("told")},
        decided={k: n for k, n in effect.decided.items() if k not in beside},
        marked=[],
    )
