"""Whatever has happened, the log alone makes the same calendar as the runtime tables."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from tests.integration.histories import FREQUENT_STEPS, STEPS, History
from tests.integration.stand_in import stand_in
from universal_agent.domain.calendar import build_feed
from universal_agent.domain.calendar_facts import CalendarFacts, Detail, Window
from universal_agent.domain.slot import Source
from universal_agent.store import verbs
from universal_agent.store.store import sqlite_store
from universal_agent.threads import Pool
from universal_agent.views.calendar_provider import both_calendars
from universal_agent.views.calendar_text import FeedText, RowWriter
from universal_agent.views.feed_cache import FeedCache
from universal_agent.views.kept_feeds import KeptFeeds
from universal_agent.views.ledger import LedgerView

DAY = timedelta(days=1)

numbers = st.integers(0, 200)
steps = st.tuples(st.sampled_from(STEPS + FREQUENT_STEPS), numbers, numbers, numbers)
histories = st.lists(steps, min_size=5, max_size=40)


def written(facts: CalendarFacts, window: Window) -> FeedText:
    return RowWriter().write(build_feed(facts, window), window.zone)


async def windows(history: History) -> list[Window]:
    """Windows of every kind: all there is, hours cut in two, single jobs, past and to come."""
    now = history.clock.now()
    everything = Window(start=now - 30 * DAY, end=now + 14 * DAY, zone=ZoneInfo("America/Chicago"))
    kolkata = Window(
        start=now - timedelta(hours=2, minutes=17),
        end=now + timedelta(minutes=23),
        zone=ZoneInfo("Asia/Kolkata"),
    )
    # (A day of a job of every second is more than one answer may hold.)
    hours = replace(kolkata, start=now - timedelta(hours=1), end=now + timedelta(minutes=30))
    return [
        everything,
        replace(everything, include_resolved=True),
        replace(everything, end=now - timedelta(minutes=1)),
        kolkata,
        replace(kolkata, start=now - timedelta(minutes=3), end=now + timedelta(minutes=3)),
        *(replace(hours, source_ref=job.job_id) for job in (await history.jobs())[:3]),
        *(replace(kolkata, detail=detail) for detail in (Detail.SUMMARY, Detail.COUNTS)),
        replace(everything, detail=Detail.COUNTS, include_resolved=True),
        replace(everything, source=Source.CRON, owner_id="default"),
        replace(kolkata, owner_id="nobody"),
    ]


async def assert_same_both_ways(history: History) -> None:
    for window in await windows(history):
        scanned, projected = await both_calendars(history.runtime.store, window)
        scan, projection = written(scanned, window), written(projected, window)
        assert scan.differences(projection) == []
        assert (scan.version, scan.last_event_at) == (
            projection.version,
            projection.last_event_at,
        )


async def assert_kept_feeds_are_like_new_ones(
    history: History, kept: KeptFeeds, windows: Iterable[Window]
) -> None:
    """Feeds that were brought up to date since they were built, at any earlier time."""
    store = history.runtime.store
    await history.runtime.projector.catch_up()
    for window in windows:
        feed = await kept.feed(window)
        assert feed.version == (await store.read(verbs.event_log.log_bounds)).newest_seq
        rebuilt = written(await store.read(verbs.calendar.projected_calendar, window), window)
        assert RowWriter().write(feed, window.zone).differences(rebuilt) == []


async def assert_hours_add_up(history: History, detail: Detail) -> None:
    """The hours of a counted job count exactly the slots that are served when it is named."""
    now = history.clock.now()
    window = Window(
        start=now - timedelta(hours=1),
        end=now + timedelta(hours=1),
        zone=ZoneInfo("UTC"),
        detail=detail,
    )
    whole = written(
        await history.runtime.store.read(verbs.calendar.projected_calendar, window), window
    )
    listed = [orjson.loads(row.json) for row in whole.rows]
    for text in whole.always_running:
        row = orjson.loads(text.json)
        alone = replace(window, source_ref=row["source_ref"], detail=Detail.ALL)
        single = written(
            await history.runtime.store.read(verbs.calendar.projected_calendar, alone), alone
        )
        counted: dict[str, int] = {}
        for hour in row["hourly"]:
            for status, count in hour["counts"].items():
                counted[status] = counted.get(status, 0) + count
        for one in listed:
            # (Listed beats are counted by the hour as well.)
            if one["source_ref"] == row["source_ref"] and one["source"] == "cron":
                counted[one["status"]] = counted.get(one["status"], 0) + 1
        served: dict[str, int] = {}
        for one in single.rows:
            status = orjson.loads(one.json)["status"]
            served[status] = served.get(status, 0) + 1
        assert counted == served, row["source_ref"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_both_ways_of_making_the_calendar_agree_after_any_history(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def check(history: History) -> None:
        for number, step in enumerate(history_of):
            await history.step(*step)
            if number % 7 == 6:
                await assert_same_both_ways(history)
        await assert_same_both_ways(history)
        for detail in Detail:
            await assert_hours_add_up(history, detail)

    History.examine(check)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_a_feed_that_is_kept_and_brought_up_to_date_is_like_a_fresh_one(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def check(history: History) -> None:
        kept = KeptFeeds(history.runtime.store, Pool("answers", 1), FeedCache())
        everything, resolved, *others = await windows(history)
        hours = replace(others[1], end=others[1].end + timedelta(hours=3))
        counts = replace(hours, detail=Detail.COUNTS)
        for number, step in enumerate(history_of):
            await history.step(*step)
            asked = [everything, resolved, hours, counts] if number % 5 == 4 else [everything]
            await assert_kept_feeds_are_like_new_ones(history, kept, asked)

    History.examine(check)


def test_what_comes_while_it_folds_waits_for_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else it would fold a few events at a time, without a pause, while many come."""

    async def check(history: History) -> None:
        store, projector = history.runtime.store, history.runtime.projector

        async def and_meanwhile(project: Callable[..., Awaitable[int]], *args: Any) -> int:
            await history.create(0, 0, 0)
            return await project(*args)

        await history.create(0, 0, 0)
        with monkeypatch.context() as patch:
            stand_in(patch, store, verbs.projection.project, and_meanwhile)
            await asyncio.wait_for(projector.catch_up(), timeout=30)
            assert projector.position == 1
        await projector.catch_up()
        assert projector.position == (await store.read(verbs.event_log.log_bounds)).newest_seq == 2

    History.examine(check)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(histories)
