"""Commands on a session's beats: those of a job, with a heartbeat's meaning.

To pause a heartbeat is to expect no beats and to deliver nothing; to run one now is to wake it.
"""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from universal_agent.domain.draft import Drafted
from universal_agent.domain.heartbeat import DeliveryMode, HeartbeatConfig, overridden
from universal_agent.domain.job import Job, JobSpec, OnMiss, Overlap, Policy
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import JobId, Run, RunId
from universal_agent.domain.schedule import IntervalSchedule
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import WakeMode
from universal_agent.engine.ids import new_id
from universal_agent.engine.jobs import TRIES, Jobs
from universal_agent.errors import Conflict, InvalidInput, JobNotFound
from universal_agent.store import verbs
from universal_agent.store.keyed import accompanied, made_under
from universal_agent.store.values import Once, SessionEnd, Wake

#: Up to this late a beat just runs, unless its interval is shorter.
_GRACE = timedelta(seconds=60)

#: The time beyond its own limit that a beat has to end without being stopped.
_TO_END = timedelta(seconds=30)


class Beats(Jobs):
    """What people may do to sessions' beats; a job's id is the session's."""

    source = Source.HEARTBEAT

    def __init__(
        self,
        *args: Any,
        config: HeartbeatConfig,
        on_miss: OnMiss,
        system_events_max: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        #: What becomes of missed beats.
        self.on_miss = on_miss
        #: What holds for every session.
        self.config = config
        self.system_events_max = system_events_max

    def drafted(self, draft: JobDraft, *, base: JobSpec | None, now: datetime) -> Drafted:
        assert base is not None, "beats are made by Heartbeats.ensure"
        given = super().drafted(draft, base=base, now=now)
        spec = given.spec
        if spec.enabled != base.enabled:
            spec = replace(spec, metadata=self._told(spec))
        return replace(given, spec=timely(spec))

    def _told(self, spec: JobSpec) -> dict[str, Any]:
        """The metadata with the delivery that goes with being on or off."""
        metadata = {k: v for k, v in spec.metadata.items() if k != "delivery_mode"}
        if not spec.enabled:
            return {**metadata, "delivery_mode": DeliveryMode.NONE}
        if self.configured(spec).delivery_mode is DeliveryMode.NONE:
            return {**metadata, "delivery_mode": DeliveryMode.LAST}
        return metadata

    def configured(self, spec: JobSpec | None) -> HeartbeatConfig:
        """The session's config by the last HEARTBEAT.json that could be read."""
        text = None if spec is None else spec.metadata.get("overrides")
        try:
            return self.config if text is None else overridden(self.config, text)
        except InvalidInput:
            return self.config  # an earlier version of this product accepted it

    async def end_session(self, session_id: str, *, by: str) -> SessionEnd:
        """Delete a session and its beats in one transaction. Raises SessionNotFound."""
        found: list[SessionEnd] = []

        async def end(job: Job | None, now: datetime) -> Job | None:
            closed_at = None if job is None else (await self._undecided(job, now)).end(now)
            ended = await self._store.write(
                verbs.sessions.delete_session,
                session_id,
                by=by,
                now=now,
                beats=job,
                closed_at=closed_at,
            )
            if ended is not None:
                found.append(ended)
            return None if ended is None else job

        for _ in range(TRIES):
            try:
                await self._apply(JobId(session_id), end)
            except JobNotFound:  # it has none, as far as was known
                await end(None, self._clock.now())
            if found:
                return found[0]
        raise Conflict(
            f"The session {session_id} changes faster than it can be deleted; try again."
        )

    async def run_now(self, job_id: JobId, *, once: Once | None = None) -> Run:
        """Wake the session now. However often that is requested, at most one beat waits."""
        made = None if once is None else await self._store.read(verbs.idempotency.answer_of, once)
        run = None if made is None else await self._store.read(verbs.runs.get_run, RunId(made))
        if run is not None:
            return run
        with ExitStack() as stack:
            if once is not None:
                stack.enter_context(accompanied(made_under(once, now=self._clock.now())))
            run = await self.wake(job_id, WakeMode.NOW, reason=None, by="operator")
        assert run is not None
        return run

    async def wake(
        self, session_id: str, mode: WakeMode, *, reason: str | None, by: str
    ) -> Run | None:
        """Request a session's beat; return its run if it is requested for now.

        Raises SessionNotFound.
        """
        wish = self.wish(session_id, mode, reason=reason, by=by)
        return await self._store.write(verbs.beats.wake_beat, wish, now=self._clock.now())

    def wish(self, session_id: str, mode: WakeMode, *, reason: str | None, by: str) -> Wake:
        """A wake with the id that its run would have."""
        return Wake(
            session_id=session_id,
            run_id=RunId(new_id("run", self._clock.now())),
            mode=mode,
            reason=reason,
            by=by,
            keep=self.system_events_max,
        )


def timely(spec: JobSpec) -> JobSpec:
    """The spec with the policy that goes with its schedule: a beat is useful for one interval.

    One that nobody is asked about does not expire: the next beat closes it.
    """
    schedule = spec.schedule
    if not isinstance(schedule, IntervalSchedule):
        return spec
    grace = int(min(_GRACE, schedule.every).total_seconds())
    useful = int(schedule.every.total_seconds())
    policy = replace(
        spec.policy,
        misfire_grace_seconds=grace,
        useful_for_seconds=useful if spec.policy.on_miss is OnMiss.ASK else None,
        # The next beat replaces one that waits: after that, none is left to run.
        queue_limit_seconds=useful + grace,
    )
    return replace(spec, policy=policy)


def beat_policy(config: HeartbeatConfig, on_miss: OnMiss) -> Policy:
    """How beats behave, whatever their schedule."""
    limit = timedelta(seconds=config.exec_timeout_seconds) + _TO_END
    return Policy(
        overlap=Overlap.DEFER, on_miss=on_miss, timeout_seconds=int(limit.total_seconds())
    )
