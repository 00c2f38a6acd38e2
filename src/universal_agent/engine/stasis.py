"""Commands on missed slots: approve, reschedule, delete, take back.

The store decides races; this module makes the ids, and the one-shot job that a rescheduled slot
becomes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.clock import Clock
from universal_agent.domain.job import Job
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.miss_defaults import policy_by_cadence
from universal_agent.domain.phrases import parse_instant
from universal_agent.domain.recommendation import ACTION, Recommendation, Waiting, recommend
from universal_agent.domain.run import JobId, RunId
from universal_agent.domain.schedule import make_once
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import DEFAULT_DELAY, MissedRecord, Scope, StasisAction
from universal_agent.domain.system_event import WakeMode
from universal_agent.engine.beats import Beats
from universal_agent.engine.ids import new_id
from universal_agent.errors import (
    Conflict,
    InvalidInput,
    InvalidSchedule,
    SlotNotFound,
    StoreUnavailable,
    UniversalAgentError,
)
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once, Resolution, Resolved

#: Groups that one bulk decision closes.
BULK_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """What became of one item of a bulk decision, or would become of it."""

    event_id: str
    #: What was recommended, where that was asked for.
    recommended: Recommendation | None = None
    resolved: Resolved | None = None
    error: UniversalAgentError | None = None


class Stasis:
    """What an operator may do about missed slots."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        beats: Beats,
        *,
        require: Callable[[Source], None],
        off: Sequence[Source] = (),
        agent: Sequence[str] = (),
    ) -> None:
        """`require` raises EngineOff for the sources in `off`, whose engine is switched off.

        `agent` is what the configured agent uses.
        """
        self._off = off
        self._agent = agent
        self._store = store
        self._clock = clock
        self._beats = beats
        self._require = require

    async def resolve(
        self,
        slot: SlotKey,
        action: StasisAction,
        *,
        scope: Scope = Scope.GROUP,
        by: str,
        note: str | None = None,
        run_at: str | float | None = None,
        timezone: str | None = None,
        once: Once | None = None,
    ) -> Resolved:
        """Decide about a missed slot, or its whole group.

        Raises SlotNotFound, AlreadyResolved, Conflict when its job is gone, InvalidInput for a
        `run_at` that is not understood or is past, and EngineOff for anything but a deletion
        while the engine of the slot's source is switched off. A repeated request is answered
        before it is judged.
        """
        if (
            once is not None
            and (made := await self._store.read(verbs.stasis.decision_made, once)) is not None
        ):
            return made
        if action is not StasisAction.DELETE:
            self._require(slot.source)
        now = self._clock.now()
        resolution = Resolution(action=action, scope=scope, by=by, note=note)
        if action is StasisAction.APPROVE:
            resolution = replace(resolution, run_id=RunId(new_id("run", now)))
        elif action is StasisAction.RESCHEDULE and slot.source is Source.HEARTBEAT:
            if run_at is not None:
                raise InvalidInput(
                    "expected no run_at: a missed beat is made up for by the next one",
                    field="run_at",
                )
            reason = f"the missed beat {slot.event_id}"
            wish = self._beats.wish(slot.source_ref, WakeMode.NEXT, reason=reason, by=by)
            resolution = replace(resolution, wake=wish)
        elif action is StasisAction.RESCHEDULE:
            job = await self._one_shot(slot, scope, run_at, timezone, now)
            resolution = replace(resolution, job=job)
        elif run_at is not None:
            raise InvalidInput("expected run_at only with reschedule", field="run_at")
        return await self._store.write(
            verbs.stasis.resolve_missed,
            slot,
            resolution,
            spare_ids=[new_id("mis", now) for _ in range(2)],
            now=now,
            once=once,
        )

    async def _one_shot(
        self,
        slot: SlotKey,
        scope: Scope,
        run_at: str | float | None,
        timezone: str | None,
        now: datetime,
    ) -> Job:
        """The job that a rescheduled slot becomes: the same work, once."""
        missed = await self._store.read(verbs.stasis.find_missed, slot)
        job = await self._store.read(verbs.jobs.get_job, JobId(slot.source_ref))
        if job is None:
            raise Conflict("The job of this missed slot was deleted.")
        spec = job.spec
        zone = timezone or spec.timezone
        at = now + DEFAULT_DELAY
        if run_at is not None:
            at = parse_instant(run_at, now=now, timezone=zone, field="run_at")
        schedule = make_once(at)
        if schedule.run_at < now:
            raise InvalidSchedule(
                f"expected an instant in the future, got {schedule.run_at.isoformat()}",
                field="run_at",
            )
        missed_at = missed.span.last_at if scope is Scope.GROUP else slot.scheduled_at
        origin = replace(slot, scheduled_at=missed_at)
        spec = replace(
            spec,
            schedule=schedule,
            timezone=zone,
            title=f"{spec.display_title} (rescheduled)",
            enabled=True,
            off_label=None,
            metadata={
                **spec.metadata,
                "backfill_for_job_id": job.job_id,
                "backfill_for_event_id": origin.event_id,
            },
        )
        return Job(
            job_id=JobId(new_id("job", now)),
            version=1,
            spec=replace(spec, policy=policy_by_cadence(spec)),
            created_at=now,
            effective_from=min(now, schedule.run_at - timedelta(seconds=1)),
            next_run_at=schedule.run_at,
        )

    async def resolve_many(
        self,
        *,
        action: StasisAction | None,
        by: str,
        event_ids: Sequence[str] = (),
        outage_id: str | None = None,
        note: str | None = None,
        run_at: str | float | None = None,
        timezone: str | None = None,
        once: Once | None = None,
        preview: bool = False,
    ) -> list[BulkOutcome]:
        """Decide many groups, each on its own: one that fails does not stop the others.

        Without an `action`, each as is recommended for it at that time. With `preview` nothing is
        decided.

        With `once`, the slots and each decision are kept under the key: a repeat after a crash
        continues where the first request ended, and answers as that would have.
        """
        slots = await self._meant(event_ids, outage_id, once)
        if not slots:
            raise SlotNotFound("expected at least one missed slot that waits, got none")
        if len(slots) > BULK_LIMIT:
            raise InvalidInput(
                f"expected at most {BULK_LIMIT} items, got {len(slots)}", field="event_ids"
            )
        arguments: dict[str, Any] = {
            "by": by,
            "note": note,
            "run_at": run_at,
            "timezone": timezone,
        }
        outcomes = []
        for number, slot in enumerate(slots):
            part = None if once is None else once.part(f"{number} {slot.event_id}")
            outcome = BulkOutcome(event_id=slot.event_id)
            try:
                meant = action
                if meant is None:
                    made = None
                    if part is not None:
                        made = await self._store.read(verbs.stasis.decision_made, part)
                    if made is not None:
                        outcomes.append(replace(outcome, resolved=made))
                        continue
                    outcome = replace(outcome, recommended=await self.recommended(slot))
                    assert outcome.recommended is not None
                    meant = ACTION[outcome.recommended.decision]
                elif preview:
                    await self._waiting(slot)
                if not preview:
                    resolved = await self.resolve(slot, meant, **arguments, once=part)
                    outcome = replace(outcome, resolved=resolved)
            except StoreUnavailable:
                raise  # about no single item; a repeat continues from here
            except UniversalAgentError as error:
                outcome = replace(outcome, error=error)
            outcomes.append(outcome)
        return outcomes

    async def recommended(self, slot: SlotKey) -> Recommendation:
        """What is recommended about a slot's group. Raises SlotNotFound, AlreadyResolved."""
        return recommend(await self._waiting(slot), now=self._clock.now())

    async def _waiting(self, slot: SlotKey) -> Waiting:
        return await self._store.read(
            verbs.waiting.waiting_with, slot, agent=self._agent, off=self._off
        )

    async def _meant(
        self, event_ids: Sequence[str], outage_id: str | None, once: Once | None
    ) -> list[SlotKey]:
        """The slots of a bulk decision, as they were at the first request with its key."""
        part = None if once is None else once.part("items")
        kept = None if part is None else await self._store.read(verbs.idempotency.answer_of, part)
        if kept is not None:
            return [SlotKey.parse(event_id) for event_id in kept.split()]
        slots = [SlotKey.parse(event_id) for event_id in event_ids]
        if outage_id is not None:
            pending = await self.pending()
            slots += [SlotKey.parse(r.event_id) for r in pending if r.outage_id == outage_id]
        if part is not None and 0 < len(slots) <= BULK_LIMIT:
            listed = " ".join(slot.event_id for slot in slots)
            await self._store.write(
                verbs.idempotency.keep_answer, part, listed, now=self._clock.now()
            )
        return slots

    async def pending(self) -> list[MissedRecord]:
        """The latest span of every group that waits."""
        groups: dict[tuple[str, str], MissedRecord] = {}
        for record in await self._store.read(
            verbs.stasis.missed_spans, status=MissedStatus.PENDING, limit=100_000
        ):
            key = (record.source_ref, record.outage_id)
            if key not in groups or groups[key].span.last_at < record.span.last_at:
                groups[key] = record
        return list(groups.values())

    async def undo_delete(self, slot: SlotKey, *, by: str) -> MissedRecord:
        """Take back a deletion within a minute. Raises SlotNotFound or Conflict."""
        return await self._store.write(verbs.stasis.undo_delete, slot, by=by, now=self._clock.now())
