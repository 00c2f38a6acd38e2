"""The gateway is busy, or its disk is slow: that is no suspend, and no reason for an alarm."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.integration.engine.gateway import SECOND, Gateway, slots_after
from tests.integration.stand_in import stand_in
from universal_agent.domain.judge import Cause
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, RecordingRunner


async def causes(gateway: Gateway) -> set[Cause]:
    return {missed.cause for missed in await gateway.pending()}


@pytest.fixture
def log() -> Iterator[list[MutableMapping[str, Any]]]:
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def commit_seconds(
    gateway: Gateway, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> list[float]:
    """How long the next commits of the scheduler take, in their order; then none takes any time."""
    seconds: list[float] = []

    async def slow(admit: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        await clock.sleep(seconds.pop(0) if seconds else 0)
        return await admit(*args, **kwargs)

    stand_in(monkeypatch, gateway.store, verbs.admission.admit, slow)
    return seconds


async def test_a_commit_that_takes_long_is_not_a_suspend(
    gateway: Gateway,
    clock: ManualClock,
    commit_seconds: list[float],
    log: list[MutableMapping[str, Any]],
) -> None:
    await gateway.create(every="1s", misfire_grace_seconds=5, overlap="allow")
    commit_seconds.append(20.0)
    await clock.advance(40)
    assert await causes(gateway) == {Cause.CAPACITY}
    assert "clock_jumped" not in {line["event"] for line in log}


async def test_slots_within_their_grace_run_after_a_commit_of_four_seconds(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock, commit_seconds: list[float]
) -> None:
    await gateway.create(every="1s", overlap="allow")
    commit_seconds.append(4.0)
    await clock.advance(20)
    assert runner.slots == slots_after(gateway.began, 20, SECOND)
    assert gateway.runtime.health().ok


async def test_computing_for_long_is_not_a_suspend(
    gateway: Gateway, clock: ManualClock, log: list[MutableMapping[str, Any]]
) -> None:
    await gateway.create(every="1s", misfire_grace_seconds=5)
    await clock.advance(3)
    clock.work(30)
    await clock.advance(3)
    assert await causes(gateway) == {Cause.CAPACITY}
    assert "clock_jumped" not in {line["event"] for line in log}


async def test_tries_of_a_database_that_fails_slowly_are_not_a_suspend(
    gateway: Gateway, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: Any, **__: Any) -> None:
        await clock.sleep(5)
        raise StoreUnavailable("disk full")

    await gateway.create(every="10s", misfire_grace_seconds=5)
    with monkeypatch.context() as patch:
        stand_in(patch, gateway.store, verbs.admission.admit, full)
        await clock.advance(60)
    await clock.advance(20)
    assert await causes(gateway) == {Cause.STORE_UNAVAILABLE}


@pytest.mark.parametrize("jump", ["suspend", "freeze"])
async def test_a_suspend_during_a_commit_is_one_all_the_same(
    gateway: Gateway, clock: ManualClock, commit_seconds: list[float], jump: str
) -> None:
    await gateway.create(every="1m")
    commit_seconds.append(2.0)
    await clock.advance(61)
    getattr(clock, jump)(3600)
    await clock.advance(5)
    assert await causes(gateway) == {Cause.HOST_SUSPENDED}
    assert (await gateway.ledger()).unaccounted == []


async def test_a_long_turn_of_short_steps_raises_no_alarm(
    gateway: Gateway, clock: ManualClock, commit_seconds: list[float]
) -> None:
    """12,000 one-shots in a second are 48 commits in one turn."""
    for number in range(1500):
        await gateway.create(run_at="30s", title=f"job {number}")
    commit_seconds.extend([3.0] * 20)
    await clock.advance(30)
    for _ in range(20):
        await clock.advance(1)
        gateway.runtime.watchdog.look()
        assert gateway.runtime.watchdog.alarm is None
    assert gateway.runtime.health().ok
