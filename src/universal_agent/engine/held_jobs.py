"""The jobs that are held because they failed too often in a row, followed through the log."""

from universal_agent.domain.event_types import JOB_GONE, JOB_PUT
from universal_agent.domain.events import Event
from universal_agent.domain.job import OffLabel
from universal_agent.store import verbs
from universal_agent.store.store import Store


class HeldJobs:
    """Counts the held jobs in memory: health reads the count without asking the database."""

    event_types = (*JOB_PUT, *JOB_GONE)

    def __init__(self, store: Store) -> None:
        self._store = store
        self._job_ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._job_ids)

    async def look(self) -> None:
        """Read the held jobs from the store."""
        self._job_ids = set(await self._store.read(verbs.jobs.held_jobs))

    def notice(self, event: Event) -> None:
        """A job was made, changed or deleted."""
        if event.type in JOB_GONE:
            self._job_ids.discard(event.source_ref)
            return
        spec = event.data["job"]["spec"]
        is_held = spec["enabled"] and spec["off_label"] == OffLabel.AUTO_PAUSED
        (self._job_ids.add if is_held else self._job_ids.discard)(event.source_ref)
