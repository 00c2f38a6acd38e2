"""Delivery of beats' reports to the clients of their sessions.

Reports are read from the store, where the commit that ended their beat put them. Each is sent and
then recorded as sent, in that order: after a crash in between it is sent again, rather than lost.
A report that no client was there for waits for the next one that attaches.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.beat import (
    Delivery,
    KeptReport,
    SuppressedReason,
    is_hidden,
    reason_to_withhold,
)
from universal_agent.domain.event_types import RUN_ENDED
from universal_agent.domain.events import Event
from universal_agent.domain.run import JobId
from universal_agent.domain.slot import Source
from universal_agent.engine.hub import Hub
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_BATCH = 50


class BeatDelivery:
    """Sends reports to clients."""

    event_types = RUN_ENDED

    def __init__(self, store: Store, clock: Clock, hub: Hub) -> None:
        self._store = store
        self._clock = clock
        self._hub = hub
        self._news = asyncio.Event()
        # A client that attaches while a report is decided gets it once: now, or from what waits.
        self._lock = asyncio.Lock()

    def notice(self, event: Event) -> None:
        """A run has ended; if it was a beat with a report, decide that."""
        if "beat" in event.data:
            self._news.set()

    async def look(self) -> None:
        """Ask the store for reports."""
        self._news.set()

    async def run(self) -> None:
        """Decide every report, oldest first, until cancelled."""
        while True:
            self._news.clear()
            reports = await self._store.read(verbs.beat_reports.undecided_reports, limit=_BATCH)
            for kept in reports:
                async with self._lock:
                    await self._deliver(kept)
            if not reports:
                await self._news.wait()

    async def attached(self, session_id: str) -> None:
        """A client has attached to a session: it gets the alerts that no client was there for."""
        async with self._lock:
            for kept in await self._store.read(verbs.beat_reports.waiting_reports, session_id):
                if session_id not in await self._own_targets(kept):
                    continue
                if not self._tell(kept, [session_id]):
                    return  # the client has gone again
                await self._store.write(verbs.beat_reports.report_sent, kept.run_id, to=session_id)

    async def _deliver(self, kept: KeptReport) -> None:
        report = kept.report
        targets = await self._own_targets(kept)
        told_before = not report.ok_only and await self._store.read(
            verbs.beat_reports.alert_told, kept
        )
        reason = reason_to_withhold(report, told_before=told_before)
        if reason is None:
            connected = self._tell(kept, targets)
            if not connected:
                reason = SuppressedReason.NO_CONNECTED_TARGETS
            delivery = Delivery(sent=bool(connected), reason=reason)
        else:
            connected = []
            if report.use_indicator and is_hidden(reason):
                connected = self._publish(targets, "heartbeat_indicator", _indicator(kept))
            delivery = Delivery(sent=False, indicator_only=bool(connected), reason=reason)
        await self._store.write(
            verbs.beat_reports.decide_report,
            kept,
            delivery,
            connected=connected,
            now=self._clock.now(),
        )
        _log.info(
            "heartbeat_delivered" if delivery.sent else "heartbeat_suppressed",
            session_id=kept.session_id,
            run_id=kept.run_id,
            reason=reason,
        )

    async def _own_targets(self, kept: KeptReport) -> list[str]:
        """The targets without those that belong to another user than the beat's session does.

        A HEARTBEAT.json may name any session; what a beat says reaches no other user's.
        """
        others = [target for target in kept.report.targets if target != kept.session_id]
        if not others:
            return list(kept.report.targets)
        owner = await self._owner(kept.session_id)
        foreign = {target for target in others if await self._owner(target) not in (None, owner)}
        return [target for target in kept.report.targets if target not in foreign]

    async def _owner(self, session_id: str) -> str | None:
        """The owner of the session; None if there is no such session."""
        session = await self._store.read(verbs.sessions.get_session, session_id)
        if session is not None:
            return session.user_id
        job = await self._store.read(verbs.jobs.get_job, JobId(session_id))
        return job.spec.user_id if job is not None and job.source is Source.HEARTBEAT else None

    def _tell(self, kept: KeptReport, targets: Sequence[str]) -> list[str]:
        return self._publish(targets, "heartbeat_summary", kept.sent_to(targets).summary())

    def _publish(self, targets: Sequence[str], kind: str, payload: dict[str, Any]) -> list[str]:
        """Send a system event to the clients of the targets; those targets that have some."""
        data = {"type": kind, "payload": payload}
        return [target for target in targets if self._hub.publish(target, "system_event", data)]


def _indicator(kept: KeptReport) -> dict[str, Any]:
    """That there was a beat and how it went, without its words."""
    return {
        "run_id": kept.run_id,
        "session_id": kept.session_id,
        "timestamp": kept.ended_at.isoformat(),
        "ok_only": kept.report.ok_only,
    }
