"""Races for a workspace's session, its open turn, its wake, and an incident's notification."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from tests.shared_file import connect
from tests.store.making import (
    NOON,
    new_job,
    notification_ids,
    run_id,
)
from tests.store.two import Two, outcomes
from tests.store.two import two as two
from universal_agent.domain.job import JobSpec
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus, Severity
from universal_agent.domain.schedule import make_once
from universal_agent.domain.session import Admitted, Session
from universal_agent.domain.slot import Source
from universal_agent.domain.system_event import WakeMode
from universal_agent.errors import Conflict
from universal_agent.store import verbs
from universal_agent.store.values import Wake

# -- sessions


def a_session(session_id: str = "ses_a") -> Session:
    return Session(
        session_id=session_id,
        user_id="ada",
        workspace_dir="shared",
        created_at=NOON,
        last_active_at=NOON,
    )


def said(text: str) -> JobSpec:
    return JobSpec(
        command=text, runner="agent", schedule=make_once(NOON), metadata={"session_id": "ses_a"}
    )


class TestASession:
    async def test_a_workspace_has_one(self, two: Two) -> None:
        with two.late() as late:
            one, other = await outcomes(
                two.one.write(verbs.sessions.create_session, a_session("ses_a"), now=NOON),
                two.other.write(verbs.sessions.create_session, a_session("ses_b"), now=NOON),
            )
            assert one == other
            with pytest.raises(Conflict):
                late.write(verbs.sessions.create_session, a_session("ses_c"), now=NOON)
        assert two.rows("SELECT count(*) FROM sessions") == [(1,)]
        assert two.told()["session_created"] == 1

    async def test_it_has_one_open_turn(self, two: Two) -> None:
        await two.one.write(verbs.sessions.create_session, a_session(), now=NOON)
        asking: Any = {"now": NOON, "once": None}
        with two.late() as late:
            results = await outcomes(
                two.one.write(verbs.sessions.add_turn, "ses_a", run_id(), said("a"), **asking),
                two.other.write(verbs.sessions.add_turn, "ses_a", run_id(), said("b"), **asking),
            )
            with pytest.raises(sqlite3.IntegrityError):
                late.write(verbs.sessions.add_turn, "ses_a", run_id(), said("c"), **asking)
        assert {turn.admitted for turn in results} == {Admitted.NEW, Admitted.BUSY}
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]

    async def test_it_has_one_wake_that_waits(self, two: Two) -> None:
        beats = new_job("ses_a")
        beats = replace(beats, spec=replace(beats.spec, source=Source.HEARTBEAT))
        await two.one.write(verbs.jobs.create_job, beats, now=NOON)

        def wake() -> Wake:
            return Wake(
                session_id="ses_a",
                run_id=run_id(),
                mode=WakeMode.NOW,
                reason=None,
                by="ada",
                keep=9,
            )

        with two.late() as late:
            one, other = await outcomes(
                two.one.write(verbs.beats.wake_beat, wake(), now=NOON),
                two.other.write(verbs.beats.wake_beat, wake(), now=NOON),
            )
            assert one.run_id == other.run_id
            late_wake = wake()
            late.write(verbs.beats.wake_beat, replace(late_wake, mode=WakeMode.NEXT), now=NOON)
        assert two.rows("SELECT count(*) FROM system_events") == [(1,)]
        assert two.rows("SELECT count(*) FROM runs") == [(1,)]
        with closing(connect(two.path)) as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                "INSERT INTO system_events (session_id, event_type, payload, created_at, "
                "created_by) SELECT session_id, event_type, payload, created_at, created_by "
                "FROM system_events"
            )


# -- notifications


def an_alarm() -> Notification:
    return Notification(
        notification_id=f"ntf_{next(notification_ids):06}",
        kind=Kind.ALERT,
        severity=Severity.WARNING,
        title="the disk is full",
        message="",
        source_ref="",
        session_id=None,
        incident="disk",
        is_open=True,
        status=NotificationStatus.NEW,
        created_at=NOON,
        updated_at=NOON,
    )


async def test_an_open_incident_has_one_notification(two: Two) -> None:
    with two.late() as late:
        await outcomes(
            two.one.write(verbs.notifications.add_notification, an_alarm()),
            two.other.write(verbs.notifications.add_notification, an_alarm()),
        )
        with pytest.raises(sqlite3.IntegrityError):
            late.write(verbs.notifications.add_notification, an_alarm())
    assert two.rows("SELECT count(*) FROM notifications") == [(1,)]
