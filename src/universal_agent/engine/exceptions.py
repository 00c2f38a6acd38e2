"""Commands on single future slots: skip, move, run early, and take that back."""

from datetime import datetime

from universal_agent.clock import Clock
from universal_agent.domain.exceptions import ExceptionKind, SlotException
from universal_agent.domain.job import Job
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.run import JobId, Run, RunId
from universal_agent.domain.slot import SlotKey
from universal_agent.engine.ids import new_id
from universal_agent.errors import InvalidSchedule, JobNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store


class Exceptions:
    """What a person may do to one slot ahead of its time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def make(
        self,
        slot: SlotKey,
        kind: ExceptionKind,
        *,
        by: str,
        move_to: str | float | None = None,
        timezone: str | None = None,
    ) -> Run | None:
        """Decide a slot ahead of its time; the run, when it runs early.

        Raises JobNotFound, SlotNotFound when the job expects no such slot, Conflict when the slot
        is decided already, InvalidInput for a time that is not understood or is past.
        """
        now = self._clock.now()
        exception = SlotException(kind=kind)
        if kind is ExceptionKind.MOVE:
            at = await self._move_to(slot, move_to, timezone, now)
            exception = SlotException(kind=kind, move_to=at)
        run_id = RunId(new_id("run", now))
        return await self._store.write(
            verbs.slot_overrides.make_exception, slot, exception, run_id=run_id, by=by, now=now
        )

    async def _move_to(
        self, slot: SlotKey, given: str | float | None, timezone: str | None, now: datetime
    ) -> datetime:
        job = await self._store.read(verbs.jobs.get_job, JobId(slot.source_ref))
        if job is None:
            raise JobNotFound(f"There is no job {slot.source_ref!r}.")
        zone = timezone or job.spec.timezone
        at = parse_instant(given or "", now=now, timezone=zone, field="move_to")
        if at < now:
            raise InvalidSchedule(
                f"expected an instant in the future, got {at.isoformat()}", field="move_to"
            )
        return at

    async def undo(self, slot: SlotKey, *, by: str) -> Job:
        """Take back a skip or a move that has not come to pass. Raises SlotNotFound, Conflict."""
        return await self._store.write(
            verbs.slot_overrides.undo_exception, slot, by=by, now=self._clock.now()
        )
