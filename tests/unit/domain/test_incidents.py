"""Notifications of what restarts cut."""

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from universal_agent.domain.event_types import EventType
from universal_agent.domain.events import Event
from universal_agent.domain.incidents import IncidentFold
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Inbox:
    """Notifications as a store keeps them between folds, and what waits for a decision."""

    def __init__(self) -> None:
        self.kept: dict[str, Notification] = {}
        self.pending: set[str] = set()
        self._ids: Iterator[int] = count(1)
        self._seqs: Iterator[int] = count(1)

    def fold(self, kind: EventType, ref: str = "s1", **data: Any) -> None:
        fold = IncidentFold(
            open_incident=self._open,
            incident_of_job=lambda _: None,
            recent_incident=self._recent,
            is_pending=self.pending.__contains__,
            new_id=lambda: f"ntf_{next(self._ids)}",
            titles=str,
            resources=str,
            now=NOW,
        )
        event = Event(
            seq=next(self._seqs),
            source="heartbeat",
            type=kind,
            timestamp=NOW,
            source_ref=ref,
            owner_id="",
            session_id=ref,
            status="pending",
            data=data,
        )
        fold.fold(event)
        self.kept |= fold.changed

    def _open(self, incident: str) -> Notification | None:
        found = [n for n in self.kept.values() if n.incident == incident and n.is_open]
        return found[0] if found else None

    def _recent(self, incident: str) -> Notification | None:
        found = [n for n in self.kept.values() if n.incident == incident]
        return found[-1] if found else None

    def cut(self, outage_id: str, *, planned: bool, ref: str = "s1") -> None:
        """A beat that was in progress when the gateway stopped."""
        self.pending.add(outage_id)
        at = int(NOW.timestamp())
        self.fold(
            EventType.HEARTBEAT_MISSED,
            ref,
            outage_id=outage_id,
            cause="interrupted",
            planned=planned,
            first_at=at,
            last_at=at,
            count=1,
            useful_until=None,
            event_id=f"heartbeat|{ref}|{at}",
        )

    def expire(self, outage_id: str) -> None:
        self.pending.discard(outage_id)
        span = {"outage_id": outage_id, "count": 1, "status": "expired"}
        self.fold(EventType.CALENDAR_MISSED_RESOLVED, action="expire", spans=[span])


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def test_beats_that_planned_restarts_cut_are_one_line_and_no_warning(inbox: Inbox) -> None:
    for number in range(3):
        inbox.cut(f"out_{number}", planned=True)
    (told,) = inbox.kept.values()
    assert (told.kind, told.severity, told.is_open) == (Kind.MISSED, Severity.INFO, True)
    assert told.title == "3 runs were cut by a restart"


def test_the_line_closes_when_nothing_of_any_restart_waits(inbox: Inbox) -> None:
    inbox.cut("out_1", planned=True)
    inbox.cut("out_2", planned=True)
    inbox.expire("out_1")
    assert [told.is_open for told in inbox.kept.values()] == [True]
    inbox.expire("out_2")
    (told,) = inbox.kept.values()
    assert (told.is_open, told.status) == (False, NotificationStatus.READ)
    assert told.message.endswith("none waits any more; 2 expired without a decision")


def test_a_restart_soon_after_that_opens_the_same_line_again(inbox: Inbox) -> None:
    inbox.cut("out_1", planned=True)
    inbox.expire("out_1")
    inbox.cut("out_2", planned=True)
    (told,) = inbox.kept.values()
    assert (told.is_open, told.title) == (True, "2 runs were cut by a restart")
    inbox.expire("out_2")
    assert [told.is_open for told in inbox.kept.values()] == [False]


def test_what_a_crash_cut_is_a_warning_for_each_crash(inbox: Inbox) -> None:
    inbox.cut("out_1", planned=False)
    inbox.cut("out_2", planned=False)
    assert [told.severity for told in inbox.kept.values()] == [Severity.WARNING] * 2
    inbox.expire("out_1")
    assert [told.is_open for told in inbox.kept.values()] == [False, True]
