"""The scheduler's loop: judges the slots that are due and offers them to the run queue.

Each turn takes the jobs whose next slot has come due, decides all their slots up to now, and
commits the decisions. A start after a night off, a suspend and a busy moment are the same turn
over a longer range; only the cause that misses are recorded with differs. What comes due within a
second is decided ahead, so that only the commit is left when its time has come.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from universal_agent.clock import TOLERANCE, Clock, ClockGap, ClockJump
from universal_agent.domain.due_events import DUE_CHANGED, due_instants
from universal_agent.domain.events import Event
from universal_agent.domain.job import Job, OnMiss
from universal_agent.domain.judge import Cause, MissedStatus, judge
from universal_agent.domain.run import RunId, Trigger
from universal_agent.domain.slot import Source, from_epoch
from universal_agent.domain.stasis import MissedRecord
from universal_agent.engine.ids import new_id
from universal_agent.engine.lookahead import AHEAD, LIMIT, Lookahead
from universal_agent.engine.replanning import plan_again
from universal_agent.engine.run_queue import RunQueue
from universal_agent.engine.timer import Timer
from universal_agent.errors import StoreUnavailable
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Decision, SlotStart

_log = structlog.get_logger(__name__)

#: Jobs decided in one commit: enough to share its fsync, few enough that the first ones start
#: while the next are decided, and that the event loop stays responsive.
BATCH = 250

#: If a start is this long after the last event, its clock may be ahead.
_LEAP = timedelta(minutes=1)

#: The time after which a job that cannot be decided is tried again.
_POSTPONE = timedelta(minutes=1)

#: Capacity misses less than this apart are one outage.
_SAME_OUTAGE = timedelta(minutes=10)

_STORE_RETRY_SECONDS = 0.5

_GAP_CAUSES = {
    ClockJump.SUSPENDED: Cause.HOST_SUSPENDED,
    ClockJump.FORWARD: Cause.CLOCK_STEP,
    ClockJump.BACKWARD: Cause.CLOCK_STEP,
}


class Scheduler:
    """The scheduler of record, of cron jobs and heartbeats alike."""

    event_types = DUE_CHANGED

    def __init__(
        self,
        store: Store,
        clock: Clock,
        queue: RunQueue,
        timer: Timer,
        *,
        without: Source | None = None,
    ) -> None:
        """`without` is a source whose slots are decided elsewhere."""
        self._store = store
        self._without = without
        self._clock = clock
        self._queue = queue
        self._timer = timer
        self._ahead = Lookahead()
        self._cause = Cause.CAPACITY
        self._outage_id = ""
        self._busy_id = ""
        self._busy_until: datetime | None = None
        self._is_paused = False
        #: What the clock showed before it was set back, until all jobs are planned again.
        self._ahead_until: datetime | None = None
        #: What it showed after it was set forward, until that is recorded.
        self._leapt_to: datetime | None = None

    @property
    def agent(self) -> tuple[str, ...]:
        """The resources that the configured agent uses."""
        return self._queue.agent

    # -- waking

    def notice(self, event: Event) -> None:
        """Be awake when the slots are due that the event tells of."""
        for due_at in due_instants(event):
            self._wake_for(due_at)

    async def look(self) -> None:
        """Ask the store now what is due."""
        self._timer.bring_forward(self._clock.now())

    def _wake_for(self, due_at: datetime | None) -> None:
        """Be awake at `due_at`, and ahead of it to decide what is due then."""
        if due_at is not None:
            early = due_at - AHEAD
            self._timer.bring_forward(due_at if early <= self._clock.now() else early)

    def pause(self) -> None:
        """Decide nothing more: what comes due is left to the next start."""
        self._is_paused = True

    # -- deciding

    async def catch_up(self, cause: Cause) -> None:
        """Decide everything that is due by now; `cause` is recorded with misses."""
        self._begin_outage(cause)
        try:
            with self._queue.admitting():
                while decisions := self._ahead.take(now=(now := self._clock.now()), limit=BATCH):
                    await self._admit(decisions, now=now)
                await self._clock.sleep(0)  # what was admitted starts before more is looked for
                # After a jump of the clock the rest is judged with that as its cause.
                while not (self._timer.has_gap or self._is_paused) and await self._turn():
                    pass
        finally:
            self._begin_outage(Cause.CAPACITY)

    async def plan_again_if_ahead(self) -> None:
        """At a start: plan all jobs again if the store has seen a later time than now."""
        acted_at, now = await self._store.read(verbs.replanning.acted_at), self._clock.now()
        if acted_at - now > TOLERANCE:
            self._ahead_until = acted_at
            await self._plan_again()
        elif now - acted_at > _LEAP and acted_at > from_epoch(0):
            await self._store.write(verbs.replanning.note_leap, to=now)

    async def _plan_again(self) -> None:
        if self._leapt_to is not None:
            await self._store.write(verbs.replanning.note_leap, to=self._leapt_to)
            self._leapt_to = None
        if self._ahead_until is not None:
            now = self._clock.now()
            await plan_again(self._store, ahead_until=self._ahead_until, now=now)
            self._ahead_until = None

    async def run(self) -> None:
        """Decide and wait, until cancelled.

        It begins with a look at what is due: a loop that is started again after a failure does
        not know what was left undone.
        """
        cause = Cause.CAPACITY
        while True:
            with self._timer.looking():
                await self._survive(cause)
            if self._is_paused:
                self._timer.forget()
            gap = await self._timer.wait()
            cause = Cause.CAPACITY
            if gap is not None:
                self._ahead.clear()
                self._log_gap(gap)
                cause = _GAP_CAUSES[gap.jump]
                if gap.jump is ClockJump.FORWARD:
                    self._leapt_to = gap.after
                elif gap.jump is ClockJump.BACKWARD:
                    self._ahead_until = max(gap.before, self._ahead_until or gap.before)

    async def miss(self, jobs: Sequence[Job], *, outage_id: str, now: datetime) -> None:
        """Record what these jobs have missed because their engine is off; start nothing."""
        self._begin_outage(Cause.ENGINE_OFF, outage_id)
        try:
            decisions = await self._decisions(jobs, now=now, admitting=False)
            passed = [decision for decision in decisions if decision.missed]
            if passed:
                await self._admit(passed, now=now)
        finally:
            self._begin_outage(Cause.CAPACITY)

    async def _survive(self, cause: Cause) -> None:
        """Catch up; while the store fails, keep trying, with that as the cause of misses."""
        while not self._is_paused:
            try:
                await self._plan_again()
                await self.catch_up(cause)
                await self._look_ahead()
            except StoreUnavailable as error:
                cause = Cause.STORE_UNAVAILABLE
                self._timer.tick()  # health blames the database, not the loop
                _log.error("store_unavailable", error=error.message)
                await self._clock.sleep(_STORE_RETRY_SECONDS)
            else:
                return

    def _begin_outage(self, cause: Cause, outage_id: str = "") -> None:
        self._cause = cause
        self._outage_id = outage_id

    def _outage(self, now: datetime) -> str:
        """The outage that misses of this moment belong to; its id is made at the first miss.

        Misses for lack of capacity come one by one: those that follow closely are one outage.
        """
        if self._cause is Cause.CAPACITY:
            if self._busy_until is None or now > self._busy_until:
                self._busy_id = new_id("out", now)
            self._busy_until = now + _SAME_OUTAGE
            return self._busy_id
        self._outage_id = self._outage_id or new_id("out", now)
        return self._outage_id

    def _log_gap(self, gap: ClockGap) -> None:
        _log.warning(
            "clock_jumped",
            jump=gap.jump,
            before=gap.before.isoformat(),
            after=gap.after.isoformat(),
        )

    async def _turn(self) -> bool:
        """Decide one batch, and return whether more may be due already."""
        now = self._clock.now()
        self._timer.tick()
        self._timer.forget()
        due = await self._store.read(
            verbs.admission.due, until=now, limit=BATCH, without=self._without
        )
        self._wake_for(due.next_at)
        if due.cooled:
            self._queue.look_again()
        # All of them go before the slots of their jobs, which would replace them.
        if due.starts and await self._make_starts(now) == BATCH:
            return True
        if due.unreadable:
            await self._store.write(
                verbs.admission.postpone_unreadable, due.unreadable, due_at=now + _POSTPONE
            )
        if due.overdue:
            await self._miss_queued(now)
        if due.expired:
            await self._store.write(verbs.stasis.expire_missed, now=now, limit=BATCH)
        if due.jobs:
            await self.decide(due.jobs, now=now)
        return bool(due.jobs or due.unreadable or due.starts or due.overdue or due.expired)

    async def decide(self, jobs: Sequence[Job], *, now: datetime) -> None:
        """Judge the due slots of these jobs and commit what was decided."""
        await self._admit(await self._decisions(jobs, now=now), now=now)

    async def _decisions(
        self, jobs: Sequence[Job], *, now: datetime, admitting: bool = True
    ) -> list[Decision]:
        decisions: list[Decision] = []
        for job in jobs:
            try:
                decisions.append(self._decide(job, now, admitting=admitting))
            except Exception:
                await self._postpone(job, now)
        return decisions

    async def _postpone(self, job: Job, now: datetime) -> None:
        """Decide about a job later: a failure of one must not stop the others."""
        _log.exception("job_undecidable", job_id=job.job_id)
        await self._store.write(verbs.admission.postpone, job, due_at=now + _POSTPONE)

    async def _look_ahead(self) -> None:
        """Decide what comes due within a moment, each slot as of its own time."""
        now = self._clock.now()
        soon = now + AHEAD
        if self._ahead or self._timer.due_at is None or self._timer.due_at > soon:
            return
        due = await self._store.read(
            verbs.admission.due, until=soon, limit=LIMIT, without=self._without
        )
        for number, job in enumerate(due.jobs):
            if job.due_at is None or job.due_at <= now:
                continue
            with suppress(Exception):  # logged, and postponed, when its time has come
                self._ahead.keep(self._decide(job, job.due_at))
            if number % BATCH == 0:
                await self._clock.sleep(0)

    async def _admit(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        """Commit decisions; one by one if they cannot be committed together."""
        try:
            await self._offer(decisions, now=now)
        except StoreUnavailable:
            raise
        except Exception:
            if len(decisions) == 1:
                await self._postpone(decisions[0].job, now)
                return
            for decision in decisions:
                await self._admit([decision], now=now)

    async def _offer(self, decisions: Sequence[Decision], *, now: datetime) -> None:
        await self._queue.offer(decisions, now=now)
        self._timer.tick()

    def _decide(self, job: Job, now: datetime, *, admitting: bool = True) -> Decision:
        assert job.next_run_at is not None
        policy = job.spec.policy
        if job.spec.is_held and policy.on_miss is OnMiss.RUN_ALL:
            # One run shows whether the job works again.
            policy = replace(policy, on_miss=OnMiss.RUN_LATEST)
        verdict = judge(
            job.spec.schedule,
            policy,
            next_run_at=job.next_run_at,
            jitter=job.jitter,
            now=now,
            admitting=admitting,
        )
        missed: list[MissedRecord] = []
        starts: list[SlotStart] = []
        for span in verdict.missed:
            useful = policy.useful_for_seconds
            missed_id = new_id("mis", now)
            missed.append(
                MissedRecord(
                    missed_id=missed_id,
                    source=job.source,
                    source_ref=job.job_id,
                    job_version=job.version,
                    span=span,
                    cause=self._cause,
                    outage_id=self._outage(now),
                    created_at=now,
                    updated_at=now,
                    useful_until=(
                        None if useful is None else span.last_at + timedelta(seconds=useful)
                    ),
                )
            )
            if span.status is MissedStatus.APPROVED_AND_RUN:
                starts.extend(
                    SlotStart(
                        scheduled_at=slot,
                        run_id=RunId(new_id("run", now)),
                        trigger=Trigger.CATCH_UP,
                        missed_id=missed_id,
                    )
                    for slot in verdict.catch_up
                )
        starts.extend(
            SlotStart(scheduled_at=slot, run_id=RunId(new_id("run", now))) for slot in verdict.admit
        )
        return Decision(
            job=job,
            starts=tuple(starts),
            missed=tuple(missed),
            next_run_at=verdict.next_run_at,
        )

    async def _make_starts(self, now: datetime) -> int:
        """Queue slots that wait for a time of their own, and return how many there were."""
        return await self._store.write(
            verbs.starts.make_starts,
            [RunId(new_id("run", now)) for _ in range(BATCH)],
            missed_ids=[new_id("mis", now) for _ in range(BATCH)],
            cause=self._cause,
            outage_id=self._outage(now),
            now=now,
            without=self._without,
            agent=self.agent,
        )

    async def _miss_queued(self, now: datetime) -> None:
        """Record runs as missed that waited for a worker longer than their job allows."""
        await self._store.write(
            verbs.misses.miss_queued,
            now=now,
            cause=Cause.CAPACITY,
            outage_id=self._outage(now),
            missed_ids=[new_id("mis", now) for _ in range(BATCH)],
            after_grace=False,
            agent=self.agent,
            concurrency=self._queue.concurrency,
        )
