"""Runs that give no sign of life are stopped; those that talk, touch or wait for a tool are not."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.gateway import SECOND, Gateway
from universal_agent.domain.job import Job, OffLabel
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import RunStatus
from universal_agent.errors import InvalidInput
from universal_agent.runners.agent_programs import JsonReply
from universal_agent.runners.base import RunRequest, RunResult
from universal_agent.runners.signs_of_life import SignsOfLife
from universal_agent.testing import SUCCESS, ManualClock

Work = Callable[[RunRequest], Awaitable[None]]


def works(gateway: Gateway, work: Work) -> None:
    """What each run does before it ends well."""

    async def run(request: RunRequest) -> RunResult:
        await work(request)
        return SUCCESS

    gateway.runner.run = run  # type: ignore[method-assign]


def touch(request: RunRequest, clock: ManualClock) -> None:
    """What the run's `touch "$UA_PROGRESS"` does, at the time of the test's clock."""
    path = Path(request.facts()["UA_PROGRESS"])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    at = clock.now().timestamp()
    os.utime(path, (at, at))


async def run_of(gateway: Gateway, job: Job) -> Any:
    (run,) = await gateway.runs(job)
    return run


async def test_a_silent_run_is_stopped_long_before_its_limit(
    gateway: Gateway, clock: ManualClock
) -> None:
    async def work(request: RunRequest) -> None:
        await clock.sleep(10)
        request.output.write(b"three of four\n")
        await clock.sleep(3600)

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60, timeout_seconds=1800)
    await clock.advance(69)
    assert await gateway.statuses(job) == [RunStatus.RUNNING]
    await clock.advance(5)
    run = await run_of(gateway, job)
    assert run.status is RunStatus.STALLED
    assert run.error == (
        "stopped: no sign of life for 60 s (the last: output at 2026-01-14 12:00:11 UTC); its "
        "limit would have been 1800 s; last line: three of four"
    )
    assert run.finished_at - run.started_at == 70 * SECOND
    ledger = await gateway.ledger(job)
    assert (ledger.ran["stalled"], ledger.unaccounted) == (1, [])


async def test_a_run_that_talks_all_along_ends_by_itself(
    gateway: Gateway, clock: ManualClock
) -> None:
    async def work(request: RunRequest) -> None:
        for _ in range(40):
            await clock.sleep(50)
            request.output.write_stderr(b".")

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(2100)
    assert await gateway.statuses(job) == [RunStatus.SUCCESS]


async def test_a_run_that_says_nothing_ends_at_its_limit_without_an_idle_timeout(
    gateway: Gateway, clock: ManualClock
) -> None:
    works(gateway, lambda _: clock.sleep(7200))
    job = await gateway.create(run_at="1s", timeout_seconds=600)
    await clock.advance(700)
    assert await gateway.statuses(job) == [RunStatus.TIMEOUT]


async def test_a_touch_of_the_progress_file_is_a_sign_of_life(
    gateway: Gateway, clock: ManualClock
) -> None:
    async def work(request: RunRequest) -> None:
        for _ in range(5):
            await clock.sleep(40)
            touch(request, clock)
        await clock.sleep(3600)

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(150)
    run = await run_of(gateway, job)
    shown = await gateway.runtime.cron.shown_run(run.run_id)
    assert shown["last_sign_of_life"] == "progress"
    assert shown["last_sign_of_life_at"] == gateway.began.timestamp() + 121
    await clock.advance(150)
    run = await run_of(gateway, job)
    assert run.status is RunStatus.STALLED
    assert "the last: progress at 2026-01-14 12:03:21 UTC" in run.error
    assert (await gateway.runtime.cron.shown_run(run.run_id))["last_sign_of_life_at"] is None


@pytest.mark.parametrize("step", [3600, -3600])
async def test_a_clock_that_is_set_after_a_touch_is_no_silence(
    gateway: Gateway, clock: ManualClock, step: int
) -> None:
    async def work(request: RunRequest) -> None:
        for _ in range(4):
            await clock.sleep(30)
            touch(request, clock)

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(40)
    clock.step(step)
    await clock.advance(120)
    assert await gateway.statuses(job) == [RunStatus.SUCCESS]


async def test_tools_without_number_do_not_fill_the_memory(clock: ManualClock) -> None:
    life = SignsOfLife(clock)
    for number in range(5000):
        life.tool_began(f"{number}" + "x" * 10_000)
    assert life.silent_for() == 0
    assert sum(map(len, life._tools)) <= 200_000
    for number in range(1000):
        life.tool_ended(f"{number}" + "x" * 10_000)
    await clock.advance(30)
    assert life.silent_for() == 30


@pytest.mark.parametrize(
    ("program", "began", "ended"),
    [
        (
            "claude",
            {"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "t1"}]}},
            {
                "type": "user",
                "message": {"content": [{"type": "tool_result", "tool_use_id": "t1"}]},
            },
        ),
        (
            "codex",
            {"type": "item.started", "item": {"id": "i1", "type": "command_execution"}},
            {"type": "item.completed", "item": {"id": "i1", "type": "command_execution"}},
        ),
        ("gemini", {"type": "tool_use", "tool_id": "g1"}, {"type": "tool_result", "tool_id": "g1"}),
    ],
)
async def test_silence_is_no_hang_while_an_agent_waits_for_a_tool(
    gateway: Gateway,
    clock: ManualClock,
    program: str,
    began: dict[str, Any],
    ended: dict[str, Any],
) -> None:
    async def work(request: RunRequest) -> None:
        reply = JsonReply(program, request.output)
        reply.write(json.dumps(began).encode() + b"\n")
        await clock.sleep(900)
        reply.write(json.dumps(ended).encode() + b"\n")
        await clock.sleep(3000)

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(900)
    assert await gateway.statuses(job) == [RunStatus.RUNNING]
    await clock.advance(130)
    assert await gateway.statuses(job) == [RunStatus.STALLED]


async def test_reasoning_is_no_tool(gateway: Gateway, clock: ManualClock) -> None:
    async def work(request: RunRequest) -> None:
        line = {"type": "item.started", "item": {"id": "i1", "type": "reasoning"}}
        JsonReply("codex", request.output).write(json.dumps(line).encode() + b"\n")
        await clock.sleep(3000)

    works(gateway, work)
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(100)
    assert await gateway.statuses(job) == [RunStatus.STALLED]


async def test_a_stalled_run_counts_as_a_failed_slot(gateway: Gateway, clock: ManualClock) -> None:
    works(gateway, lambda _: clock.sleep(3000))
    job = await gateway.create(every="2m", idle_timeout_seconds=30, auto_pause_after=2)
    await clock.advance(500)
    assert (await gateway.job(job)).spec.off_label is OffLabel.AUTO_PAUSED
    assert (await gateway.ledger(job)).ran["stalled"] == 2


async def test_a_clock_that_is_set_forward_is_no_silence(
    gateway: Gateway, clock: ManualClock
) -> None:
    works(gateway, lambda _: clock.sleep(50))
    job = await gateway.create(run_at="1s", idle_timeout_seconds=60)
    await clock.advance(20)
    clock.step(3600)
    await clock.advance(60)
    assert await gateway.statuses(job) == [RunStatus.SUCCESS]


async def test_the_idle_timeout_is_shorter_than_the_limit(gateway: Gateway) -> None:
    with pytest.raises(InvalidInput, match=r"below timeout_seconds \(60 s\), got 60 s") as refused:
        await gateway.create(every="1h", idle_timeout_seconds=60, timeout_seconds=60)
    assert refused.value.field == "idle_timeout_seconds"
    job = await gateway.create(every="1h", idle_timeout_seconds=60)
    with pytest.raises(InvalidInput) as refused:
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(timeout_seconds=30))
    assert refused.value.field == "timeout_seconds"
    edited = await gateway.runtime.jobs.edit(job.job_id, JobDraft(idle_timeout_seconds=None))
    assert edited.spec.policy.idle_timeout_seconds is None


async def test_a_run_is_told_its_deadline(gateway: Gateway, clock: ManualClock) -> None:
    told: list[str] = []

    async def work(request: RunRequest) -> None:
        told.append(request.facts()["UA_DEADLINE"])

    works(gateway, work)
    await gateway.create(run_at="1s", timeout_seconds=90)
    await clock.advance(2)
    assert told == ["2026-01-14T12:01:31Z"]
