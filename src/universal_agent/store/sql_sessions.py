"""The verbs of sessions and their beats, over a SQL database."""

from collections.abc import Sequence
from datetime import datetime

from universal_agent.domain.job import Job
from universal_agent.domain.run import Run
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import SystemEvent
from universal_agent.errors import SessionNotFound
from universal_agent.store import system_events
from universal_agent.store.job_verbs import read_job
from universal_agent.store.rows import SpecCache, job_from_row
from universal_agent.store.session_store import Wake
from universal_agent.store.tx import Database, Tx


class SqlSessions:
    """`SessionStore` over a SQL database."""

    def __init__(self, database: Database, specs: SpecCache) -> None:
        self._db = database
        self._specs = specs

    # -- heartbeats

    async def list_beats(self) -> Sequence[Job]:
        def read(tx: Tx) -> list[Job]:
            return [job_from_row(row, self._specs) for row in tx.all("list_beats")]

        return await self._db.read(read)

    async def wake_beat(self, wake: Wake, *, now: datetime) -> Run | None:
        def put(tx: Tx) -> Run | None:
            job = read_job(tx, wake.session_id, self._specs)
            if job is None or job.source is not Source.HEARTBEAT:
                raise SessionNotFound(f"There is no session {wake.session_id!r} with heartbeats.")
            return system_events.wake_beat(tx, job, wake, now=now)

        return await self._db.write(put)

    async def queue_system_event(self, event: SystemEvent, *, keep: int) -> None:
        await self._db.write(lambda tx: system_events.queue_event(tx, event, keep=keep))

    async def system_events(self, session_id: str) -> Sequence[SystemEvent]:
        return await self._db.read(lambda tx: system_events.events_of(tx, session_id))
