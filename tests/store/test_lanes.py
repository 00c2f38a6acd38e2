"""Reads in lanes: what takes long holds up neither slots nor short answers."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.store.making import FIRST, HOUR, MINUTE, NOON, a_job, admit, decide
from universal_agent.domain.calendar_facts import Window
from universal_agent.store import verbs
from universal_agent.store.store import Store, sqlite_store
from universal_agent.views.calendar_provider import both_calendars

#: More clients than there are threads that read.
CLIENTS = 8


class Blocked:
    """A verb that does not return before it is released."""

    def __init__(self, verb: Callable[..., Any]) -> None:
        update_wrapper(self, verb)
        self.begun = threading.Event()
        self.released = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.begun.set()
        self.released.wait()


@pytest.fixture
async def blocked(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Eight clients each wait for a ledger and a calendar, which take as long as the test."""
    ledger = Blocked(verbs.ledger.ledger_facts)
    calendar = Blocked(verbs.calendar.scan_calendar)
    monkeypatch.setattr(verbs.ledger, "ledger_facts", ledger)
    monkeypatch.setattr(verbs.calendar, "scan_calendar", calendar)
    window = Window(start=NOON, end=NOON + HOUR, zone=ZoneInfo("UTC"))
    waiting = [
        asyncio.ensure_future(read)
        for _ in range(CLIENTS)
        for read in (
            store.read(verbs.ledger.ledger_facts, start=NOON, end=NOON + HOUR, job_id=None),
            store.read(verbs.calendar.scan_calendar, window),
        )
    ]
    await asyncio.to_thread(ledger.begun.wait)
    await asyncio.to_thread(calendar.begun.wait)
    yield
    ledger.released.set()
    calendar.released.set()
    await asyncio.gather(*waiting)


@pytest.mark.usefixtures("blocked")
async def test_slots_come_due_and_are_admitted_beside_long_reads(store: Store) -> None:
    job = await a_job(store)
    async with asyncio.timeout(60):
        (found,) = (await store.read(verbs.admission.due, until=FIRST, limit=9)).jobs
        assert len((await admit(store, decide(found))).started) == 1
    assert found.job_id == job.job_id


@pytest.mark.usefixtures("blocked")
async def test_short_answers_are_given_beside_long_reads(store: Store) -> None:
    job = await a_job(store)
    async with asyncio.timeout(60):
        assert await store.read(verbs.jobs.get_job, job.job_id) is not None
        assert (await store.read(verbs.jobs.list_jobs, limit=9)).total == 1
        assert await store.read(verbs.jobs.count_enabled_jobs) == 1


async def test_the_comparison_of_two_calendars_leaves_the_writer_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Store = sqlite_store(tmp_path / "ua.db", synchronous="OFF")
    await store.open()
    calendar = Blocked(verbs.calendar.scan_calendar)
    monkeypatch.setattr(verbs.calendar, "scan_calendar", calendar)
    window = Window(start=NOON, end=NOON + MINUTE, zone=ZoneInfo("UTC"))
    comparing = asyncio.ensure_future(both_calendars(store, window))
    await asyncio.to_thread(calendar.begun.wait)
    try:
        async with asyncio.timeout(60):
            await a_job(store)
    finally:
        calendar.released.set()
        await comparing
        await store.close()
