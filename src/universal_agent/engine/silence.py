"""Notifications about sessions that are silent for several beats, and about the end of that.

It sleeps until a session could become silent. Beats that end put that off, and are looked at only
then, unless their session is silent.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from universal_agent.clock import Clock
from universal_agent.domain.event_types import COOLDOWNS, EventType
from universal_agent.domain.events import Event
from universal_agent.domain.heartbeat import HeartbeatConfig
from universal_agent.domain.job import JobSpec
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.silence import Liveness, silent_from
from universal_agent.domain.wording import describe_duration
from universal_agent.engine.ids import new_id
from universal_agent.engine.notify import Notifier
from universal_agent.store import verbs
from universal_agent.store.store import Store

_INCIDENT = "silent:"

#: The longest wait between two looks: the wall clock may be set forward in between.
_LONGEST_WAIT_SECONDS = 600.0

#: Many events share one look.
_PAUSE_SECONDS = 1.0

_BEAT_ENDS = (EventType.HEARTBEAT_COMPLETED, EventType.HEARTBEAT_FAILED)


class Silence:
    """Watches the sessions' beats from outside."""

    event_types = (
        *_BEAT_ENDS,
        *COOLDOWNS,
        EventType.HEARTBEAT_SCHEDULED,
        EventType.HEARTBEAT_REMOVED,
        EventType.HEARTBEAT_MISSED,
    )

    def __init__(
        self,
        store: Store,
        clock: Clock,
        notifier: Notifier,
        configured: Callable[[JobSpec], HeartbeatConfig],
        *,
        agent: Sequence[str],
        beats: int,
        enabled: bool,
    ) -> None:
        """`beats` is how many planned beats in a row may pass without one that ends; 0: any.

        Without `enabled`, heartbeats are switched off: then nothing is silent.
        """
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._configured = configured
        self._agent = agent
        self._beats = beats
        self._enabled = enabled and beats > 0
        #: Sessions with an open notification.
        self._silent: dict[str, Notification] = {}
        self._woken = asyncio.Event()

    def notice(self, event: Event) -> None:
        """A beat of a silent session has ended, or what is planned has changed."""
        if event.type not in _BEAT_ENDS or event.source_ref in self._silent:
            self._woken.set()

    async def look(self) -> None:
        """Look at all sessions."""
        self._woken.set()

    async def run(self) -> None:
        """Tell what begins and what ends, until cancelled."""
        while True:
            self._woken.clear()
            again_at = await self._turn()
            wait = (again_at - self._clock.now()).total_seconds() if again_at else None
            alarm = None
            if wait is not None:
                wait = min(max(wait, _PAUSE_SECONDS), _LONGEST_WAIT_SECONDS)
                alarm = self._clock.call_later(wait, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                if alarm is not None:
                    alarm.cancel()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _turn(self) -> datetime | None:
        """Look at all sessions; returns when one could become silent next."""
        now = self._clock.now()
        told = await self._store.read(verbs.notifications.open_notifications, prefix=_INCIDENT)
        self._silent = {one.incident.removeprefix(_INCIDENT): one for one in told}
        lives: list[Liveness] = []
        if self._enabled:
            lives = await self._store.read(
                verbs.silence.beats_alive, agent=self._agent, beats=self._beats + 1
            )
        again_at: datetime | None = None
        left = dict(self._silent)
        for life in lives:
            at = silent_from(life, self._configured(life.job.spec), beats=self._beats)
            known = left.pop(life.job.job_id, None)
            if at is not None and at <= now:
                if known is None:
                    told_now = await self._notifier.tell(self._silent_since(life, now))
                    self._silent[life.job.job_id] = told_now
                continue
            if known is not None:
                await self._heard(life, known, now)
            if at is not None and (again_at is None or at < again_at):
                again_at = at
        for session_id in left:
            await self._close(session_id)
        return again_at

    def _silent_since(self, life: Liveness, now: datetime) -> Notification:
        job, since = life.job, life.counts_from
        duration = describe_duration(timedelta(minutes=(now - since) // timedelta(minutes=1)))
        what = "No beat has ended" if life.ended_at is None else "No further beat has ended"
        return Notification(
            notification_id=new_id("ntf", now),
            kind=Kind.SESSION_SILENT,
            severity=Severity.WARNING,
            title=f"{job.spec.display_title} is silent",
            message=(
                f"{what} for {duration}, since {since:%Y-%m-%d %H:%M} UTC, though more than "
                f"{self._beats} were planned. `ua heartbeat last {job.job_id}` says how it stands."
            ),
            source_ref=job.job_id,
            session_id=job.spec.session_id,
            incident=_INCIDENT + job.job_id,
            is_open=True,
            status=NotificationStatus.NEW,
            created_at=now,
            updated_at=now,
            metadata={"since": since.timestamp()},
        )

    async def _heard(self, life: Liveness, known: Notification, now: datetime) -> None:
        """Close the notification; people hear of it when a beat has ended."""
        await self._close(life.job.job_id)
        if life.ended_at is None or life.ended_at < known.created_at:
            return
        await self._notifier.tell(
            replace(
                known,
                notification_id=new_id("ntf", now),
                kind=Kind.RECOVERED,
                severity=Severity.INFO,
                title=f"{life.job.spec.display_title} is heard again",
                message=f"A beat ended at {life.ended_at:%Y-%m-%d %H:%M} UTC.",
                is_open=False,
                status=NotificationStatus.NEW,
                created_at=now,
                updated_at=now,
                metadata={"over": known.severity},
            )
        )

    async def _close(self, session_id: str) -> None:
        self._silent.pop(session_id, None)
        await self._notifier.close(_INCIDENT + session_id)
