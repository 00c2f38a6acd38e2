import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    PROCESS,
    SECOND,
    a_job,
    a_miss,
    admit,
    claim,
    decide,
    events,
    finish,
    fresh,
    interrupt,
    missed_ids,
    new_job,
    run_id,
)
from universal_agent.domain.job import Job
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.ledger import Ledger, reconcile
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import MissedRecord, Scope, StasisAction
from universal_agent.errors import AlreadyResolved, Conflict, SlotNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once, Resolution, Resolved

LAST = FIRST + 9 * MINUTE
LATER = LAST + HOUR


def slot(number: int) -> SlotKey:
    """The job's slot of that number, from 0."""
    return SlotKey(Source.CRON, "job_a", FIRST + number * MINUTE)


async def ten_missed(store: Store) -> Job:
    """A job of which the first ten slots were missed in one outage."""
    job = await a_job(store)
    await admit(store, decide(job, missed=[a_miss(job, FIRST, LAST)]), now=LATER)
    return await fresh(store)


async def resolve(
    store: Store,
    number: int = 9,
    action: StasisAction = StasisAction.APPROVE,
    scope: Scope = Scope.GROUP,
    once: Once | None = None,
) -> Resolved:
    resolution = Resolution(
        action=action,
        scope=scope,
        by="kim",
        note="because",
        run_id=run_id() if action is StasisAction.APPROVE else None,
        job=new_job("job_once") if action is StasisAction.RESCHEDULE else None,
    )
    return await store.write(
        verbs.stasis.resolve_missed,
        slot(number),
        resolution,
        spare_ids=missed_ids(2),
        now=LATER,
        once=once,
    )


async def spans(store: Store, status: MissedStatus) -> list[tuple[int, int, int]]:
    """(first, last, count) of the spans of that status, as slot numbers."""
    found = await store.read(verbs.stasis.missed_spans, status=status, limit=99)
    return sorted(
        (
            (record.span.first_at - FIRST) // MINUTE,
            (record.span.last_at - FIRST) // MINUTE,
            record.span.count,
        )
        for record in found
    )


async def ledger(store: Store) -> Ledger:
    facts = await store.read(verbs.ledger.ledger_facts, start=NOON, end=LAST, job_id=None)
    return reconcile(facts, start=NOON, end=LAST, now=LATER)


async def test_approving_a_group_runs_its_latest_slot_and_closes_the_others(store: Store) -> None:
    await ten_missed(store)

    resolved = await resolve(store, number=3)

    assert resolved.run is not None
    assert resolved.run.scheduled_at == LAST
    assert resolved.run.trigger is Trigger.APPROVED
    assert resolved.run.approved_by == "kim"
    assert await spans(store, MissedStatus.APPROVED_AND_RUN) == [(9, 9, 1)]
    assert await spans(store, MissedStatus.SUPERSEDED) == [(0, 8, 9)]
    assert await spans(store, MissedStatus.PENDING) == []


async def test_approving_one_slot_splits_its_span_and_leaves_the_rest_waiting(
    store: Store,
) -> None:
    await ten_missed(store)

    await resolve(store, number=4, scope=Scope.SLOT)

    assert await spans(store, MissedStatus.APPROVED_AND_RUN) == [(4, 4, 1)]
    assert await spans(store, MissedStatus.PENDING) == [(0, 3, 4), (5, 9, 5)]


@pytest.mark.parametrize("number", [0, 9])
async def test_deciding_an_end_of_a_span_leaves_one_other_part(store: Store, number: int) -> None:
    await ten_missed(store)

    await resolve(store, number, StasisAction.DELETE, Scope.SLOT)

    rest = (1, 9, 9) if number == 0 else (0, 8, 9)
    assert await spans(store, MissedStatus.PENDING) == [rest]


async def test_fifty_approvals_at_once_make_one_run(store: Store) -> None:
    await ten_missed(store)

    answers = await asyncio.gather(*(resolve(store) for _ in range(50)), return_exceptions=True)

    assert sum(isinstance(answer, Resolved) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyResolved) for answer in answers) == 49
    assert len(await store.read(verbs.runs.list_runs, limit=99)) == 1


async def test_the_same_approval_sent_again_answers_with_the_run_it_made(store: Store) -> None:
    await ten_missed(store)
    once = Once(key="k", fingerprint="f")

    first = await resolve(store, once=once)
    again = await resolve(store, once=once)

    assert first.run is not None
    assert again.run is not None
    assert again.run.run_id == first.run.run_id


async def test_an_approval_sent_again_after_its_run_was_interrupted_answers_with_that_run(
    store: Store,
) -> None:
    await ten_missed(store)
    once = Once(key="k", fingerprint="f")
    first = await resolve(store, once=once)
    await store.write(verbs.execution.claim, free_workers=1, process=PROCESS, now=LATER)
    await interrupt(store, now=LATER)

    again = await resolve(store, once=once)

    assert first.run is not None
    assert again.run is not None
    assert again.run.run_id == first.run.run_id
    assert again.record.span.status is MissedStatus.APPROVED_AND_RUN
    assert len(await store.read(verbs.runs.list_runs, limit=99)) == 1


