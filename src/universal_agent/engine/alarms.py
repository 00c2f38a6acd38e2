"""Alarms: notifications about troubles of the gateway itself.

A trouble is told when it begins and when it ends, as a notification with its deliveries. While the
database cannot take writes, and while the event loop stands still, messages go to the targets
directly; the notification follows once it can be kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.delivery import Deliverer
from universal_agent.engine.ids import new_id
from universal_agent.engine.notify import Notifier
from universal_agent.engine.troubles import Trouble, Troubles, loop_stalled
from universal_agent.errors import StoreUnavailable
from universal_agent.masking import mask
from universal_agent.store import verbs
from universal_agent.store.store import Store

_log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0

_INCIDENT = "gateway:"

_TITLES = {
    Kind.LOOP_DOWN: "A part of the gateway has failed",
    Kind.STORE_UNAVAILABLE: "The gateway cannot record anything",
    Kind.SLOTS_UNACCOUNTED: "Slots have no outcome",
    Kind.ROW_UNREADABLE: "Stored rows cannot be read",
}


@dataclass(slots=True)
class _Told:
    """A trouble that people were told of."""

    trouble: Trouble
    since: datetime
    #: Whether its notification is kept; until then it was sent directly at most.
    kept: bool
    sent: bool


class Alarms:
    """Watches troubles begin and end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        notifier: Notifier,
        deliverer: Deliverer,
        troubles: Troubles,
    ) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._deliverer = deliverer
        self._troubles = troubles
        self._told: dict[str, _Told] = {}

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            try:
                await self._close_earlier()
                break
            except StoreUnavailable:
                await self._clock.sleep(_LOOK_SECONDS)
        while True:
            await self.look()
            await self._clock.sleep(_LOOK_SECONDS)

    async def _close_earlier(self) -> None:
        """Close the notifications of an earlier process whose trouble is over."""
        for left in await self._store.read(
            verbs.notifications.open_notifications, prefix=_INCIDENT
        ):
            if left.incident.removeprefix(_INCIDENT) not in self._told:
                await self._notifier.close(left.incident)

    def loop_stalled(self, reason: str) -> None:
        """Send word of a stalled event loop directly, from any thread; a later look keeps it."""
        trouble = loop_stalled(reason)
        self._told["event loop"] = _Told(trouble, self._clock.now(), kept=False, sent=True)
        self._deliverer.send_directly(_TITLES[trouble.kind], trouble.message)

    async def look(self) -> None:
        """Tell people what has begun or ended since the last look."""
        troubles = self._troubles.current()
        can_keep = not any(t.kind is Kind.STORE_UNAVAILABLE for t in troubles.values())
        for name, trouble in troubles.items():
            told = self._told.setdefault(
                name, _Told(trouble, self._clock.now(), kept=False, sent=False)
            )
            if not told.kept and not can_keep and not told.sent:
                told.sent = True
                _log.error("trouble", name=name, message=mask(trouble.message))
                self._deliverer.send_directly(_TITLES[trouble.kind], mask(trouble.message))
        if not can_keep:
            return
        try:
            await self._keep(troubles)
        except StoreUnavailable as error:
            # A trouble of its own, which the next look finds.
            _log.warning("alarms_not_kept", error=error.message)

    async def _keep(self, troubles: Mapping[str, Trouble]) -> None:
        for name, told in list(self._told.items()):
            if not told.kept:
                await self._notifier.tell(
                    self._notification(name, told.trouble, since=told.since),
                    deliver=not told.sent,
                )
                told.kept = True
            if name not in troubles:
                await self._ended(name, told)
                del self._told[name]

    async def _ended(self, name: str, told: _Told) -> None:
        closed = await self._notifier.close(_INCIDENT + name)
        if closed is None:
            return
        now = self._clock.now()
        recovered = replace(
            self._notification(name, told.trouble, since=now),
            kind=Kind.RECOVERED,
            severity=Severity.INFO,
            title=f"Over: {_TITLES[told.trouble.kind][0].lower()}{_TITLES[told.trouble.kind][1:]}",
            message=f"Since {told.since:%Y-%m-%d %H:%M} UTC: {mask(told.trouble.message)}",
            is_open=False,
        )
        await self._notifier.tell(recovered)

    def _notification(self, name: str, trouble: Trouble, *, since: datetime) -> Notification:
        now = self._clock.now()
        return Notification(
            notification_id=new_id("ntf", now),
            kind=trouble.kind,
            severity=Severity.ERROR,
            title=_TITLES[trouble.kind],
            message=mask(trouble.message),
            source_ref="gateway",
            session_id=None,
            incident=_INCIDENT + name,
            is_open=True,
            status=NotificationStatus.NEW,
            created_at=since,
            updated_at=now,
        )
