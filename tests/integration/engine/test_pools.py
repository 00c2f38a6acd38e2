"""Pools, workers in reserve, the background class of missed slots, and the ageing of the queue."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.gateway import MINUTE, SECOND, Gateway
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.system_event import WakeMode
from universal_agent.errors import Conflict, InvalidInput, NotFound
from universal_agent.testing import ManualClock

Open = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def opened(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Open]:
    """Starts a gateway with one worker and these settings."""
    gateways: list[Gateway] = []

    async def opened(**settings: Any) -> Gateway:
        settings = {"cron_max_concurrency": 1, **settings}
        gateway = Gateway(tmp_path / "data", clock, **settings)
        await gateway.start()
        gateways.append(gateway)
        return gateway

    yield opened
    for gateway in gateways:
        await gateway.stop()


async def titles_running(gateway: Gateway) -> list[str | None]:
    return [request.title for request in gateway.runner.running.values()]


async def now_running(gateway: Gateway, clock: ManualClock, *jobs: Job) -> list[str | None]:
    """Run these jobs now; the titles of what is in execution."""
    for job in jobs:
        await gateway.runtime.jobs.run_now(job.job_id)
    await clock.settle()
    return await titles_running(gateway)


class TestWorkersInReserve:
    async def test_a_light_job_and_a_beat_start_beside_a_run_that_has_the_only_worker(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(light_workers=2)
        gateway.runner.hold()
        heavy = await gateway.create(title="heavy", every="1d")
        light = await gateway.create(title="light", every="1d", light=True)
        beats = await gateway.session(every="1h")
        assert await now_running(gateway, clock, heavy, light) == ["heavy", "light"]
        await gateway.runtime.heartbeats.wake(beats.job_id, WakeMode.NOW, reason=None, by="ada")
        await clock.settle()
        assert [request.job_id for request in gateway.beats.requests] == [beats.job_id]

    async def test_ordinary_runs_never_take_the_workers_in_reserve(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(light_workers=2)
        gateway.runner.hold()
        jobs = [await gateway.create(title=name, every="1d") for name in ("a", "b", "c")]
        assert await now_running(gateway, clock, *jobs) == ["a"]

    async def test_light_runs_beyond_the_reserve_take_ordinary_workers_and_no_more(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(light_workers=1, cron_max_concurrency=2)
        gateway.runner.hold()
        light = [await gateway.create(title=n, every="1d", light=True) for n in ("a", "b", "c")]
        more = [await gateway.create(title=name, every="1d", light=True) for name in "de"]
        heavy = await gateway.create(title="heavy", every="1d")
        assert await now_running(gateway, clock, *light) == ["a", "b", "c"]
        assert await now_running(gateway, clock, heavy, *more) == ["a", "b", "c"]
        gateway.runner.release()
        await clock.settle()
        assert len(gateway.runner.requests) == 6

    @pytest.mark.parametrize("light", [True, False])
    async def test_a_slot_finds_the_reserve_when_it_is_admitted(
        self, opened: Open, clock: ManualClock, *, light: bool
    ) -> None:
        gateway = await opened(light_workers=1)
        gateway.runner.hold()
        heavy = await gateway.create(title="heavy", every="1d")
        await gateway.create(title="due", run_at="10s", light=light)
        await now_running(gateway, clock, heavy)
        await clock.advance(10)
        assert await titles_running(gateway) == ["heavy", "due"][: 1 + light]

    async def test_a_light_job_has_a_short_limit(self, opened: Open) -> None:
        gateway = await opened()
        job = await gateway.create(every="1h", light=True)
        assert job.spec.policy.timeout_seconds == 300
        for fields in ({"light": True, "timeout_seconds": 301},):
            with pytest.raises(InvalidInput, match="at most 300 s for a light job, got 301 s"):
                await gateway.create(every="1h", **fields)
        ordinary = await gateway.create(every="1h")
        with pytest.raises(InvalidInput, match="got 3600 s"):
            await gateway.runtime.jobs.edit(ordinary.job_id, JobDraft(light=True))


class TestPools:
    async def test_no_more_runs_of_a_pool_are_in_execution_than_it_has_places(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8, pools=("browser=1",))
        gateway.runner.hold()
        browsers = [
            await gateway.create(title=f"browser {n}", every="1d", pool="browser") for n in range(3)
        ]
        other = await gateway.create(title="other", every="1d")
        assert await now_running(gateway, clock, *browsers, other) == ["browser 0", "other"]
        gateway.runner.release()
        await clock.settle()
        assert len(gateway.runner.requests) == 4
        (pool,) = [
            one for one in await gateway.runtime.pools.documents() if one["name"] != "default"
        ]
        assert (pool["size"], pool["origin"], pool["running"]) == (1, "settings", 0)

    async def test_slots_that_come_due_together_obey_it(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8, pools=("browser=2",))
        gateway.runner.hold()
        for _ in range(5):
            await gateway.create(run_at="10s", pool="browser")
        await gateway.create(title="other", run_at="10s")
        await clock.advance(10)
        assert len(gateway.runner.running) == 3

    async def test_a_larger_pool_starts_what_waits_at_once(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8)
        await gateway.runtime.pools.put("browser", 1, by="ada")
        gateway.runner.hold()
        jobs = [await gateway.create(every="1d", pool="browser") for _ in range(3)]
        assert len(await now_running(gateway, clock, *jobs)) == 1
        document = await gateway.runtime.pools.put("browser", 3, by="ada")
        await clock.settle()
        assert len(gateway.runner.running) == 3
        assert (document["size"], document["origin"]) == (3, "operator")

    async def test_a_job_names_a_pool_that_is_there(self, opened: Open) -> None:
        gateway = await opened(pools=("browser=1",))
        with pytest.raises(InvalidInput, match="expected one of browser, got 'gpu'"):
            await gateway.create(every="1d", pool="gpu")
        with pytest.raises(InvalidInput, match="expected another name than 'default'"):
            await gateway.create(every="1d", pool="default")
        job = await gateway.create(every="1d", pool="browser")
        with pytest.raises(InvalidInput, match="got 'gpu'"):
            await gateway.runtime.jobs.edit(job.job_id, JobDraft(pool="gpu"))
        edited = await gateway.runtime.jobs.edit(job.job_id, JobDraft(pool=None))
        assert edited.spec.pool is None

    async def test_a_pool_that_a_job_names_is_not_removed(self, opened: Open) -> None:
        gateway = await opened()
        pools = gateway.runtime.pools
        await pools.put("gpu", 1, by="ada")
        job = await gateway.create(every="1d", pool="gpu")
        with pytest.raises(Conflict, match=job.job_id):
            await pools.delete("gpu", by="ada")
        await gateway.runtime.jobs.delete(job.job_id)
        await pools.delete("gpu", by="ada")
        with pytest.raises(NotFound):
            await pools.delete("gpu", by="ada")
        changes = [e.data for e in await gateway.events() if e.type == "pool_changed"]
        assert [(data["name"], data["size"], data["by"]) for data in changes] == [
            ("gpu", 1, "ada"),
            ("gpu", None, "ada"),
        ]

    async def test_a_run_that_waits_for_a_pool_that_is_removed_starts_all_the_same(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8)
        pools = gateway.runtime.pools
        await pools.put("gpu", 1, by="ada")
        gateway.runner.hold()
        jobs = [
            await gateway.create(every="1d", pool="gpu", timeout_seconds=86_400) for _ in range(2)
        ]
        assert len(await now_running(gateway, clock, *jobs)) == 1
        for job in jobs:
            await gateway.runtime.jobs.edit(job.job_id, JobDraft(pool=None))
        await pools.delete("gpu", by="ada")
        await clock.settle()
        assert len(gateway.runner.running) == 2

    async def test_settings_win_and_what_they_name_no_more_goes_unless_a_job_names_it(
        self, opened: Open
    ) -> None:
        gateway = await opened(pools=("browser=1", "gpu=2"))
        with pytest.raises(Conflict, match="UA_POOLS"):
            await gateway.runtime.pools.put("gpu", 9, by="ada")
        with pytest.raises(Conflict, match="UA_POOLS"):
            await gateway.runtime.pools.delete("gpu", by="ada")
        await gateway.create(every="1d", pool="browser")
        await gateway.stop()
        await gateway.start(pools=())
        pools = [
            (one["name"], one["size"], one["origin"])
            for one in await gateway.runtime.pools.documents()
        ]
        assert pools == [("default", 1, "settings"), ("browser", 1, "operator")]


class TestTheBackgroundClass:
    async def test_what_is_useful_for_the_shortest_time_is_caught_up_first(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened()
        policy = {"on_miss": "run_latest", "every": "10m"}
        await gateway.create(title="long", useful_for_seconds=86_400, **policy)
        await gateway.create(title="without end", **policy)
        await gateway.create(title="short", useful_for_seconds=7200, **policy)
        await gateway.kill()
        clock.step(3600 + 300)
        await gateway.start()
        await clock.advance(5)
        caught_up = [r.title for r in gateway.runner.requests if r.trigger is Trigger.CATCH_UP]
        assert caught_up == ["short", "long", "without end"]

    async def test_catch_ups_start_one_after_the_other_and_fresh_slots_do_not_wait_for_them(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8, catch_up_spacing_ms=2000)
        for _ in range(10):
            await gateway.create(every="10m", on_miss="run_latest")
        await gateway.kill()
        clock.step(3600 + 300)
        await gateway.start()
        fresh = await gateway.create(run_at="1s")
        await clock.advance(60)
        runs = await gateway.runs()
        starts = sorted(
            run.started_at
            for run in runs
            if run.trigger is Trigger.CATCH_UP and run.started_at is not None
        )
        gaps = [after - before for before, after in itertools.pairwise(starts)]
        assert gaps == [2 * SECOND] * 9
        (first,) = [run for run in runs if run.source_ref == fresh.job_id]
        assert first.started_at == first.scheduled_at


class TestWaiting:
    async def test_a_run_that_waits_rises_above_newer_runs_of_higher_priority(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(queue_aging_seconds=120)
        gateway.runner.seconds = 30
        low = await gateway.create(
            title="low", run_at="1s", metadata={"priority": "low"}, queue_limit_seconds=3600
        )
        for _ in range(2):
            await gateway.create(
                every="20s",
                overlap="queue_one",
                metadata={"priority": "critical"},
                queue_limit_seconds=3600,
            )
        await clock.advance(600)
        (run,) = await gateway.runs(low)
        assert run.status is RunStatus.SUCCESS

    async def test_health_names_a_pool_in_which_a_run_has_waited_too_long(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(pool_wait_warn_seconds=60, pools=("gpu=1",))
        gateway.runner.hold()
        jobs = [
            await gateway.create(every="1d", pool="gpu", timeout_seconds=86_400) for _ in range(2)
        ]
        await now_running(gateway, clock, *jobs)
        assert gateway.runtime.health().reasons == ()
        await clock.advance(75)
        health = gateway.runtime.health()
        assert health.ok
        assert health.is_degraded
        assert health.reasons == ("a run has waited for 75 s in the pool gpu",)
        figures = await gateway.runtime.pools.figures()
        assert figures == {"default": (1, 1, 0, 0.0), "gpu": (1, 1, 1, 75.0)}
        gateway.runner.release()
        await clock.advance(30)
        assert gateway.runtime.health().reasons == ()

    async def test_nothing_is_looked_at_while_no_run_waits(
        self, opened: Open, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway = await opened()
        await gateway.create(every="1m", timeout_seconds=86_400)
        await clock.advance(120)
        looks: list[float] = []
        watch = gateway.runtime.pools.watch

        async def counted() -> None:
            looks.append(clock.monotonic())
            await watch()

        monkeypatch.setattr(gateway.runtime.pools, "watch", counted)
        await clock.advance(3600)
        assert looks == []
        gateway.runner.hold()
        await gateway.create(run_at="1s", queue_limit_seconds=3600)
        await clock.advance(180)
        assert len(looks) >= 3

    async def test_a_slot_missed_for_capacity_names_what_held_the_pool(
        self, opened: Open, clock: ManualClock
    ) -> None:
        gateway = await opened(cron_max_concurrency=8, pools=("gpu=1",))
        gateway.runner.hold()
        holder = await gateway.create(
            title="nightly", run_at="10s", pool="gpu", timeout_seconds=86_400
        )
        waits = await gateway.create(
            title="report", run_at="1m", pool="gpu", queue_limit_seconds=60
        )
        await clock.advance(180)
        (run,) = await gateway.runs(holder)
        (missed,) = await gateway.pending()
        assert (missed.source_ref, missed.cause) == (waits.job_id, Cause.CAPACITY)
        expected = (
            f"the pool gpu (size 1) was held by nightly ({run.run_id}, since 2026-01-14 12:00:10 "
            "UTC)"
        )
        assert missed.held_by == expected
        told = [e.data for e in await gateway.events() if e.type == "cron_run_missed"]
        assert [data["held_by"] for data in told] == [expected]
        (notification,) = await gateway.runtime.notifications.page(limit=10, now=clock.now())
        assert expected in notification["message"]
        assert missed.span.first_at == gateway.began + MINUTE
