"""The product on a clock that is moved by hand, with runs that end as they are told."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from universal_agent.domain.events import (
    Event,
)
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.ledger import Ledger, reconcile
from universal_agent.domain.run import JobId, Run, RunStatus
from universal_agent.domain.stasis import MissedRecord
from universal_agent.runners.workspace_watch import Unwatched
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, ManualStore, RecordingRunner

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Gateway:
    """A gateway over one data directory; it can be killed and started again."""

    def __init__(self, data_dir: Path, clock: ManualClock, **settings: Any) -> None:
        # These stories are about slots that wait; test_miss_defaults.py is about what does not.
        settings.setdefault("on_miss_default", "ask")
        # What waits for a worker, and what starts one after the other, is told in test_pools.py.
        settings.setdefault("light_workers", 0)
        settings.setdefault("catch_up_spacing_ms", 0)
        self._settings = Settings(data_dir=data_dir, **settings)
        self.clock = clock
        self.began = clock.now()
        self.runner = RecordingRunner(clock)
        #: What sessions' beats are handed to.
        self.beats = RecordingRunner(clock, name="heartbeat")
        self.runtime: Runtime

    async def start(self, **settings: Any) -> None:
        """Start it, as after a kill or for the first time."""
        self._settings = self._settings.model_copy(update=settings)
        self.store = self.make_store()
        self.runtime = Runtime(
            self._settings,
            clock=self.clock,
            store=self.store,
            watch=Unwatched(),  # its time is not that of files
            runners={"shell": self.runner, "heartbeat": self.beats},
        )
        await self.runtime.start()
        await self.clock.settle()

    def make_store(self) -> ManualStore:
        """A store on the database in the data directory."""
        return ManualStore(self._settings.database_path, self.clock)

    @property
    def database_path(self) -> Path:
        return self._settings.database_path

    async def stop(self) -> None:
        """Stop it as it should be stopped."""
        await self.runtime.stop()

    async def kill(self) -> None:
        """What is committed stays; nothing else is recorded, and nobody is told."""
        self.runtime.watchdog.stop()
        await self.runtime.supervisor.stop()
        runs = [task for task in asyncio.all_tasks() if task.get_name().startswith("run ")]
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await self.store.close()

    # -- what a person does

    async def create(self, **fields: Any) -> Job:
        """A job that says `work`, each minute unless the fields name another schedule."""
        if not {"every", "cron_expr", "run_at", "schedule"} & set(fields):
            fields["every"] = "1m"
        return await self.runtime.jobs.create(
            JobDraft(**{"command": "work", "runner": "shell", **fields})
        )

    async def session(self, session_id: str = "s1", **overrides: Any) -> Job:
        """A session's beats, each minute unless its HEARTBEAT.json says otherwise."""
        self.overrides(session_id, {"every": "1m", **overrides})
        beats = await self.runtime.heartbeats.ensure(
            session_id, workspace_dir=session_id, owner_id="somebody"
        )
        assert beats is not None
        return beats

    def overrides(self, session_id: str, content: Any) -> None:
        """Write a session's HEARTBEAT.json: JSON, or whatever text it is to be."""
        workspace = self._settings.workspaces_root / session_id
        workspace.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        (workspace / "HEARTBEAT.json").write_text(text, encoding="utf-8")

    async def job(self, job: Job) -> Job:
        """The job as it is now."""
        found = await self.store.read(verbs.jobs.get_job, job.job_id)
        assert found is not None
        return found

    # -- what came of it

    async def runs(self, job: Job | None = None) -> list[Run]:
        """Runs, oldest first."""
        job_id = None if job is None else job.job_id
        found = await self.store.read(
            verbs.runs.list_runs, job_id=job_id, source=None, limit=100_000
        )
        return list(reversed(found))

    async def statuses(self, job: Job | None = None) -> list[RunStatus]:
        return [run.status for run in await self.runs(job)]

    async def events(self) -> Sequence[Event]:
        return await self.store.read_events(after_seq=0, limit=1_000_000)

    async def kinds(self) -> Counter[str]:
        """How many events there are of each type."""
        return Counter(str(event.type) for event in await self.events())

    async def pending(self) -> Sequence[MissedRecord]:
        """Missed spans that wait for an operator, oldest first."""
        spans = await self.store.read(
            verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=1000
        )
        return sorted(spans, key=lambda missed: missed.span.first_at)

    async def ledger(
        self, job: Job | None = None, *, start: datetime | None = None, end: datetime | None = None
    ) -> Ledger:
        """The account of everything since the beginning."""
        start, now = start or self.began, self.clock.now()
        end = max(end or now, start + SECOND)
        facts = await self.store.read(
            verbs.ledger.ledger_facts,
            start=start,
            end=end,
            job_id=None if job is None else JobId(job.job_id),
        )
        return reconcile(facts, start=start, end=end, now=now)


def slots_after(start: datetime, count: int, every: timedelta = MINUTE) -> list[datetime]:
    """The first slots of an interval that begins at `start`."""
    return [start + (n + 1) * every for n in range(count)]
