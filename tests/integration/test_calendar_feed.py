"""Every way for a client to keep a calendar comes to the same calendar."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from structlog.testing import capture_logs

from tests.integration.histories import History
from tests.integration.stand_in import stand_in
from tests.integration.test_projection import histories
from universal_agent.domain.calendar_days import View
from universal_agent.domain.calendar_size import MAX_BYTES
from universal_agent.domain.calendar_slots import is_frequent
from universal_agent.domain.job_draft import PAUSED, JobDraft
from universal_agent.errors import InvalidInput, WindowTooLarge
from universal_agent.store import verbs
from universal_agent.store.values import ProjectionDigest
from universal_agent.testing import ManualClock
from universal_agent.views.calendar import FeedQuery
from universal_agent.views.event_rows import EventRows

DAY = FeedQuery(view=View.DAY, timezone="UTC")
LOCAL = ("scheduled_at_local", "timezone_display")


@pytest.fixture
async def history(tmp_path: Path, clock: ManualClock) -> AsyncIterator[History]:
    """A product at the beginning of its history, with two jobs."""
    history = await History.begin(tmp_path, clock)
    await history.create(0, 0, 0)
    await history.create(1, 0, 0)
    yield history
    await history.end()


async def feed_of(history: History, **asked: Any) -> dict[str, Any]:
    answer = await history.runtime.calendar.answer(DAY, now=history.clock.now(), **asked)
    assert answer.body is not None
    document: dict[str, Any] = orjson.loads(answer.body)
    return document


def with_delta(held: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """What a client makes of a delta."""
    rows = {row["event_id"]: row for row in held["events"]}
    for event_id in delta["removed"]:
        del rows[event_id]
    rows |= {row["event_id"]: row for row in delta["upserts"]}
    order = sorted(rows.values(), key=lambda row: (row["scheduled_at_epoch"], row["source_ref"]))
    lists = {name: delta.get(name, held[name]) for name in ("always_running", "stasis_queue")}
    times = {name: delta[name] for name in ("version", "last_event_at_utc")}
    return {**held, **lists, **times, "events": order}


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_changes_since_a_version_turn_its_feed_into_the_present_one(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def check(history: History) -> None:
        held = await feed_of(history)
        for step in history_of:
            await history.step(*step)
            asked = await feed_of(history, since_version=held["version"])
            held = with_delta(held, asked) if asked.get("delta") else asked
            assert held == await feed_of(history)

    History.examine(check)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_rows_of_events_bring_a_feed_to_the_present_but_for_jobs_to_ask_for(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def rows_now(history: History) -> dict[str, dict[str, Any]]:
        rows = (await feed_of(history))["events"]
        return {row["event_id"]: {key: row[key] for key in row if key not in LOCAL} for row in rows}

    async def check(history: History) -> None:
        store = history.runtime.store
        told = EventRows(store)
        held, seq = await rows_now(history), 0
        for step in history_of:
            await history.step(*step)
            asked: set[str] = set()
            for event in await store.read_events(after_seq=seq, limit=10_000):
                seq = event.seq
                await told.learn([event])
                rows = told.of(event)
                if rows is None:
                    asked.add(event.source_ref)
                for row in rows or ():
                    held[row["event_id"]] = held.get(row["event_id"], {}) | row
            present = await rows_now(history)
            start = (await feed_of(history))["start_utc"]
            end = (await feed_of(history))["end_utc"]
            for event_id, row in [*present.items(), *held.items()]:
                if row["source_ref"] not in asked and (start <= row["scheduled_at_utc"] < end):
                    assert held.get(event_id) == present.get(event_id)
            held = present

    History.examine(check)


async def test_a_client_that_has_the_feed_is_told_so_without_a_body(history: History) -> None:
    now = history.clock.now()
    first = await history.runtime.calendar.answer(DAY, now=now)
    again = await history.runtime.calendar.answer(DAY, now=now, if_none_match=first.etag)
    assert (again.etag, again.body) == (first.etag, None)
    await history.create(2, 0, 0)
    after = await history.runtime.calendar.answer(DAY, now=now, if_none_match=first.etag)
    assert after.etag != first.etag
    assert after.body is not None


async def test_a_version_that_is_not_held_any_more_is_answered_with_the_whole_feed(
    history: History,
) -> None:
    whole = await feed_of(history)
    assert await feed_of(history, since_version=12345) == whole


async def test_the_flag_chooses_the_way_at_run_time(history: History) -> None:
    runtime = history.runtime
    first = await feed_of(history)
    assert runtime.metrics.counters["projection_read_hits"] == 1
    await runtime.flags.change({"UA_SCHED_EVENT_PROJECTION_ENABLED": False}, by="somebody")
    scanned = await feed_of(history)
    assert runtime.metrics.counters["projection_read_hits"] == 1
    for same in ("events", "always_running", "stasis_queue"):
        assert scanned[same] == first[same]


async def test_the_shadow_counts_and_logs_what_is_not_the_same(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = history.runtime
    await runtime.flags.change({"UA_SCHED_PROJECTION_SHADOW": True}, by="somebody")
    await feed_of(history)
    assert runtime.metrics.counters["projection_shadow_compares"] == 1
    assert runtime.metrics.counters["projection_shadow_mismatches"] == 0

    def forgetful(*_: object) -> None:
        """Folds nothing, yet says that it is done."""

    monkeypatch.setattr(verbs.projection, "_fold", forgetful)
    await history.switch(0, 1, 0)
    with capture_logs() as logs:
        await feed_of(history)
    assert runtime.metrics.counters["projection_shadow_mismatches"] == 1
    (record,) = [log for log in logs if log["event"] == "projection_mismatch"]
    assert record["count"] > 0


async def test_what_was_tampered_with_is_found_and_a_rebuild_mends_it(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    projector = history.runtime.projector
    await projector.catch_up()
    assert (await projector.verify()).ok
    with monkeypatch.context() as patched:
        patched.setattr(verbs.projection, "_fold", lambda *_: None)
        await history.switch(0, 1, 0)
        await projector.catch_up()
    assert not (await projector.verify()).ok
    assert not (await projector.rebuild()).ok
    assert (await projector.verify()).ok


async def test_a_good_projection_is_called_good_while_events_come_in(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = history.runtime

    async def busy(digest: Callable[[], Awaitable[ProjectionDigest]]) -> ProjectionDigest:
        found = await digest()
        await history.create(2, 0, 0)  # between the two that are compared
        return found

    for ask in (runtime.projector.verify, runtime.projector.rebuild):
        with monkeypatch.context() as patched:
            stand_in(patched, runtime.store, verbs.projection.projection_digest, busy)
            verdict = await ask()
        assert verdict.ok
    assert (await runtime.projector.verify()).ok


async def test_a_rebuild_that_finds_no_difference_writes_nothing(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object) -> None:
        raise AssertionError("a good projection was cleared")

    stand_in(monkeypatch, history.runtime.store, verbs.projection.clear_projection, refused)
    assert (await history.runtime.projector.rebuild()).ok


async def test_a_rebuild_mends_the_feeds_that_are_kept_and_that_clients_have(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, now = history.runtime, history.clock.now()
    await feed_of(history)
    with monkeypatch.context() as patched:
        patched.setattr(verbs.projection, "_fold", lambda *_: None)
        await history.switch(0, 1, 0)
        wrong = await runtime.calendar.answer(DAY, now=now)
    await runtime.projector.rebuild()
    mended = await runtime.calendar.answer(DAY, now=now, if_none_match=wrong.etag)
    assert mended.body not in (None, wrong.body)
    await runtime.flags.change({"UA_SCHED_EVENT_PROJECTION_ENABLED": False}, by="somebody")
    assert (await feed_of(history))["events"] == orjson.loads(mended.body or b"")["events"]


async def test_a_start_goes_on_where_the_projection_is(history: History) -> None:
    await history.runtime.projector.catch_up()
    position = await history.runtime.store.read(verbs.projection.projection_position)
    await history.runtime.jobs.edit((await history.jobs())[0].job_id, PAUSED)
    again = History(history.runtime, history.clock)
    again.runtime.projector.position = 0  # as a new process has it
    before = again.runtime.metrics.counters["projection_applied"]
    await again.runtime.projector.catch_up()
    newest = (await history.runtime.store.read(verbs.event_log.log_bounds)).newest_seq
    assert again.runtime.metrics.counters["projection_applied"] - before == newest - position


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (FeedQuery(start="2026-01-01T00:00Z", end="2026-03-05T00:00Z"), "end"),
        (FeedQuery(start="2026-01-02T00:00Z", end="2026-01-01T00:00Z"), "start"),
        (
            FeedQuery(source_ref="job_a", start="2026-01-01T00:00Z", end="2026-01-03T00:00Z"),
            "source_ref",
        ),
        (FeedQuery(timezone="Mars/Olympus"), "timezone_name"),
    ],
)
async def test_a_window_that_is_too_wide_or_makes_no_sense_is_refused_not_cut(
    history: History, asked: FeedQuery, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await history.runtime.calendar.answer(asked, now=history.clock.now())
    assert refused.value.field == field


async def test_the_widest_window_holds_every_slot(history: History) -> None:
    now = history.clock.now()
    await history.runtime.jobs.create(JobDraft(command="true", runner="shell", every="10m"))
    asked = FeedQuery(start=now.isoformat(), end=(now + timedelta(days=62)).isoformat())
    answer = await history.runtime.calendar.answer(asked, now=now)
    assert answer.body is not None
    events = orjson.loads(answer.body)["events"]
    # One each ten and one each twenty minutes; the last slot of each is where the window ends.
    assert len(events) == (62 * 144 - 1) + (62 * 72 - 1)
    assert len({event["event_id"] for event in events}) == len(events)


async def test_polls_without_a_start_ask_for_one_window_for_an_hour(history: History) -> None:
    view = history.runtime.calendar
    hour = history.clock.now().replace(minute=0)
    windows = [
        view.window(FeedQuery(), now=hour + timedelta(minutes=minutes)) for minutes in (0, 7, 59)
    ]
    assert len(set(windows)) == 1
    (window,) = set(windows)
    # 30 days back and 14 days ahead of every moment of the hour are in it.
    assert window.start <= hour - timedelta(days=30)
    assert window.end >= hour + timedelta(minutes=59, days=14)
    assert view.window(FeedQuery(), now=hour + timedelta(minutes=60)) != window


async def test_a_window_with_too_many_slots_is_refused_and_the_suggested_one_is_not(
    history: History,
) -> None:
    now = history.clock.now()
    for _ in range(20):
        await history.runtime.jobs.create(JobDraft(command="true", runner="shell", every="5m"))
    for asked in (FeedQuery(), FeedQuery(start=now.isoformat())):
        with pytest.raises(WindowTooLarge) as refused:
            await history.runtime.calendar.answer(asked, now=now)
        told = refused.value
        assert told.field == "end"
        assert all(word in told.message for word in ("source_ref", "owner", "source", "end="))
        shorter = FeedQuery(start=told.details["start"], end=told.details["suggested_end"])
        answer = await history.runtime.calendar.answer(shorter, now=now)
        assert answer.body is not None and len(answer.body) < MAX_BYTES
    exact = 20 * (44 * 288 - 1) + (44 * 72 - 1)
    assert abs(told.details["estimated_events"] - exact) < exact / 100


async def test_a_window_that_is_too_large_for_all_may_be_asked_for_one_owner(
    history: History,
) -> None:
    now = history.clock.now()
    for number in range(20):
        await history.runtime.jobs.create(
            JobDraft(command="true", runner="shell", every="5m", user_id=f"user_{number}")
        )
    with pytest.raises(WindowTooLarge):
        await history.runtime.calendar.answer(FeedQuery(), now=now)
    for flag in (True, False):
        await history.runtime.flags.change({"UA_SCHED_EVENT_PROJECTION_ENABLED": flag}, by="me")
        answer = await history.runtime.calendar.answer(FeedQuery(owner="user_7"), now=now)
        assert answer.body is not None
        events = orjson.loads(answer.body)["events"]
        assert {event["owner_id"] for event in events} == {"user_7"}
        assert len(events) > 14 * 288


async def test_a_slot_of_every_second_is_served_singly_for_as_long_as_fits(
    history: History,
) -> None:
    now = history.clock.now()
    (job,) = [job for job in await history.jobs() if is_frequent(job.spec.schedule)]
    day = FeedQuery(start=now.isoformat(), end=(now + timedelta(days=1)).isoformat())
    with pytest.raises(WindowTooLarge) as refused:
        await history.runtime.calendar.answer(replace(day, source_ref=job.job_id), now=now)
    end = refused.value.details["suggested_end"]
    answer = await history.runtime.calendar.answer(
        replace(day, source_ref=job.job_id, end=end), now=now
    )
    assert answer.body is not None
    assert len(orjson.loads(answer.body)["events"]) > 10_000


async def test_callers_that_ask_for_the_same_at_once_share_one_answer(history: History) -> None:
    runtime, now = history.runtime, history.clock.now()
    builds = runtime.metrics.builds.count
    answers = await asyncio.gather(*(runtime.calendar.answer(DAY, now=now) for _ in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert runtime.metrics.builds.count == builds + 1


async def test_what_is_kept_of_feeds_is_bounded_by_bytes(history: History) -> None:
    runtime, now = history.runtime, history.clock.now()
    for _ in range(5):
        await runtime.jobs.create(JobDraft(command="true", runner="shell", every="10m"))
    for week in range(12):
        start = now + timedelta(days=7 * week)
        asked = FeedQuery(start=start.isoformat(), end=(start + timedelta(days=7)).isoformat())
        await runtime.calendar.answer(asked, now=now)
    kept = vars(runtime.calendar)["_cache"].kept
    assert 0 < kept.size <= kept.limit
