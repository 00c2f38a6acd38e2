"""The jobs that are held because they failed too often in a row, followed through the log."""

from universal_agent.domain.events import JOB_GONE, JOB_PUT, Event
from universal_agent.domain.job import OffLabel
from universal_agent.store import verbs
from universal_agent.store.store import Store


class HeldJobs:
    """How many there are, without a question to the database: health asks for it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._job_ids: set[str] = set()

    def __len__(self) -> int:
        return len(self._job_ids)

    async def load(self) -> None:
        """Begin with those that the last process left."""
        self._job_ids = set(await self._store.read(verbs.jobs.held_jobs))

    def notice(self, event: Event) -> None:
        """Follow an event of the log."""
        if event.type in JOB_PUT:
            spec = event.data["job"]["spec"]
            is_held = spec["enabled"] and spec["off_label"] == OffLabel.AUTO_PAUSED
            (self._job_ids.add if is_held else self._job_ids.discard)(event.source_ref)
        elif event.type in JOB_GONE:
            self._job_ids.discard(event.source_ref)
