"""The store that every SQL database shares: verbs, run on a database's transactions."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from universal_agent.domain.calendar_facts import CalendarFacts, Window
from universal_agent.domain.calendar_row import JobFact
from universal_agent.domain.events import Event
from universal_agent.domain.exceptions import SlotException
from universal_agent.domain.explain import SlotHistory
from universal_agent.domain.job import Job
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.ledger import LedgerFacts
from universal_agent.domain.run import JobId, Run, RunId, RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import MissedRecord
from universal_agent.store import (
    admission,
    calendar_rows,
    exceptions,
    execution,
    history,
    job_verbs,
    log_verbs,
    misses,
    projection_copy,
    projection_rows,
    starts,
    stasis,
)
from universal_agent.store.base import (
    ANY_RUN,
    Admission,
    ClaimRules,
    Decision,
    Due,
    Finished,
    LogBounds,
    Once,
    Page,
    ProjectionDigest,
    ProjectionPage,
    Resolution,
    Resolved,
    Settled,
    Sizes,
)
from universal_agent.store.keyed import AccompaniedDatabase, Effect
from universal_agent.store.log_tail import LogTail
from universal_agent.store.rows import SpecCache, job_from_row
from universal_agent.store.set_aside import decoded
from universal_agent.store.sql_beats import SqlBeats
from universal_agent.store.sql_changes import SqlChanges
from universal_agent.store.sql_notifications import SqlNotifications
from universal_agent.store.sql_off import SqlOff
from universal_agent.store.sql_plans import SqlPlans
from universal_agent.store.sql_sessions import SqlSessions
from universal_agent.store.sqlite import SqliteDatabase
from universal_agent.store.tx import Database, Lane, Tx

#: How often a snapshot is taken in which the projection has every event.
_SNAPSHOT_TRIES = 20


def _lane_of(window: Window) -> Lane:
    """A window without slots is that of what waits for a decision: it must not wait itself."""
    return Lane.SHORT if window.start == window.end else Lane.LONG


class SqlStore(SqlSessions, SqlBeats, SqlNotifications, SqlOff, SqlPlans, SqlChanges):
    """`Store` over a SQL database."""

    def __init__(self, database: Database, tail: LogTail) -> None:
        super().__init__(AccompaniedDatabase(database), SpecCache())
        self._tail = tail
        self._kept_rules = set()

    @property
    def set_aside(self) -> Mapping[str, str]:
        return self._db.set_aside.reasons

    @property
    def last_error(self) -> str | None:
        return self._db.last_error

    async def open(self) -> None:
        await self._db.open()
        try:
            await self._db.write(_name_stream)
            await self.know_zones()
        except BaseException:
            await self._db.close()
            raise

    async def close(self) -> None:
        self._tail.close()
        await self._db.close()

    # -- jobs

    async def create_job(self, job: Job, *, now: datetime, once: Once | None = None) -> Job:
        await self.keep_zone(job.spec.schedule)
        new = job_verbs.NewJob(job, now=now)
        return await self._db.write(
            lambda tx: job_verbs.create_job(tx, new, specs=self._specs, now=now, once=once)
        )

    async def job_made(self, once: Once) -> Job | None:
        return await self._db.read(lambda tx: job_verbs.job_made(tx, once, self._specs))

    async def answer_of(self, once: Once) -> str | None:
        return await self._db.read(lambda tx: job_verbs.made_by(tx, once))

    async def keep_answer(self, once: Once, answer: str, *, now: datetime) -> None:
        await self._db.write(lambda tx: job_verbs.recall(tx, once, answer, now=now))

    async def update_job(
        self, job: Job, *, replaces: Job, closed_at: datetime, changed: list[str], now: datetime
    ) -> Job | None:
        await self.keep_zone(job.spec.schedule)
        return await self._db.write(
            lambda tx: job_verbs.update_job(
                tx,
                job,
                replaces=replaces,
                closed_at=closed_at,
                changed=changed,
                specs=self._specs,
                now=now,
            )
        )

    async def first_decided_ahead(self, job_id: JobId, *, after: datetime) -> datetime | None:
        return await self._db.read(
            lambda tx: job_verbs.first_decided_ahead(tx, job_id, after=after)
        )

    async def delete_job(self, job: Job, *, closed_at: datetime, now: datetime) -> bool:
        return await self._db.write(
            lambda tx: job_verbs.delete_job(
                tx, job, specs=self._specs, closed_at=closed_at, now=now
            )
        )

    async def get_job(self, job_id: JobId) -> Job | None:
        return await self._db.read(lambda tx: job_verbs.read_job(tx, job_id, self._specs))

    async def list_jobs(
        self, *, limit: int, cursor: str | None = None, owner_id: str | None = None
    ) -> Page:
        def read(tx: Tx) -> Page:
            rows = tx.all("list_jobs", limit=limit + 1, cursor=cursor or "", owner_id=owner_id)
            count = tx.one("count_jobs", owner_id=owner_id)
            jobs = tuple(
                decoded(tx, "jobs", rows[:limit], lambda row: job_from_row(row, self._specs))
            )
            return Page(
                jobs=jobs,
                total=0 if count is None else count[0],
                next_cursor=rows[limit - 1][0] if len(rows) > limit else None,
            )

        return await self._db.read(read)

    async def next_jobs(self, *, limit: int) -> Sequence[Job]:
        def read(tx: Tx) -> list[Job]:
            rows = tx.all("next_jobs", limit=limit)
            return decoded(tx, "jobs", rows, lambda row: job_from_row(row, self._specs))

        return await self._db.read(read)

    async def count_enabled_jobs(self) -> int:
        def read(tx: Tx) -> int:
            row = tx.one("count_enabled_jobs")
            return 0 if row is None else int(row[0])

        return await self._db.read(read)

    async def held_jobs(self) -> Sequence[str]:
        return await self._db.read(lambda tx: [str(job_id) for (job_id,) in tx.all("held_jobs")])

    async def count_jobs(self) -> int:
        def read(tx: Tx) -> int:
            row = tx.one("count_jobs", owner_id=None)
            return 0 if row is None else int(row[0])

        return await self._db.read(read)

    # -- from due to done

    async def due(self, *, until: datetime, limit: int, without: Source | None = None) -> Due:
        return await self._db.read(
            lambda tx: admission.due(
                tx, until=until, limit=limit, without=without, specs=self._specs
            ),
            Lane.ENGINE,
        )

    async def admit(
        self,
        decisions: Sequence[Decision],
        *,
        free_workers: int,
        host: str,
        now: datetime,
        rules: ClaimRules = ANY_RUN,
    ) -> Admission:
        return await self._db.write(
            lambda tx: admission.admit(
                tx,
                decisions,
                free_workers=free_workers,
                host=host,
                now=now,
                rules=rules,
                specs=self._specs,
            )
        )

    async def postpone(self, job: Job, *, due_at: datetime) -> None:
        await self.postpone_unreadable([(job.job_id, job.version)], due_at=due_at)

    async def postpone_unreadable(
        self, jobs: Sequence[tuple[str, int]], *, due_at: datetime
    ) -> None:
        await self._db.write(lambda tx: admission.postpone(tx, jobs, due_at=due_at))

    async def add_run(
        self, job: Job, run_id: RunId, *, now: datetime, once: Once | None = None
    ) -> Run:
        return await self._db.write(
            lambda tx: admission.add_run(tx, job, run_id, specs=self._specs, now=now, once=once)
        )

    async def claim(
        self, *, free_workers: int, host: str, now: datetime, rules: ClaimRules = ANY_RUN
    ) -> Settled:
        return await self._db.write(
            lambda tx: execution.claim(
                tx, free_workers=free_workers, host=host, now=now, rules=rules, specs=self._specs
            )
        )

    async def finish(
        self,
        ended: Sequence[Finished],
        *,
        free_workers: int,
        host: str,
        now: datetime,
        rules: ClaimRules = ANY_RUN,
    ) -> Settled:
        return await self._db.write(
            lambda tx: execution.finish(
                tx,
                ended,
                free_workers=free_workers,
                host=host,
                now=now,
                rules=rules,
                specs=self._specs,
            )
        )

    async def requeue(self, run_ids: Sequence[RunId], *, now: datetime) -> None:
        await self._db.write(lambda tx: execution.requeue(tx, run_ids, now=now, specs=self._specs))

    async def make_starts(
        self,
        run_ids: Sequence[RunId],
        *,
        missed_ids: Sequence[str],
        cause: Cause,
        outage_id: str,
        now: datetime,
        without: Source | None = None,
    ) -> int:
        return await self._db.write(
            lambda tx: starts.make_starts(
                tx,
                run_ids,
                missed_ids=missed_ids,
                cause=cause,
                outage_id=outage_id,
                now=now,
                without=without,
                specs=self._specs,
            )
        )

    async def cancel_queued(
        self, run_id: RunId, *, now: datetime, error: str | None = None
    ) -> bool:
        return await self._db.write(
            lambda tx: job_verbs.cancel_queued(tx, run_id, specs=self._specs, now=now, error=error)
        )

    async def miss_queued(
        self,
        *,
        now: datetime,
        cause: Cause,
        outage_id: str,
        missed_ids: Sequence[str],
        after_grace: bool,
        of: Source | None = None,
    ) -> int:
        return await self._db.write(
            lambda tx: misses.miss_queued(
                tx,
                now=now,
                cause=cause,
                outage_id=outage_id,
                missed_ids=missed_ids,
                after_grace=after_grace,
                of=of,
                specs=self._specs,
            )
        )

    async def left_running(self, *, host: str, limit: int) -> Sequence[Run]:
        return await self._db.read(lambda tx: misses.left_running(tx, host=host, limit=limit))

    async def interrupt_runs(
        self, *, host: str, now: datetime, outage_id: str, missed_ids: Sequence[str]
    ) -> tuple[RunId, ...]:
        return await self._db.write(
            lambda tx: misses.interrupt_runs(
                tx,
                host=host,
                now=now,
                outage_id=outage_id,
                missed_ids=missed_ids,
                specs=self._specs,
            )
        )

    # -- stasis

    async def find_missed(self, slot: SlotKey) -> MissedRecord:
        return await self._db.read(lambda tx: stasis.find_missed(tx, slot, self._specs))

    async def decision_made(self, once: Once) -> Resolved | None:
        return await self._db.read(lambda tx: stasis.decision_made(tx, once, self._specs))

    async def resolve_missed(
        self,
        slot: SlotKey,
        resolution: Resolution,
        *,
        spare_ids: Sequence[str],
        now: datetime,
        once: Once | None = None,
    ) -> Resolved:
        return await self._db.write(
            lambda tx: stasis.resolve_missed(
                tx,
                slot,
                resolution,
                spare_ids=spare_ids,
                now=now,
                once=once,
                specs=self._specs,
            )
        )

    async def undo_delete(self, slot: SlotKey, *, by: str, now: datetime) -> MissedRecord:
        return await self._db.write(
            lambda tx: stasis.undo_delete(tx, slot, by=by, now=now, specs=self._specs)
        )

    async def expire_missed(self, *, now: datetime, limit: int) -> int:
        return await self._db.write(
            lambda tx: stasis.expire_missed(tx, now=now, limit=limit, specs=self._specs)
        )

    # -- exceptions

    async def make_exception(
        self, slot: SlotKey, exception: SlotException, *, run_id: RunId, by: str, now: datetime
    ) -> Run | None:
        def put(tx: Tx) -> Effect[Run | None]:
            run = exceptions.make_exception(
                tx, slot, exception, run_id=run_id, by=by, now=now, specs=self._specs
            )
            return Effect(run)

        return (await self._db.write(put)).value

    async def undo_exception(self, slot: SlotKey, *, by: str, now: datetime) -> Job:
        return await self._db.write(
            lambda tx: exceptions.undo_exception(tx, slot, by=by, now=now, specs=self._specs)
        )

    # -- runs

    async def get_run(self, run_id: RunId) -> Run | None:
        return await self._db.read(lambda tx: log_verbs.get_run(tx, run_id))

    async def run_of_slot(self, slot: SlotKey) -> RunId | None:
        return await self._db.read(lambda tx: log_verbs.run_of_slot(tx, slot))

    async def list_runs(
        self,
        *,
        job_id: JobId | None = None,
        source: str | None = "cron",
        status: RunStatus | None = None,
        limit: int,
        before: str | None = None,
    ) -> Sequence[Run]:
        return await self._db.read(
            lambda tx: log_verbs.list_runs(
                tx, job_id=job_id, source=source, status=status, limit=limit, before=before
            )
        )

    # -- what happened

    async def audit(self, *, limit: int, before_seq: int | None) -> Sequence[Event]:
        return await self._db.read(
            lambda tx: log_verbs.audit(tx, limit=limit, before_seq=before_seq), Lane.LONG
        )

    async def slot_history(self, slot: SlotKey) -> SlotHistory:
        return await self._db.read(
            lambda tx: history.slot_history(tx, slot, self._specs), Lane.LONG
        )

    async def sizes(self) -> Sizes:
        return await self._db.read(log_verbs.sizes)

    async def read_events(self, *, after_seq: int, limit: int) -> Sequence[Event]:
        recent = self._tail.after(after_seq, limit)
        if recent is not None:
            return recent
        return await self._db.read(
            lambda tx: log_verbs.read_events(tx, after_seq=after_seq, limit=limit)
        )

    async def forget_events(self, *, until: int) -> None:
        await self._db.write(lambda tx: tx.run("forget_events", until=until))
        self._tail.forget(until)

    async def log_bounds(self) -> LogBounds:
        return await self._db.read(log_verbs.log_bounds)

    def appended(self, *, after_seq: int) -> AsyncIterator[int]:
        return self._tail.watch(after_seq)

    async def missed_spans(
        self, *, status: MissedStatus, limit: int, job_id: JobId | None = None
    ) -> Sequence[MissedRecord]:
        return await self._db.read(
            lambda tx: log_verbs.missed_spans(tx, status=status, job_id=job_id, limit=limit)
        )

    # -- the calendar and its projection

    async def job_facts(self, job_ids: Sequence[str]) -> Sequence[JobFact]:
        return await self._db.read(lambda tx: calendar_rows.job_facts(tx, job_ids, self._specs))

    async def scan_calendar(self, window: Window) -> CalendarFacts:
        return await self._db.read(
            lambda tx: calendar_rows.scan_calendar(tx, window, self._specs), _lane_of(window)
        )

    async def projected_calendar(
        self, window: Window, *, only: Collection[str] | None = None
    ) -> CalendarFacts:
        return await self._db.read(
            lambda tx: calendar_rows.projected_calendar(tx, window, self._specs, only=only),
            _lane_of(window),
        )

    async def both_calendars(self, window: Window) -> tuple[CalendarFacts, CalendarFacts]:
        def both(tx: Tx) -> tuple[CalendarFacts, CalendarFacts]:
            return (
                calendar_rows.scan_calendar(tx, window, self._specs),
                calendar_rows.projected_calendar(tx, window, self._specs),
            )

        def both_if_level(tx: Tx) -> tuple[CalendarFacts, CalendarFacts] | None:
            level = projection_rows.position(tx) == log_verbs.log_bounds(tx).newest_seq
            return both(tx) if level else None

        def both_made_level(tx: Tx) -> tuple[CalendarFacts, CalendarFacts]:
            projection_rows.project_all(tx)
            return both(tx)

        # The writer folds what is missing and does not wait for the reading, unless events come
        # too quickly for a snapshot in between.
        for _ in range(_SNAPSHOT_TRIES):
            await self._db.write(projection_rows.project_all)
            found = await self._db.read(both_if_level, Lane.LONG)
            if found is not None:
                return found
        return await self._db.write(both_made_level)

    async def count_stasis_groups(self) -> int:
        return await self._db.read(calendar_rows.count_stasis_groups)

    async def projection_position(self) -> int:
        return await self._db.read(projection_rows.position)

    async def project(self, events: Sequence[Event]) -> int:
        return await self._db.write(lambda tx: projection_rows.project(tx, events))

    async def clear_projection(self) -> None:
        await self._db.write(projection_copy.clear)

    async def projection_digest(self) -> ProjectionDigest:
        return await self._db.read(projection_copy.digest, Lane.LONG)

    async def read_projection(
        self, *, after: ProjectionPage | None, limit: int
    ) -> ProjectionPage | None:
        return await self._db.read(
            lambda tx: projection_copy.read_page(tx, after, limit=limit), Lane.LONG
        )

    async def write_projection(self, page: ProjectionPage) -> None:
        await self._db.write(lambda tx: projection_copy.write_page(tx, page))

    async def recorded_by_hour(
        self, *, start: datetime, end: datetime, job_id: JobId | None
    ) -> Sequence[tuple[int, int]]:
        return await self._db.read(
            lambda tx: log_verbs.recorded_by_hour(tx, start=start, end=end, job_id=job_id),
            Lane.LONG,
        )

    async def ledger_facts(
        self, *, start: datetime, end: datetime, job_id: JobId | None
    ) -> LedgerFacts:
        return await self._db.read(
            lambda tx: log_verbs.ledger_facts(
                tx, start=start, end=end, job_id=job_id, specs=self._specs
            ),
            Lane.LONG,
        )


def _name_stream(tx: Tx) -> None:
    """Give a new database its name: a client that knew another one is told to begin anew."""
    if tx.one("get_meta", name="stream_id") is None:
        tx.run("set_meta", name="stream_id", value=uuid4().hex)


def sqlite_store(
    path: Path, *, synchronous: str = "FULL", state_dir: Path | None = None, is_kept: bool = True
) -> SqlStore:
    """A store in one SQLite file. The other parameters are those of `SqliteDatabase`."""
    tail = LogTail()
    database = SqliteDatabase(
        path,
        synchronous=synchronous,
        on_append=tail.grown,
        state_dir=state_dir,
        is_kept=is_kept,
    )
    return SqlStore(database, tail)
