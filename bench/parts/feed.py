"""The week's calendar: how fast is it, over HTTP, whatever lies in the database?

Measured as dashboards use it: again and again while nothing changes, after each change, asked
whether there is anything new, and beside somebody who asks for health.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from bench.client import Connection, request
from bench.figure import Better, Figure, middle, spread
from bench.gateway import Gateway, fresh_directory, running
from bench.options import Options
from bench.seed import maker
from universal_agent.domain.job import Job
from universal_agent.domain.run import RunId, RunStatus
from universal_agent.domain.schedule import IntervalSchedule
from universal_agent.engine.ids import new_id
from universal_agent.store import verbs
from universal_agent.store.store import Store, sqlite_store
from universal_agent.store.values import Decision, Finished, SlotStart

_DAY = timedelta(days=1)
_WEEK = "/api/v1/ops/calendar/events?view=week"
_HEALTH = request("GET", "/api/v1/health")

#: Requests for each figure.
_REQUESTS = 300


async def measure(options: Options) -> list[Figure]:
    rounds: dict[int, list[dict[str, Any]]] = {runs: [] for runs in options.feed_runs}
    with ExitStack() as stack:
        directories = {runs: stack.enter_context(fresh_directory(options)) for runs in rounds}
        for runs, directory in directories.items():
            await seed(directory, options.feed_jobs, runs)
        # By turns, so that what else the machine does is shared fairly.
        for _ in range(options.rounds):
            for runs, directory in directories.items():
                rounds[runs].append(await _measure(directory, options))
    few, many = min(rounds), max(rounds)
    found = rounds[many]

    def figure(name: str, key: str, share: str, must: float, goal: float | None = None) -> Figure:
        return Figure(
            name=f"{name}, {share}",
            unit="ms",
            better=Better.LESS,
            value=middle([one[key] for one in found], share),
            must=must,
            goal=goal,
            detail={str(runs): [one[key] for one in each] for runs, each in rounds.items()},
        )

    events = f"week feed, {found[0]['events']} events, {many} runs stored"
    return [
        figure(f"{events}, after a change", "changed", "p50", 25, 12),
        figure(f"{events}, after a change", "changed", "p99", 60),
        figure(f"{events}, again", "again", "p50", 25, 12),
        figure("the same, asked whether it is still so (304)", "still", "p50", 2),
        figure("/health beside a feed loop", "health", "p99", 20),
        Figure(
            name=f"week feed after a change, {many} runs stored over {few}",
            unit="x",
            better=Better.LESS,
            value=min(one["changed"]["p50"] for one in found)
            / min(one["changed"]["p50"] for one in rounds[few]),
            must=1.2,
        ),
    ]


async def _measure(directory: Path, options: Options) -> dict[str, Any]:
    # What was seeded is years old: none of it is to be forgotten meanwhile.
    async with running(directory, options, UA_EVENT_RETENTION_DAYS="0") as gateway:
        connection = await gateway.connect()
        await _projected(connection)
        feed = await connection.get(_WEEK)
        job_id = feed["events"][0]["source_ref"]
        change = request("POST", f"/api/v1/cron/jobs/{job_id}/run?wait_seconds=5")
        get = request("GET", _WEEK)
        tag = await _etag(gateway)
        still = get.replace(b"\r\n\r\n", b"\r\nIf-None-Match: " + tag + b"\r\n\r\n", 1)
        answers = {
            "still": await _timed(connection, still),
            "again": await _timed(connection, get),
            "changed": await _timed(connection, get, before=lambda: connection.send(change)),
            "health": await _beside(gateway, connection, get),
        }
        connection.close()
        return {"events": len(feed["events"]), **answers}


async def _projected(connection: Connection) -> None:
    """Wait until all that was seeded is in the projection, as it is once a gateway has run."""
    while True:
        document = await connection.get("/api/v1/ops/metrics/scheduling-runtime")
        if not document["metrics"]["projection_state"]["lag_events"]:
            return
        await asyncio.sleep(0.1)


async def _timed(
    connection: Connection,
    message: bytes,
    before: Callable[[], Awaitable[object]] | None = None,
) -> dict[str, float]:
    """Milliseconds of requests, one after the other."""
    latencies = []
    for _ in range(_REQUESTS):
        if before is not None:
            await before()
        began = time.perf_counter()
        await connection.send(message)
        latencies.append(1000 * (time.perf_counter() - began))
    return spread(latencies)


async def _beside(gateway: Gateway, connection: Connection, get: bytes) -> dict[str, float]:
    """How long health takes on one connection while another asks for the feed all the time."""
    other = await gateway.connect()

    async def ask() -> None:
        while True:
            await other.send(get)

    asking = asyncio.create_task(ask())
    found = await _timed(connection, _HEALTH, before=lambda: asyncio.sleep(0.005))
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    other.close()
    return found


async def _etag(gateway: Gateway) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(request("GET", _WEEK))
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return head.lower().partition(b"\r\netag: ")[2].partition(b"\r\n")[0]


async def seed(directory: Path, jobs: int, runs: int) -> None:
    """Jobs that have run once a day until now, all well."""
    store = sqlite_store(directory / "ua.db", synchronous="OFF")
    await store.open()
    now = datetime.now(UTC).replace(microsecond=0)
    days = runs // jobs
    make = maker()
    made = []
    for number in range(jobs):
        anchor = now - days * _DAY - _DAY + timedelta(seconds=1 + number * 86_000 // jobs)
        made.append(make(IntervalSchedule(_DAY, anchor), anchor))
    await asyncio.gather(
        *(store.write(verbs.jobs.create_job, job, now=job.created_at) for job in made)
    )
    if (claimed_by := _claimed_by(_finish)).get("process"):
        await store.write(verbs.processes.register, claimed_by["process"], now=now)
    for _ in range(days):
        made = await _one_day(store, made)
    await store.close()


async def _one_day(store: Store, jobs: list[Job]) -> list[Job]:
    decisions, then = [], []
    for job in jobs:
        assert job.next_run_at is not None
        start = SlotStart(
            scheduled_at=job.next_run_at, run_id=RunId(new_id("run", job.next_run_at))
        )
        after = job.next_run_at + _DAY
        decisions.append(Decision(job=job, starts=(start,), missed=(), next_run_at=after))
        then.append(replace(job, next_run_at=after))
    at = then[0].next_run_at
    assert at is not None
    now = at - _DAY
    admission = await store.write(
        partial(verbs.admission.admit, **_claimed_by(verbs.admission.admit)),
        decisions,
        free_workers=len(jobs),
        now=now,
    )
    ended = [
        Finished(
            claimed=claimed,
            status=RunStatus.SUCCESS,
            started_at=claimed.run.scheduled_at + timedelta(milliseconds=4),
            finished_at=claimed.run.scheduled_at + timedelta(milliseconds=1500),
        )
        for claimed in admission.started
    ]
    await store.write(partial(_finish, **_claimed_by(_finish)), ended, free_workers=0, now=now)
    return then


#: The verb that ends runs and claims others; older builds call it `finish`.
_finish: Any = getattr(verbs.execution, "settle", verbs.execution.finish)


def _claimed_by(verb: Callable[..., Any]) -> dict[str, Any]:
    """Who claims, as the build that is measured names it: older ones take the host alone."""
    if "host" in signature(verb).parameters:
        return {"host": "bench"}
    from universal_agent.domain.process import Process

    began = datetime.fromtimestamp(0, UTC)
    return {"process": Process(process_id="bench", host="bench", started_at=began)}