def test_a_ledger_that_is_reconciled_piece_by_piece_comes_to_the_same(
    history_of: list[tuple[str, int, int, int]],
) -> None:
    async def check(history: History) -> None:
        for step in history_of:
            await history.step(*step)
        store, now = history.runtime.store, history.clock.now()
        whole, pieces = [
            await LedgerView(store, judging=lambda: True, at_once=at_once).ledger(
                start=now - 30 * DAY, end=now + DAY, now=now
            )
            for at_once in (1_000_000, 2)
        ]
        assert whole == pieces

    History.examine(check)


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(histories, st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=12))
def test_events_handed_in_again_and_in_any_batches_are_applied_once(
    history_of: list[tuple[str, int, int, int]], batches: list[tuple[int, int]]
) -> None:
    async def check(history: History) -> None:
        other = sqlite_store(history.runtime.settings.data_dir / "other.db", synchronous="OFF")
        await other.open()
        try:
            for step in history_of:
                await history.step(*step)
            log = await history.runtime.store.read_events(after_seq=0, limit=100_000)
            for back, count in batches:
                start = max(0, await other.read(verbs.projection.projection_position) - back)
                await other.write(verbs.projection.project, log[start : start + count])
            await other.write(verbs.projection.project, log)
            await history.runtime.projector.catch_up()
            verdict = await history.runtime.projector.verify()
            assert verdict.ok
            assert verdict.hash == (await other.read(verbs.projection.projection_digest)).hash
        finally:
            await other.close()

    History.examine(check)
