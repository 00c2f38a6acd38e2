"""A cancel ends a run that waits, and is kept for one in execution until that has ended."""

import asyncio
from datetime import datetime

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    claim,
    events,
    finish,
    interrupt,
    newest,
    running,
    waiting,
)
from universal_agent.domain.event_types import EventType
from universal_agent.domain.run import Run, RunId, RunStatus
from universal_agent.errors import Conflict, RunNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once

SECOND_SLOT = FIRST + MINUTE


async def cancel(
    store: Store,
    run_id: RunId,
    *,
    reason: str = "not this one",
    now: datetime = FIRST,
    once: Once | None = None,
) -> Run:
    return await store.write(
        verbs.cancels.cancel_run, run_id, reason=reason, by="ada", now=now, once=once
    )


async def the_run(store: Store, run: RunId) -> Run:
    found = await store.read(verbs.runs.get_run, run)
    assert found is not None
    return found


async def test_a_waiting_run_is_cancelled_with_its_slot(store: Store) -> None:
    wait = await waiting(store, await a_job(store))
    run = await cancel(store, wait, now=FIRST + SECOND)
    assert (run.status, run.finished_at) == (RunStatus.CANCELLED, FIRST + SECOND)
    assert run.error == "not this one"
    facts = await store.read(verbs.ledger.ledger_facts, start=NOON, end=NOON + HOUR, job_id=None)
    assert [slot.outcome for slot in facts.slots] == ["cancelled"]
    assert (await claim(store)).claimed == ()
    assert await store.read(verbs.cancels.cancels_requested) == []


async def test_of_a_cancel_and_a_claim_one_wins(store: Store) -> None:
    wait = await waiting(store, await a_job(store))
    settled, run = await asyncio.gather(claim(store), cancel(store, wait))
    assert (run.status is RunStatus.CANCELLED) != bool(settled.claimed)


async def test_a_run_in_execution_is_asked_to_end_once(store: Store) -> None:
    run_id = (await running(store, await a_job(store))).run.run_id
    assert (await cancel(store, run_id)).status is RunStatus.RUNNING
    await cancel(store, run_id, reason="nor is it for another reason")
    asked = [e for e in await events(store) if e.type is EventType.CRON_RUN_CANCEL_REQUESTED]
    assert [event.data["reason"] for event in asked] == ["not this one"]
    assert (asked[0].data["run_id"], asked[0].data["by"]) == (run_id, "ada")
    assert await store.read(verbs.cancels.cancels_requested) == [(run_id, "not this one")]


async def test_a_run_that_was_asked_to_end_is_not_asked_for_any_more_after_its_end(
    store: Store,
) -> None:
    claimed = await running(store, await a_job(store))
    await cancel(store, claimed.run.run_id)
    await finish(store, claimed)
    assert await store.read(verbs.cancels.cancels_requested) == []


async def test_a_run_that_was_asked_to_end_is_cancelled_instead_of_going_back_to_the_queue(
    store: Store,
) -> None:
    run = (await running(store, await a_job(store))).run
    await cancel(store, run.run_id)
    await store.write(verbs.execution.requeue, [run], now=FIRST)
    run = await the_run(store, run.run_id)
    assert (run.status, run.error) == (RunStatus.CANCELLED, "not this one")


async def test_after_a_crash_a_run_that_was_asked_to_end_is_cancelled_and_not_tried_again(
    store: Store,
) -> None:
    run_id = (await running(store, await a_job(store, retries=3))).run.run_id
    await cancel(store, run_id)
    await interrupt(store, now=SECOND_SLOT)
    run = await the_run(store, run_id)
    assert (run.status, run.error) == (RunStatus.CANCELLED, "not this one")
    assert not (await store.read(verbs.admission.due, until=NOON + HOUR, limit=0)).starts
    facts = await store.read(verbs.ledger.ledger_facts, start=NOON, end=NOON + HOUR, job_id=None)
    assert [slot.outcome for slot in facts.slots][:1] == ["cancelled"]


async def test_what_has_ended_is_not_cancelled(store: Store) -> None:
    claimed = await running(store, await a_job(store))
    await finish(store, claimed)
    before = await newest(store)
    with pytest.raises(Conflict, match="got one that ended: success"):
        await cancel(store, claimed.run.run_id)
    with pytest.raises(RunNotFound):
        await cancel(store, RunId("run_unknown"))
    assert await newest(store) == before


async def test_a_repeated_request_is_answered_though_the_run_has_ended(
    store: Store,
) -> None:
    claimed = await running(store, await a_job(store))
    once = Once(key="k", fingerprint="f")
    await cancel(store, claimed.run.run_id, once=once)
    await finish(store, claimed, status=RunStatus.CANCELLED)
    again = await cancel(store, claimed.run.run_id, once=once)
    assert again.status is RunStatus.CANCELLED
