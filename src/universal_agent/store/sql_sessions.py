"""The verbs of sessions and their beats, over a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain.job import Job, JobSpec
from universal_agent.domain.run import Run, RunId
from universal_agent.domain.session import Session, Turn
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import SystemEvent
from universal_agent.errors import SessionNotFound
from universal_agent.store import session_rows, system_events
from universal_agent.store.base import Once
from universal_agent.store.job_verbs import read_job
from universal_agent.store.keyed import Effect
from universal_agent.store.rows import SpecCache, job_from_row, run_from_row
from universal_agent.store.session_store import SessionEnd, Told, Wake
from universal_agent.store.set_aside import decoded
from universal_agent.store.tx import Database, Tx


class SqlSessions:
    """`SessionStore` over a SQL database."""

    def __init__(self, database: Database, specs: SpecCache) -> None:
        self._db = database
        self._specs = specs

    # -- sessions

    async def create_session(self, session: Session, *, now: datetime) -> Session:
        return await self._db.write(lambda tx: session_rows.create_session(tx, session, now=now))

    async def get_session(self, session_id: str) -> Session | None:
        return await self._db.read(lambda tx: session_rows.read_session(tx, session_id))

    async def list_sessions(self, *, limit: int, cursor: str = "") -> Sequence[Session]:
        def read(tx: Tx) -> list[Session]:
            rows = tx.all("list_sessions", limit=limit, cursor=cursor)
            return decoded(tx, "sessions", rows, session_rows.session_from_row)

        return await self._db.read(read)

    async def count_sessions(self) -> int:
        def read(tx: Tx) -> int:
            row = tx.one("count_sessions")
            return int(row[0]) if row else 0

        return await self._db.read(read)

    async def busy_sessions(self) -> Sequence[str]:
        return await self._db.read(lambda tx: [str(row[0]) for row in tx.all("busy_sessions")])

    async def delete_session(
        self,
        session_id: str,
        *,
        by: str,
        now: datetime,
        beats: Job | None = None,
        closed_at: datetime | None = None,
    ) -> SessionEnd | None:
        return await self._db.write(
            lambda tx: session_rows.delete_session(
                tx,
                session_id,
                by=by,
                now=now,
                beats=beats,
                closed_at=closed_at,
                specs=self._specs,
            )
        )

    async def touch_session(self, session_id: str, *, now: datetime) -> None:
        await self._db.write(
            lambda tx: tx.run("touch_session", session_id=session_id, now=now.timestamp())
        )

    # -- turns

    async def add_turn(
        self, session_id: str, run_id: RunId, spec: JobSpec, *, now: datetime, once: Once | None
    ) -> Turn:
        return await self._db.write(
            lambda tx: session_rows.add_turn(tx, session_id, run_id, spec, now=now, once=once)
        )

    async def open_runs(self, session_id: str) -> Sequence[Run]:
        def read(tx: Tx) -> list[Run]:
            rows = tx.all("open_runs_of_session", session_id=session_id)
            return decoded(tx, "runs", rows, run_from_row)

        return await self._db.read(read)

    async def untold_turn(self, session_id: str) -> Run | None:
        def read(tx: Tx) -> Run | None:
            row = tx.one("untold_turn", session_id=session_id)
            return None if row is None else run_from_row(row)

        return await self._db.read(read)

    async def turn_told(self, session_id: str, run_id: RunId) -> None:
        await self._db.write(lambda tx: tx.run("turn_told", session_id=session_id, run_id=run_id))

    # -- heartbeats

    async def list_beats(self) -> Sequence[Job]:
        def read(tx: Tx) -> list[Job]:
            rows = tx.all("list_beats")
            return decoded(tx, "jobs", rows, lambda row: job_from_row(row, self._specs))

        return await self._db.read(read)

    async def wake_beat(self, wake: Wake, *, now: datetime) -> Run | None:
        def put(tx: Tx) -> Effect[Run | None]:
            job = read_job(tx, wake.session_id, self._specs)
            if job is None or job.source is not Source.HEARTBEAT:
                raise SessionNotFound(f"There is no session {wake.session_id!r} with heartbeats.")
            return Effect(system_events.wake_beat(tx, job, wake, now=now))

        return (await self._db.write(put)).value

    async def tell_beats(
        self,
        events: Sequence[SystemEvent],
        wakes: Sequence[Wake],
        *,
        keep: int,
        now: datetime,
    ) -> Told:
        return await self._db.write(
            lambda tx: system_events.tell_beats(
                tx, events, wakes, keep=keep, specs=self._specs, now=now
            )
        )

    async def system_events(self, session_id: str) -> Sequence[SystemEvent]:
        return await self._db.read(lambda tx: system_events.events_of(tx, session_id))
