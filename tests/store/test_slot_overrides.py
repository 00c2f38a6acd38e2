from datetime import timedelta

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_job,
    admit,
    decide,
    fresh,
    missed_ids,
    run_id,
    run_ids,
    switch_off,
)
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import Run, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind, SlotOverride
from universal_agent.errors import Conflict, JobNotFound, SlotNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store


def slot(number: int = 0) -> SlotKey:
    return SlotKey(Source.CRON, "job_a", FIRST + number * MINUTE)


async def make(store: Store, number: int = 0, **fields: object) -> Run | None:
    fields.setdefault("kind", OverrideKind.SKIP)
    exception = SlotOverride(**fields)  # type: ignore[arg-type]
    return await store.write(
        verbs.slot_overrides.override_slot,
        slot(number),
        exception,
        run_id=run_id(),
        by="kim",
        now=NOON,
    )


async def starts(store: Store, *, now: object) -> int:
    return await store.write(
        verbs.starts.make_starts,
        run_ids(3),
        missed_ids=missed_ids(3),
        cause=Cause.PROCESS_DOWN,
        outage_id="out_1",
        now=now,  # type: ignore[arg-type]
    )


async def test_skipping_the_next_slot_moves_the_mark_past_it(store: Store) -> None:
    await a_job(store)

    await make(store)

    assert (await fresh(store)).next_run_at == FIRST + MINUTE


async def test_a_later_slot_that_was_skipped_is_not_admitted_when_it_comes(store: Store) -> None:
    job = await a_job(store)
    await make(store, 1)

    await admit(store, decide(job, FIRST, FIRST + MINUTE), now=FIRST + MINUTE)

    assert [run.scheduled_at for run in await store.read(verbs.runs.list_runs, limit=9)] == [FIRST]


async def test_taking_a_skip_back_expects_the_slot_again(store: Store) -> None:
    await a_job(store)
    await make(store)

    await store.write(verbs.slot_overrides.undo_override, slot(), by="kim", now=NOON + SECOND)

    assert (await fresh(store)).next_run_at == FIRST


async def test_a_skip_of_the_past_stands(store: Store) -> None:
    await a_job(store)
    await make(store)

    with pytest.raises(Conflict, match="past"):
        await store.write(verbs.slot_overrides.undo_override, slot(), by="kim", now=FIRST)


async def test_a_moved_slot_starts_at_its_new_time_under_its_own_id(store: Store) -> None:
    await a_job(store)
    moved_to = NOON + HOUR
    await make(store, kind=OverrideKind.MOVE, move_to=moved_to)

    assert await starts(store, now=moved_to - SECOND) == 0
    assert await starts(store, now=moved_to) == 1

    (run,) = await store.read(verbs.runs.list_runs, limit=9)
    assert (run.scheduled_at, run.trigger, run.attempt) == (FIRST, Trigger.SCHEDULE, 1)


async def test_a_moved_slot_whose_time_passed_unseen_is_missed_and_not_run_late(
    store: Store,
) -> None:
    await a_job(store)
    moved_to = NOON + HOUR
    await make(store, kind=OverrideKind.MOVE, move_to=moved_to)

    await starts(store, now=moved_to + timedelta(hours=3))

    assert await store.read(verbs.runs.list_runs, limit=9) == []
    (record,) = await store.read(verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=9)
    assert record.event_id == slot().event_id


async def test_running_a_slot_early_consumes_it(store: Store) -> None:
    job = await a_job(store, overlap="allow")

    run = await make(store, 1, kind=OverrideKind.RUN_EARLY)
    await admit(store, decide(job, FIRST, FIRST + MINUTE), now=FIRST + MINUTE)

    assert run is not None
    assert run.trigger is Trigger.EARLY
    slots = [r.scheduled_at for r in await store.read(verbs.runs.list_runs, limit=9)]
    assert sorted(slots) == [FIRST, FIRST + MINUTE]
    assert run.status is RunStatus.QUEUED


async def test_a_slot_is_decided_ahead_only_once(store: Store) -> None:
    await a_job(store)
    await make(store, 2)

    with pytest.raises(Conflict):
        await make(store, 2, kind=OverrideKind.RUN_EARLY)


async def test_a_time_that_is_no_slot_cannot_be_skipped(store: Store) -> None:
    await a_job(store)
    between = SlotKey(Source.CRON, "job_a", FIRST + SECOND)

    with pytest.raises(SlotNotFound):
        await store.write(
            verbs.slot_overrides.override_slot,
            between,
            SlotOverride(kind=OverrideKind.SKIP),
            run_id=run_id(),
            by="kim",
            now=NOON,
        )


async def test_a_slot_of_no_job_cannot_be_skipped(store: Store) -> None:
    with pytest.raises(JobNotFound):
        await make(store)


async def test_switching_a_job_off_voids_what_was_said_about_its_slots(store: Store) -> None:
    job = await a_job(store)
    await make(store, 5)

    await switch_off(store, job, now=NOON + SECOND)

    with pytest.raises(SlotNotFound):
        await store.write(
            verbs.slot_overrides.undo_override, slot(5), by="kim", now=NOON + 2 * SECOND
        )
