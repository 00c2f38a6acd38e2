"""Each guard is a fact of the database: of two processes that do one thing, one has done it.

Each race is tried twice: by two processes that write at the same time, and by one whose reads are
older than the other's commit (`Late`).
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.shared_file import Late, connect, shared_store
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
    decide,
    ended,
    finish,
    fresh,
    make_starts,
    missed_ids,
    notification_ids,
    run_id,
    run_ids,
    run_once,
    running,
    switch_off,
    waiting,
)
from tests.store.two import OTHER, Two, outcomes, won
from tests.store.two import two as two
from universal_agent.domain.job import OffLabel
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.slot_overrides import OverrideKind, SlotOverride
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.errors import AlreadyResolved, Conflict, UniversalAgentError
from universal_agent.store import verbs
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.store import Store
from universal_agent.store.values import Resolution

LATER = FIRST + HOUR
THE_SLOT = SlotKey(Source.CRON, "job_a", FIRST)


# -- missed slots


def approval() -> Resolution:
    return Resolution(action=StasisAction.APPROVE, scope=Scope.GROUP, by="ada", run_id=run_id())


def deletion() -> Resolution:
    return Resolution(action=StasisAction.DELETE, scope=Scope.GROUP, by="ada")


def deciding(resolution: Resolution) -> dict[str, Any]:
    return {"spare_ids": missed_ids(2), "now": LATER}


async def a_missed_slot(store: Store, *, useful: bool = False) -> None:
    job = await a_job(store)
    useful_until = FIRST + MINUTE if useful else None
    await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST, useful_until=useful_until)]))


class TestDecidingAMissedSlot:
    async def test_of_two_at_the_same_time_one_decides(self, two: Two) -> None:
        await a_missed_slot(two.one)
        results = await outcomes(
            *(
                store.write(verbs.stasis.resolve_missed, THE_SLOT, one, **deciding(one))
                for store, one in ((two.one, approval()), (two.other, approval()))
            )
        )
        assert won(results) == 1
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]

    @pytest.mark.parametrize("make", [approval, deletion])
    async def test_a_decision_on_an_old_reading_is_refused(
        self, two: Two, make: Callable[[], Resolution]
    ) -> None:
        await a_missed_slot(two.one)
        with two.late() as late:
            await two.one.write(
                verbs.stasis.resolve_missed, THE_SLOT, approval(), **deciding(approval())
            )
            with pytest.raises(AlreadyResolved):
                late.write(verbs.stasis.resolve_missed, THE_SLOT, make(), **deciding(make()))
        assert two.rows("SELECT status, count(*) FROM missed") == [("approved_and_run", 1)]
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]

    async def test_an_expiry_on_an_old_reading_changes_nothing(self, two: Two) -> None:
        await a_missed_slot(two.one, useful=True)
        with two.late() as late:
            await two.one.write(
                verbs.stasis.resolve_missed, THE_SLOT, approval(), **deciding(approval())
            )
            late.write(verbs.stasis.expire_missed, now=LATER, limit=9)
        assert two.rows("SELECT status FROM missed") == [("approved_and_run",)]
        assert two.told()["calendar_missed_resolved"] == 1

    async def test_a_span_expires_once(self, two: Two) -> None:
        await a_missed_slot(two.one, useful=True)
        with two.late() as late:
            await outcomes(
                two.one.write(verbs.stasis.expire_missed, now=LATER, limit=9),
                two.other.write(verbs.stasis.expire_missed, now=LATER, limit=9),
            )
            late.write(verbs.stasis.expire_missed, now=LATER, limit=9)
        assert two.told()["calendar_missed_resolved"] == 1

    async def test_a_deletion_is_taken_back_once(self, two: Two) -> None:
        await a_missed_slot(two.one)
        await two.one.write(
            verbs.stasis.resolve_missed, THE_SLOT, deletion(), **deciding(deletion())
        )
        undo: Any = {"by": "ada", "now": LATER + SECOND}
        with two.late() as late:
            results = await outcomes(
                two.one.write(verbs.stasis.undo_delete, THE_SLOT, **undo),
                two.other.write(verbs.stasis.undo_delete, THE_SLOT, **undo),
            )
            with pytest.raises(Conflict):
                late.write(verbs.stasis.undo_delete, THE_SLOT, **undo)
        assert won(results) == 1
        assert two.told()["calendar_missed_resolved"] == 2

    async def test_one_that_was_deleted_with_its_job_is_not_approved(self, two: Two) -> None:
        await a_missed_slot(two.one)
        with two.late() as late:
            job = await fresh(two.one)
            assert await two.one.write(
                verbs.jobs.delete_job, job, closed_at=job.boundary(FIRST), now=FIRST
            )
            with pytest.raises(AlreadyResolved):
                late.write(
                    verbs.stasis.resolve_missed, THE_SLOT, approval(), **deciding(approval())
                )
        assert two.rows("SELECT count(*) FROM runs") == [(0,)]


# -- claiming, ending


class TestClaiming:
    async def test_each_waiting_run_has_one_claim(self, two: Two) -> None:
        for n in range(6):
            await waiting(two.one, await a_job(two.one, f"job_{n}"))
        one, other = await outcomes(
            two.one.write(verbs.execution.claim, free_workers=4, process=PROCESS, now=FIRST),
            two.other.write(verbs.execution.claim, free_workers=4, process=OTHER, now=FIRST),
        )
        claimed = [item.run.run_id for settled in (one, other) for item in settled.claimed]
        assert len(claimed) == len(set(claimed)) == 6

    async def test_a_claim_on_an_old_reading_gets_nothing(self, two: Two) -> None:
        await waiting(two.one, await a_job(two.one))
        with two.late() as late:
            await two.one.write(verbs.execution.claim, free_workers=1, process=PROCESS, now=FIRST)
            settled = late.write(verbs.execution.claim, free_workers=1, process=OTHER, now=FIRST)
        assert settled.claimed == ()
        assert two.rows("SELECT process_id FROM runs") == [(PROCESS.process_id,)]
        assert two.told()["run_started"] == 1

    async def test_two_processes_take_no_more_places_of_a_pool_than_it_has(self, two: Two) -> None:
        await two.one.write(verbs.pools.put_pool, "gpu", 2, by="ada", now=NOON)
        for n in range(6):
            await waiting(two.one, await a_job(two.one, f"job_{n}", pool="gpu"))
        one, other = await outcomes(
            two.one.write(verbs.execution.claim, free_workers=4, process=PROCESS, now=FIRST),
            two.other.write(verbs.execution.claim, free_workers=4, process=OTHER, now=FIRST),
        )
        assert len(one.claimed) + len(other.claimed) == 2

    async def test_a_serial_job_has_one_running_run(self, two: Two) -> None:
        """Two runs of it wait; both are the first one to somebody."""
        job = await a_job(two.one)
        await running(two.one, job)
        await two.one.write(verbs.admission.add_run, job, run_id(), now=FIRST)
        with (
            closing(connect(two.path)) as connection,
            pytest.raises(sqlite3.IntegrityError, match=r"runs\.source_ref"),
        ):
            connection.execute("UPDATE runs SET status = 'running' WHERE status = 'queued'")

    async def test_a_job_whose_runs_may_overlap_has_any_number(self, two: Two) -> None:
        job = await a_job(two.one, overlap="allow")
        await two.one.write(verbs.admission.add_run, job, run_id(), now=NOON)
        await two.one.write(verbs.admission.add_run, job, run_id(), now=NOON)
        settled = await two.one.write(
            verbs.execution.claim, free_workers=9, process=PROCESS, now=FIRST
        )
        assert len(settled.claimed) == 2

    async def test_a_run_ends_once(self, two: Two) -> None:
        claimed = await running(two.one, await a_job(two.one))
        with two.late() as late:
            await outcomes(
                finish(two.one, claimed),
                two.other.write(
                    verbs.execution.settle,
                    [ended(claimed, RunStatus.ERROR)],
                    free_workers=0,
                    process=PROCESS,
                    now=FIRST,
                ),
            )
            late.write(
                verbs.execution.settle,
                [ended(claimed, RunStatus.TIMEOUT)],
                free_workers=0,
                process=PROCESS,
                now=FIRST,
            )
        told = two.told()
        assert told["run_completed"] + told["run_failed"] == 1

    async def test_a_lost_process_is_closed_once_and_ends_nothing_after_it(self, two: Two) -> None:
        claimed = await running(two.one, await a_job(two.one))
        close: Any = {"silent_for": None, "now": FIRST, "outage_id": "out_1"}
        with two.late() as late:
            await outcomes(
                *(
                    store.write(
                        verbs.processes.close_process,
                        PROCESS.process_id,
                        missed_ids=missed_ids(9),
                        **close,
                    )
                    for store in (two.one, two.other)
                )
            )
            late.write(
                verbs.execution.settle,
                [ended(claimed)],
                free_workers=0,
                process=PROCESS,
                now=FIRST,
            )
        assert two.rows("SELECT status FROM runs") == [("interrupted",)]
        assert two.rows("SELECT count(*) FROM missed") == [(1,)]

    async def test_a_cancel_is_asked_for_once(self, two: Two) -> None:
        claimed = await running(two.one, await a_job(two.one))
        asked: Any = {"reason": "not this one", "by": "ada", "now": FIRST}
        with two.late() as late:
            await two.one.write(verbs.cancels.cancel_run, claimed.run.run_id, **asked)
            late.write(verbs.cancels.cancel_run, claimed.run.run_id, **asked)
        assert two.told()["run_cancel_requested"] == 1


class TestTheNextAttempt:
    async def test_it_is_made_once(self, two: Two) -> None:
        job = await a_job(two.one, retries=1, retry_backoff=(1,))
        await finish(two.one, await running(two.one, job), status=RunStatus.ERROR)
        due = FIRST + MINUTE / 2
        with two.late() as late:
            await outcomes(make_starts(two.one, now=due), make_starts(two.other, now=due))
            late.write(
                verbs.starts.make_starts,
                run_ids(5),
                missed_ids=missed_ids(5),
                cause=Cause.CAPACITY,
                outage_id="out_1",
                now=due,
            )
        assert two.rows("SELECT attempt FROM runs ORDER BY attempt") == [(1,), (2,)]

    async def test_a_moved_slot_starts_once(self, two: Two) -> None:
        await a_job(two.one)
        await override(two.one, OverrideKind.MOVE)
        due = FIRST + 2 * MINUTE
        with two.late() as late:
            await make_starts(two.one, now=due)
            late.write(
                verbs.starts.make_starts,
                run_ids(5),
                missed_ids=missed_ids(5),
                cause=Cause.CAPACITY,
                outage_id="out_1",
                now=due,
            )
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]


# -- slots and jobs


def overriding(kind: OverrideKind) -> tuple[SlotKey, SlotOverride]:
    move_to = FIRST + 2 * MINUTE if kind is OverrideKind.MOVE else None
    return THE_SLOT, SlotOverride(kind=kind, move_to=move_to)


async def override(store: Store, kind: OverrideKind) -> Any:
    await store.write(
        verbs.slot_overrides.override_slot,
        *overriding(kind),
        run_id=run_id(),
        by="ada",
        now=NOON,
    )
    return True


class TestASlot:
    async def test_it_is_admitted_once(self, two: Two) -> None:
        job = await a_job(two.one)
        with two.late() as late:
            results = await outcomes(admit(two.one, decide(job)), admit(two.other, decide(job)))
            admission = late.write(
                verbs.admission.admit,
                [decide(job)],
                free_workers=8,
                process=PROCESS,
                now=FIRST,
            )
        assert sorted(len(result.started) for result in results) == [0, 1]
        assert (admission.started, admission.stale_count) == ((), 1)
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]

    async def test_one_person_decides_it_ahead(self, two: Two) -> None:
        await a_job(two.one)
        with two.late() as late:
            results = await outcomes(
                override(two.one, OverrideKind.SKIP), override(two.other, OverrideKind.RUN_EARLY)
            )
            with pytest.raises(Conflict):
                late.write(
                    verbs.slot_overrides.override_slot,
                    *overriding(OverrideKind.RUN_EARLY),
                    run_id=run_id(),
                    by="ada",
                    now=NOON,
                )
        assert won(results) == 1
        assert two.rows("SELECT count(*) FROM slots") == [(1,)]

    async def test_one_that_is_admitted_is_not_run_early(self, two: Two) -> None:
        job = await a_job(two.one)
        with two.late() as late:
            await admit(two.one, decide(job))
            with pytest.raises(Conflict):
                late.write(
                    verbs.slot_overrides.override_slot,
                    *overriding(OverrideKind.RUN_EARLY),
                    run_id=run_id(),
                    by="ada",
                    now=NOON,
                )
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]

    async def test_a_decision_ahead_is_taken_back_once(self, two: Two) -> None:
        await a_job(two.one)
        await override(two.one, OverrideKind.SKIP)
        undo: Any = {"by": "ada", "now": NOON}
        with two.late() as late:
            results = await outcomes(
                two.one.write(verbs.slot_overrides.undo_override, THE_SLOT, **undo),
                two.other.write(verbs.slot_overrides.undo_override, THE_SLOT, **undo),
            )
            with pytest.raises(UniversalAgentError):
                late.write(verbs.slot_overrides.undo_override, THE_SLOT, **undo)
        assert won(results) == 1


class TestAJob:
    async def test_it_is_switched_off_once(self, two: Two) -> None:
        job = await a_job(two.one)
        now = NOON + SECOND
        after = job.replaced_by(
            replace(job.spec, enabled=False, off_label=OffLabel.PAUSED),
            now=now,
            next_run_at=None,
            continues=False,
        )
        changing: Any = {
            "replaces": job,
            "closed_at": job.boundary(now),
            "changed": ["enabled"],
            "now": now,
        }
        with two.late() as late:
            results = await outcomes(
                two.one.write(verbs.jobs.update_job, after, **changing),
                two.other.write(verbs.jobs.update_job, after, **changing),
            )
            assert late.write(verbs.jobs.update_job, after, **changing) is None
        assert won(results) == 1
        assert two.told()["job_updated"] == 1

    async def test_one_that_was_switched_off_is_not_held_by_an_end(self, two: Two) -> None:
        """The end of a run was read before the person's pause."""
        job = await a_job(two.one, auto_pause_after=1)
        claimed = await running(two.one, job)
        with two.late() as late:
            await switch_off(two.one, await fresh(two.one), now=FIRST + SECOND)
            late.write(
                verbs.execution.settle,
                [ended(claimed, RunStatus.ERROR)],
                free_workers=0,
                process=PROCESS,
                now=FIRST + SECOND,
            )
        assert (await fresh(two.one)).spec.off_label is OffLabel.PAUSED
        assert two.rows("SELECT status FROM runs") == [("error",)]

    async def test_it_is_deleted_once(self, two: Two) -> None:
        job = await a_job(two.one)
        gone: Any = {"closed_at": job.boundary(NOON), "now": NOON}
        with two.late() as late:
            results = await outcomes(
                two.one.write(verbs.jobs.delete_job, job, **gone),
                two.other.write(verbs.jobs.delete_job, job, **gone),
            )
            assert not late.write(verbs.jobs.delete_job, job, **gone)
        assert won(results) == 1
        assert two.told()["job_deleted"] == 1