async def test_a_rescheduling_sent_again_answers_with_the_job_it_made(store: Store) -> None:
    await ten_missed(store)
    once = Once(key="k", fingerprint="f")

    first = await resolve(store, action=StasisAction.RESCHEDULE, once=once)
    again = await resolve(store, action=StasisAction.RESCHEDULE, once=once)

    assert first.job is not None
    assert again.job is not None
    assert again.job.job_id == first.job.job_id


async def test_an_approved_slot_counts_once_in_the_ledger_whatever_its_run_did(
    store: Store,
) -> None:
    await ten_missed(store)
    await resolve(store)
    (claimed,) = (await claim(store, now=LATER)).claimed
    await finish(store, claimed, status=RunStatus.ERROR, now=LATER)

    account = await ledger(store)

    assert account.expected == 10
    assert account.missed == {"approved_and_run": 1, "superseded": 9}
    assert account.ran == {}
    assert account.unaccounted == []


async def test_rescheduling_makes_the_one_shot_job_in_the_same_breath(store: Store) -> None:
    await ten_missed(store)

    resolved = await resolve(store, action=StasisAction.RESCHEDULE)

    assert resolved.job is not None
    assert (await fresh(store, "job_once")).job_id == resolved.job.job_id
    assert await spans(store, MissedStatus.RESCHEDULED) == [(9, 9, 1)]


async def test_a_deletion_can_be_taken_back_for_a_minute_with_all_it_closed(store: Store) -> None:
    await ten_missed(store)
    await resolve(store, action=StasisAction.DELETE)
    assert await spans(store, MissedStatus.PENDING) == []

    await store.write(verbs.stasis.undo_delete, slot(9), by="kim", now=LATER + 59 * SECOND)

    assert sum(count for _, _, count in await spans(store, MissedStatus.PENDING)) == 10


async def test_after_a_minute_a_deletion_stands(store: Store) -> None:
    await ten_missed(store)
    await resolve(store, action=StasisAction.DELETE)

    with pytest.raises(Conflict, match="60 s"):
        await store.write(verbs.stasis.undo_delete, slot(9), by="kim", now=LATER + 61 * SECOND)


async def test_only_a_deletion_can_be_taken_back_by_undo(store: Store) -> None:
    await ten_missed(store)
    await resolve(store)

    with pytest.raises(Conflict):
        await store.write(verbs.stasis.undo_delete, slot(9), by="kim", now=LATER)


async def test_a_time_between_two_slots_was_not_missed(store: Store) -> None:
    await ten_missed(store)
    between = replace(slot(3), scheduled_at=FIRST + 3 * MINUTE + SECOND)

    with pytest.raises(SlotNotFound):
        await store.read(verbs.stasis.find_missed, between)


async def test_a_missed_span_expires_when_it_is_no_longer_useful_and_says_so(
    store: Store,
) -> None:
    job = await a_job(store)
    record = a_miss(job, FIRST, LAST, useful_until=LAST + 30 * MINUTE)
    await admit(store, decide(job, missed=[record]), now=LAST)

    early = await store.write(verbs.stasis.expire_missed, now=LAST + 29 * MINUTE, limit=9)
    count = await store.write(verbs.stasis.expire_missed, now=LAST + 30 * MINUTE, limit=9)

    assert (early, count) == (0, 1)
    assert await spans(store, MissedStatus.EXPIRED) == [(0, 9, 10)]
    last = (await events(store))[-1]
    assert (last.type, last.status) == ("calendar_missed_resolved", "expire")


async def test_expiry_is_among_what_comes_due(store: Store) -> None:
    job = await a_job(store)
    record = a_miss(job, FIRST, LAST, useful_until=LAST + 30 * SECOND)
    await admit(store, decide(job, missed=[record]), now=LAST)

    due = await store.read(verbs.admission.due, until=LAST + 31 * SECOND, limit=9)

    assert due.expired


async def test_deleting_a_job_closes_its_missed_slots(store: Store) -> None:
    job = await ten_missed(store)
    soon = LAST + timedelta(seconds=30)

    assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(soon), now=soon)

    assert await spans(store, MissedStatus.DELETED) == [(0, 9, 10)]
    with pytest.raises(AlreadyResolved):
        await resolve(store)


async def test_every_decision_is_an_event_with_the_spans_as_they_now_are(store: Store) -> None:
    await ten_missed(store)

    resolved = await resolve(store, number=4, scope=Scope.SLOT)

    (decision,) = [e for e in await events(store) if e.type == "calendar_missed_resolved"]
    assert decision.data["by"] == "kim"
    assert decision.data["note"] == "because"
    assert decision.data["run_id"] == resolved.run.run_id if resolved.run else None
    assert sorted(span["count"] for span in decision.data["spans"]) == [1, 4, 5]


async def test_a_group_is_what_one_job_missed_in_one_outage(store: Store) -> None:
    job = await a_job(store)
    half = FIRST + 4 * MINUTE
    first = a_miss(job, FIRST, half, outage_id="out_1")
    second = a_miss(job, half + MINUTE, LAST, outage_id="out_2")
    await admit(store, decide(job, missed=[first, second]), now=LATER)

    await resolve(store, number=0, action=StasisAction.DELETE)

    assert await spans(store, MissedStatus.PENDING) == [(5, 9, 5)]
    kept: list[MissedRecord] = list(
        await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9)
    )
    assert [record.outage_id for record in kept] == ["out_2"]
