"""What is forgotten is not missed: the calendar stays what the whole log had made of it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from structlog.testing import capture_logs

from tests.integration.histories import History
from tests.integration.test_projection import assert_same_both_ways, histories
from universal_agent.engine import retention
from universal_agent.engine.retention import Retention
from universal_agent.errors import Conflict, StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.checkpoint import Checkpoint
from universal_agent.store.store import sqlite_store
from universal_agent.testing import ManualClock
from universal_agent.views.calendar import FeedQuery

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
async def history(tmp_path: Path, clock: ManualClock) -> AsyncIterator[History]:
    """A product with events that are older than an hour, and a young one."""
    history = await History.begin(tmp_path, clock)
    for number in range(3):
        await history.create(number, 0, 0)
    await history.run_now(0, 0, 0)
    await history.finish(0, 0, 0)
    await history.edit(1, 1, 0)
    await history.switch(2, 1, 0)
    clock.step(HOUR.total_seconds() + 1)
    await history.create(4, 0, 0)
    yield history
    await history.end()


def forgetting(history: History, **kept_for: timedelta) -> Retention:
    """A retention that has run for a month, with a clock that does not hold it up."""
    month = 30 * DAY
    clock = NoPauses(history.clock.now() - month)
    made = retention_on(history, clock, **kept_for)
    clock.freeze(month.total_seconds())
    return made


def retention_on(history: History, clock: ManualClock, **kept_for: timedelta) -> Retention:
    settings = history.runtime.settings
    given: dict[str, Any] = {"events_for": None, "run_logs_for": None, **kept_for}
    return Retention(
        history.runtime.store,
        history.runtime.checkpoint,
        clock,
        run_logs_dir=settings.run_logs_dir,
        slot_states_dir=settings.slot_states_dir,
        **given,
    )


class NoPauses(ManualClock):
    async def sleep(self, seconds: float) -> None:
        """Return at once."""


def lose_checkpoints(folder: Path) -> None:
    for file in folder.glob("ua.db.checkpoint-*"):
        file.unlink()


async def oldest_seq(history: History) -> int:
    return (await history.runtime.store.read(verbs.event_log.log_bounds)).oldest_seq


async def test_events_that_are_too_old_go_and_the_others_stay(history: History) -> None:
    newest = (await history.runtime.store.read(verbs.event_log.log_bounds)).newest_seq
    await forgetting(history, events_for=HOUR).sweep()
    kept = await history.runtime.store.read_events(after_seq=0, limit=100)
    assert [event.seq for event in kept] == [newest]
    assert kept[0].timestamp == history.clock.now()


async def test_the_newest_event_stays_however_old_it_is(history: History) -> None:
    newest = (await history.runtime.store.read(verbs.event_log.log_bounds)).newest_seq
    history.clock.step(1000 * DAY.total_seconds())
    await forgetting(history, events_for=HOUR).sweep()
    bounds = await history.runtime.store.read(verbs.event_log.log_bounds)
    assert (bounds.oldest_seq, bounds.newest_seq) == (newest, newest)


async def test_nothing_goes_while_all_is_to_be_kept(history: History) -> None:
    history.clock.step(1000 * DAY.total_seconds())
    await forgetting(history).sweep()
    assert await oldest_seq(history) == 1


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(histories, histories)
def test_the_projection_can_be_made_anew_whatever_was_forgotten(
    before: list[tuple[str, int, int, int]], after: list[tuple[str, int, int, int]]
) -> None:
    async def check(history: History) -> None:
        projector = history.runtime.projector
        for part in (before, after):
            for step in part:
                await history.step(*step)
            await forgetting(history, events_for=HOUR).sweep()
            assert (await projector.verify()).ok
        await assert_same_both_ways(history)
        assert (await projector.rebuild()).ok
        await assert_same_both_ways(history)

    History.examine(check)


async def test_a_projection_that_was_switched_off_meanwhile_goes_on_from_the_checkpoint(
    history: History,
) -> None:
    assert await history.runtime.store.read(verbs.projection.projection_position) == 0
    await forgetting(history, events_for=HOUR).sweep()
    assert await oldest_seq(history) > 1
    await history.runtime.projector.catch_up()
    await assert_same_both_ways(history)


async def test_a_rebuild_without_the_checkpoint_keeps_the_projection_and_says_why(
    history: History, tmp_path: Path
) -> None:
    runtime = history.runtime
    await forgetting(history, events_for=HOUR).sweep()
    await runtime.projector.catch_up()
    before = await runtime.store.read(verbs.projection.projection_digest)
    lose_checkpoints(tmp_path)
    for ask in (runtime.projector.verify, runtime.projector.rebuild):
        with pytest.raises(Conflict, match="Restore the checkpoint"):
            await ask()
    assert await runtime.store.read(verbs.projection.projection_digest) == before
    assert await runtime.projector.is_caught_up()
    await assert_same_both_ways(history)


@pytest.mark.parametrize("damage", ["overwritten", "a folder"])
async def test_a_damaged_checkpoint_is_refused_by_name_and_changes_nothing(
    history: History, tmp_path: Path, damage: str
) -> None:
    runtime = history.runtime
    await forgetting(history, events_for=HOUR).sweep()
    await runtime.projector.catch_up()
    before = await runtime.store.read(verbs.projection.projection_digest)
    oldest = await oldest_seq(history)
    stream_id = (await runtime.store.read(verbs.event_log.log_bounds)).stream_id
    checkpoint = tmp_path / f"ua.db.checkpoint-{stream_id}"
    lose_checkpoints(tmp_path)
    if damage == "a folder":
        checkpoint.mkdir()
    else:
        checkpoint.write_bytes(b"no database" * 100)
    for ask in (runtime.projector.verify, runtime.projector.rebuild):
        with pytest.raises(Conflict, match=r"The checkpoint .* cannot be read"):
            await ask()
    history.clock.step(HOUR.total_seconds() + 1)
    await forgetting(history, events_for=HOUR).sweep()
    assert await oldest_seq(history) == oldest
    assert await runtime.store.read(verbs.projection.projection_digest) == before


async def test_feeds_are_scanned_where_the_projection_cannot_follow_the_log(
    history: History, tmp_path: Path
) -> None:
    runtime = history.runtime
    assert await runtime.store.read(verbs.projection.projection_position) == 0
    await forgetting(history, events_for=HOUR).sweep()
    lose_checkpoints(tmp_path)
    with capture_logs() as logs:
        for _ in range(2):
            assert not await runtime.projector.is_caught_up()
            answer = await runtime.calendar.answer(FeedQuery(), now=history.clock.now())
            assert answer.body is not None
    stuck = [log for log in logs if log["event"] == "projection_stuck"]
    assert len(stuck) == 1
    assert "Restore the checkpoint" in stuck[0]["error"]


async def test_little_goes_at_a_time(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    store, steps = history.runtime.store, []
    forget = store.forget_events

    async def watched(*, until: int) -> None:
        steps.append(until)
        await forget(until=until)

    monkeypatch.setattr(store, "forget_events", watched)
    await forgetting(history, events_for=HOUR).sweep()
    assert steps == [*range(3, steps[-1], 3), steps[-1]]
    assert steps[-1] == await oldest_seq(history) - 1


async def test_a_kill_between_the_checkpoint_and_the_log_loses_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*, until: int) -> None:
        raise StoreUnavailable(f"killed before {until} events were forgotten")

    with monkeypatch.context() as patched:
        patched.setattr(history.runtime.store, "forget_events", killed)
        await forgetting(history, events_for=HOUR).sweep()
    assert await oldest_seq(history) == 1
    await forgetting(history, events_for=HOUR).sweep()
    assert await oldest_seq(history) > 1
    assert (await history.runtime.projector.verify()).ok


async def test_nothing_more_is_forgotten_when_the_checkpoint_was_lost(
    history: History, tmp_path: Path
) -> None:
    await forgetting(history, events_for=HOUR).sweep()
    oldest = await oldest_seq(history)
    await history.runtime.projector.catch_up()
    lose_checkpoints(tmp_path)
    history.clock.step(HOUR.total_seconds() + 1)
    await history.create(5, 0, 0)
    await forgetting(history, events_for=HOUR).sweep()
    assert await oldest_seq(history) == oldest
    with pytest.raises(Conflict, match="the projection cannot be made"):
        await history.runtime.projector.verify()


async def test_the_checkpoint_of_another_database_is_not_taken(
    history: History, tmp_path: Path
) -> None:
    await forgetting(history, events_for=HOUR).sweep()
    checkpoint = Checkpoint(tmp_path / "ua.db", sqlite_store)
    async with checkpoint.opened("another") as empty:
        assert await empty.read(verbs.projection.projection_position) == 0


async def test_logs_of_old_runs_go_a_day_at_a_time(history: History) -> None:
    logs = history.runtime.settings.run_logs_dir
    today = history.clock.now()
    days = [f"{today - age * DAY:%Y-%m-%d}" for age in range(5)]
    for name in (*days, "not-a-day"):
        (logs / name).mkdir(parents=True)
        (logs / name / "run_1.log").write_text("done\n")
    await forgetting(history, run_logs_for=2 * DAY).sweep()
    assert {path.name for path in logs.iterdir()} == {*days[:3], "not-a-day"}


async def test_logs_that_cannot_be_removed_stay_and_harm_nobody(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(f"{path} is not ours")

    day = history.runtime.settings.run_logs_dir / "2001-01-01"
    day.mkdir(parents=True)
    monkeypatch.setattr("universal_agent.engine.retention.shutil.rmtree", refuse)
    await forgetting(history, run_logs_for=DAY).sweep()
    assert day.exists()


class TestAClockThatLeaps:
    """What is deleted cannot be had back, so a leap is not believed at first."""

    async def test_nothing_goes_because_the_clock_ran_ahead_while_it_ran(
        self, history: History
    ) -> None:
        clock = NoPauses(history.clock.now())
        retention = retention_on(history, clock, events_for=2 * HOUR, run_logs_for=2 * DAY)
        logs = history.runtime.settings.run_logs_dir / f"{clock.now():%Y-%m-%d}"
        logs.mkdir(parents=True)
        await retention.sweep()
        clock.step(400 * DAY.total_seconds())
        await retention.sweep()
        assert (await oldest_seq(history), logs.exists()) == (1, True)
        clock.step(-400 * DAY.total_seconds())
        await retention.sweep()
        assert (await oldest_seq(history), logs.exists()) == (1, True)

    async def test_nothing_goes_at_a_start_with_a_clock_that_is_ahead(
        self, history: History
    ) -> None:
        await retention_on(history, NoPauses(history.clock.now()), events_for=2 * HOUR).sweep()
        for _ in range(3):  # it is started again and again
            ahead = NoPauses(history.clock.now() + 400 * DAY)
            await retention_on(history, ahead, events_for=2 * HOUR).sweep()
        assert await oldest_seq(history) == 1

    async def test_a_leap_is_believed_when_it_has_stood_for_a_week_of_running(
        self, history: History
    ) -> None:
        await retention_on(history, NoPauses(history.clock.now()), events_for=DAY).sweep()
        clock = NoPauses(history.clock.now() + 5 * DAY)
        retention = retention_on(history, clock, events_for=DAY)
        await retention.sweep()
        for _ in range(7 * 24 - 1):
            clock.freeze(HOUR.total_seconds())
            await retention.sweep()
        newest = (await history.runtime.store.read(verbs.event_log.log_bounds)).newest_seq
        assert await oldest_seq(history) == newest, "a day of running is a day"

    async def test_time_that_the_gateway_ran_counts_at_once(self, history: History) -> None:
        clock = NoPauses(history.clock.now())
        retention = retention_on(history, clock, events_for=DAY)
        await retention.sweep()
        clock.freeze(2 * DAY.total_seconds())
        await retention.sweep()
        assert await oldest_seq(history) > 1