async def test_an_engine_that_is_off_has_one_outage(two: Two) -> None:
    switched = verbs.switched_off.switched_off
    with two.late() as late:
        one, other = await outcomes(
            two.one.write(switched, Source.CRON, outage_id="out_1"),
            two.other.write(switched, Source.CRON, outage_id="out_2"),
        )
        late.write(switched, Source.CRON, outage_id="out_3")
    assert one == other == await two.one.read(verbs.switched_off.off_outage, Source.CRON)


async def test_a_database_has_one_name_for_its_stream(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "ua.db")) as connection:
        migrate(connection, dialect="sqlite")
    with closing(Late(tmp_path / "ua.db")) as late:
        store = shared_store(tmp_path / "ua.db")
        await store.open()
        before = await store.read(verbs.event_log.log_bounds)
        late.write(verbs.event_log.name_stream)
        assert await store.read(verbs.event_log.log_bounds) == before
        await store.close()


# -- folds


class TestAFold:
    async def test_an_event_is_told_once(self, two: Two) -> None:
        await a_job(two.one)
        for minute in range(2):
            await run_once(two.one, RunStatus.ERROR, now=FIRST + minute * MINUTE)
        folding: Any = {
            "limit": 100,
            "new_id": lambda: f"ntf_{next(notification_ids):06}",
            "keep": 100,
            "now": FIRST,
        }
        with two.late() as late:
            await outcomes(
                two.one.write(verbs.notifications.fold_notifications, **folding),
                two.other.write(verbs.notifications.fold_notifications, **folding),
            )
            assert late.write(verbs.notifications.fold_notifications, **folding) == (0, [])
        assert two.rows("SELECT kind FROM notifications") == [("failed",)]

    async def test_the_projection_folds_each_event_once(self, two: Two) -> None:
        job = await a_job(two.one)
        await run_once(two.one, RunStatus.SUCCESS, now=FIRST)
        log = await two.one.read_events(after_seq=0, limit=100)
        with two.late() as late:
            await two.one.write(verbs.projection.project, log)
            digest = await two.one.read(verbs.projection.projection_digest)
            late.write(verbs.projection.project, log)
        assert await two.one.read(verbs.projection.projection_digest) == digest
        assert digest.position == log[-1].seq
        assert job.job_id
