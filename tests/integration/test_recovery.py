"""What a start makes of what a dead gateway left behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.engine import reconciler
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.testing import ManualClock

ENDLESS = {"command": "sleep 600", "every": "10s", "runner": "shell", "overlap": "allow"}


class Crash(BaseException):
    """The process dies here, as far as the store can tell."""


@pytest.fixture
def make_runtime(tmp_path: Path, clock: ManualClock) -> Callable[[], Runtime]:
    """Products over one data directory, one worker each."""
    settings = Settings(data_dir=tmp_path / "data", cron_max_concurrency=1)
    return lambda: Runtime(settings, clock=clock)


@pytest.fixture
async def left_behind(make_runtime: Callable[[], Runtime], clock: ManualClock) -> None:
    """One run is called running and one is queued, and nobody works on either."""
    runtime = make_runtime()
    await runtime.start()
    await runtime.supervisor.stop()
    await runtime.jobs.create(JobDraft.of(ENDLESS))
    clock.step(20)
    due = await runtime.store.read(verbs.admission.due, until=clock.now(), limit=10)
    decisions = [runtime.scheduler._decide(job, clock.now()) for job in due.jobs]
    await runtime.store.write(
        verbs.admission.admit,
        decisions,
        free_workers=1,
        process=runtime.own_process.process,
        now=clock.now(),
    )
    await runtime.store.close()


async def events_of(runtime: Runtime) -> list[dict[str, Any]]:
    events = await runtime.store.read_events(after_seq=0, limit=1000)
    return [event.envelope() for event in events]


@pytest.mark.usefixtures("left_behind")
async def test_processes_are_ended_while_their_runs_can_still_be_told(
    make_runtime: Callable[[], Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    async def die(run_ids: list[str], **_: object) -> int:
        asked.append(run_ids)
        raise Crash

    monkeypatch.setattr(reconciler, "kill_orphans", die)
    for _ in range(2):  # the second start finds what the first left
        runtime = make_runtime()
        with pytest.raises(Crash):
            await runtime.start()
        await runtime.store.close()
    assert len(asked[0]) == 1
    assert asked[0] == asked[1]


@pytest.mark.usefixtures("left_behind")
async def test_the_log_tells_of_a_waiting_run_that_was_dropped_for_being_late(
    make_runtime: Callable[[], Runtime], clock: ManualClock
) -> None:
    clock.step(3600)
    runtime = make_runtime()
    await runtime.start()
    told = {
        event["data"]["run"]["run_id"]: event["data"]["run"]["status"]
        for event in await events_of(runtime)
        if "run" in event["data"]
    }
    runs = await runtime.store.read(verbs.runs.list_runs, limit=100)
    assert {run.run_id: run.status for run in runs if run.trigger is Trigger.SCHEDULE} == told
    assert RunStatus.SKIPPED in told.values() and RunStatus.INTERRUPTED in told.values()
    await runtime.stop()


@pytest.mark.usefixtures("left_behind")
async def test_a_host_that_goes_by_another_name_now_still_closes_its_runs(
    make_runtime: Callable[[], Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "a-container-that-was-made-again")
    runtime = make_runtime()
    await runtime.start()
    assert await runtime.store.read(
        verbs.runs.list_runs, limit=10, statuses=[RunStatus.INTERRUPTED]
    )
    # (The one that waited may have been started by now: here, and not by the dead process.)
    running = await runtime.store.read(verbs.runs.list_runs, limit=10, statuses=[RunStatus.RUNNING])
    assert {run.host for run in running} <= {runtime.own_process.process.host}
    await runtime.stop()
