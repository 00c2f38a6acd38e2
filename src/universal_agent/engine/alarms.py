"""Alarms: notifications about troubles of the gateway itself.

A trouble has a notification from its beginning to its end, with its deliveries. While the database
cannot take writes, while the event loop stands still and while a part that deliveries need has
failed, messages go to the channels directly (direct_alarms.py). The notification follows once it
can be kept, with the same id, and is delivered to the channels that the message has not reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from universal_agent.clock import Clock
from universal_agent.domain.deliveries import Message
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.engine.direct_alarms import DirectAlarm, DirectAlarms
from universal_agent.engine.disk import DiskWatch
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
    Kind.DISK_FULL: "The disk is almost full",
    Kind.ROW_UNREADABLE: "Stored rows cannot be read",
}

#: How long the notification of a message that was sent directly waits for the channels' answers.
_ANSWERED_WITHIN = timedelta(minutes=1)

#: Loops that deliveries need: their failure is sent directly.
_ROAD = ("loop dispatcher", "loop delivery")

#: Troubles that a new process finds only after a while. Their open notifications stay for as long.
_FOUND_LATE = (Kind.DISK_FULL, Kind.SLOTS_UNACCOUNTED, Kind.ROW_UNREADABLE)
_FOUND_WITHIN_SECONDS = 300.0


@dataclass(slots=True)
class _Told:
    """A trouble that people are told of."""

    trouble: Trouble
    since: datetime
    notification_id: str
    #: Whether its notification is kept.
    kept: bool = False
    direct: DirectAlarm | None = None


class Alarms:
    """Watches troubles begin and end."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        notifier: Notifier,
        direct: DirectAlarms,
        troubles: Troubles,
    ) -> None:
        self._store = store
        self._clock = clock
        self._notifier = notifier
        self._direct = direct
        self._troubles = troubles
        self._told: dict[str, _Told] = {}
        self._began = clock.monotonic()

    @property
    def is_sending(self) -> bool:
        """Whether a message that was sent directly has had no answer yet."""
        return any(
            told.direct is not None and told.direct.is_sending for told in self._told.values()
        )

    @property
    def disk(self) -> DiskWatch:
        """The watch of the free space."""
        return self._troubles.disk

    async def run(self) -> None:
        """Look every few seconds, until cancelled."""
        while True:
            try:
                await self._adopt()
                break
            except StoreUnavailable:
                await self.look()
                await self._clock.sleep(_LOOK_SECONDS)
        while True:
            await self.look()
            await self._clock.sleep(_LOOK_SECONDS)

    async def _adopt(self) -> None:
        """Take over the open notifications of an earlier process: a trouble that goes on is not
        news, and the end of one is.
        """
        for left in await self._store.read(
            verbs.notifications.open_notifications, prefix=_INCIDENT
        ):
            name = left.incident.removeprefix(_INCIDENT)
            trouble = Trouble(left.kind, left.message)
            told = _Told(trouble, left.created_at, left.notification_id, kept=True)
            self._told.setdefault(name, told)

    def loop_stalled(self, reason: str) -> None:
        """Send word of a stalled event loop directly, from any thread; a later look keeps it."""
        told = self._begun(loop_stalled(reason))
        self._told["event loop"] = told
        self._send_directly(told)

    def _begun(self, trouble: Trouble) -> _Told:
        now = self._clock.now()
        return _Told(trouble, now, new_id("ntf", now))

    def _send_directly(self, told: _Told) -> None:
        message = Message(
            message_id=told.notification_id,
            title=_TITLES[told.trouble.kind],
            text=mask(told.trouble.message),
        )
        told.direct = self._direct.begin(message)

    async def look(self) -> None:
        """Tell people what has begun or ended since the last look."""
        troubles = self._troubles.current()
        can_keep = not any(t.kind is Kind.STORE_UNAVAILABLE for t in troubles.values())
        for name, trouble in troubles.items():
            told = self._told.get(name)
            if told is None:
                told = self._told[name] = self._begun(trouble)
            if told.direct is None and not told.kept and not (can_keep and _has_road(name)):
                _log.error("trouble", name=name, message=mask(trouble.message))
                self._send_directly(told)
        for told in self._told.values():
            if told.direct is not None and not told.kept:
                self._direct.retry(told.direct)
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
                if self._has_no_answer_yet(told):
                    continue
                reached = () if told.direct is None else told.direct.reached()
                await self._notifier.tell(self._notification(name, told), reached=reached)
                told.kept = True
            if name not in troubles and not self._may_be_found_yet(told.trouble):
                await self._ended(name, told)
                del self._told[name]

    def _has_no_answer_yet(self, told: _Told) -> bool:
        """Whether a channel is about to say if it has the message: it need not be sent again."""
        waited = self._clock.now() - told.since
        return told.direct is not None and told.direct.is_sending and waited < _ANSWERED_WITHIN

    def _may_be_found_yet(self, trouble: Trouble) -> bool:
        passed = self._clock.monotonic() - self._began
        return trouble.kind in _FOUND_LATE and passed < _FOUND_WITHIN_SECONDS

    async def _ended(self, name: str, told: _Told) -> None:
        closed = await self._notifier.close(_INCIDENT + name)
        if closed is None:
            return
        now = self._clock.now()
        title = _TITLES[told.trouble.kind]
        recovered = replace(
            self._notification(name, told),
            notification_id=new_id("ntf", now),
            kind=Kind.RECOVERED,
            severity=Severity.INFO,
            title=f"Over: {title[0].lower()}{title[1:]}",
            message=f"Since {told.since:%Y-%m-%d %H:%M} UTC: {mask(told.trouble.message)}",
            is_open=False,
            created_at=now,
            metadata={"over": Severity.ERROR},
        )
        await self._notifier.tell(recovered)

    def _notification(self, name: str, told: _Told) -> Notification:
        return Notification(
            notification_id=told.notification_id,
            kind=told.trouble.kind,
            severity=Severity.ERROR,
            title=_TITLES[told.trouble.kind],
            message=mask(told.trouble.message),
            source_ref="gateway",
            session_id=None,
            incident=_INCIDENT + name,
            is_open=True,
            status=NotificationStatus.NEW,
            created_at=told.since,
            updated_at=self._clock.now(),
        )


def _has_road(name: str) -> bool:
    """Whether deliveries work although the part of that name has failed."""
    return not name.startswith(_ROAD)
