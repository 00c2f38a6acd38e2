"""Commands on single slots to come: skip, move, run early, and take that back."""

from datetime import datetime

from universal_agent.clock import Clock
from universal_agent.domain.job import Job
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.run import JobId, Run, RunId
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.slot_overrides import OverrideKind, SlotOverride
from universal_agent.engine.ids import new_id
from universal_agent.errors import InvalidSchedule, JobNotFound
from universal_agent.store import verbs
from universal_agent.store.store import Store


class SlotOverrides:
    """What a person may decide about one slot ahead of its time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def make(
        self,
        slot: SlotKey,
        kind: OverrideKind,
        *,
        by: str,
        move_to: str | float | None = None,
        timezone: str | None = None,
    ) -> Run | None:
        """Decide a slot ahead of its time; returns its run if it runs early.

        Raises JobNotFound, SlotNotFound if the job expects no such slot, Conflict if the slot is
        decided already, InvalidInput for a time that is not understood or is past.
        """
        now = self._clock.now()
        override = SlotOverride(kind=kind)
        if kind is OverrideKind.MOVE:
            at = await self._move_to(slot, move_to, timezone, now)
            override = SlotOverride(kind=kind, move_to=at)
        run_id = RunId(new_id("run", now))
        return await self._store.write(
            verbs.slot_overrides.override_slot, slot, override, run_id=run_id, by=by, now=now
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
        """Take back a skip or a move whose time has not come. Raises SlotNotFound, Conflict."""
        now = self._clock.now()
        return await self._store.write(verbs.slot_overrides.undo_override, slot, by=by, now=now)
