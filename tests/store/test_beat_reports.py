"""What beats had to say is kept with their end, once, until somebody has it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.store.conftest import OpenAgain
from tests.store.making import FIRST, MINUTE, NOON, PROCESS, events, fold, fresh, new_job, running
from universal_agent.domain.beat import (
    REFUSALS_BORNE,
    Artifacts,
    BeatReport,
    Delivery,
    KeptReport,
    SuppressedReason,
)
from universal_agent.domain.event_types import (
    EventType,
)
from universal_agent.domain.heartbeat import DeliveryMode
from universal_agent.domain.job import Job, OffLabel
from universal_agent.domain.notifications import Kind, NotificationStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.schedule import make_interval
from universal_agent.domain.slot import Source
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Finished

SESSION = "ses_a"
SENT = Delivery(sent=True)
SHOWN = Delivery(sent=False, reason=SuppressedReason.ALERTS_SUPPRESSED)
NOBODY = Delivery(sent=False, reason=SuppressedReason.NO_CONNECTED_TARGETS)


def ok(**given: Any) -> BeatReport:
    return BeatReport(
        **{"ok_only": True, "text": "", "token": "HEARTBEAT_OK", "targets": (SESSION,), **given}
    )


def alert(
    text: str = "disk full", *, about: tuple[str, ...] = ("disk",), **given: Any
) -> BeatReport:
    return BeatReport(
        **{"ok_only": False, "text": text, "token": None, "targets": (SESSION,), **given},
        about=about,
    )


async def a_heart(store: Store, session_id: str = SESSION, every: timedelta = MINUTE) -> Job:
    """The beats of a session, one each minute unless another interval is given."""
    schedule = make_interval(every, NOON)
    job = new_job(session_id, schedule=schedule, metadata={"session_id": session_id})
    spec = replace(job.spec, source=Source.HEARTBEAT, runner="heartbeat", title="Heartbeat of a")
    return await store.write(verbs.jobs.create_job, replace(job, spec=spec), now=NOON)


async def beat(
    store: Store,
    report: BeatReport | None,
    *,
    session_id: str = SESSION,
    status: RunStatus = RunStatus.SUCCESS,
    **given: Any,
) -> datetime:
    """The session's next beat ends like this; when it did."""
    job = await fresh(store, session_id)
    assert job.next_run_at is not None
    claimed = await running(store, job, now=job.next_run_at)
    end = Finished(
        claimed=claimed,
        status=status,
        started_at=job.next_run_at,
        finished_at=job.next_run_at,
        report=report,
        **given,
    )
    await store.write(
        verbs.execution.settle, [end], free_workers=0, process=PROCESS, now=job.next_run_at
    )
    return job.next_run_at


async def decided(store: Store, delivery: Delivery, *connected: str) -> KeptReport:
    """The one report that was undecided, decided like this."""
    (kept,) = await store.read(verbs.beat_reports.undecided_reports, limit=10)
    await store.write(
        verbs.beat_reports.decide_report, kept, delivery, connected=connected, now=FIRST
    )
    return kept


async def test_a_report_is_kept_with_the_end_of_its_beat_and_outlives_a_restart(
    store: Store, store_again: OpenAgain
) -> None:
    await a_heart(store)
    report = alert(
        artifacts=Artifacts(writes=("a",), work_products=(), bash_commands=("df",)),
        mode=DeliveryMode.EXPLICIT,
        targets=("x", "y"),
        dedupe_window=timedelta(seconds=7),
    )
    ended_at = await beat(store, report)
    await store.close()

    again = store_again()
    await again.open()
    (kept,) = await again.read(verbs.beat_reports.undecided_reports, limit=10)
    assert (kept.session_id, kept.ended_at, kept.report, kept.delivery) == (
        SESSION,
        ended_at,
        report,
        None,
    )
    await again.close()


async def test_a_beat_that_had_ended_before_leaves_no_second_report(store: Store) -> None:
    await a_heart(store)
    job = await fresh(store, SESSION)
    claimed = await running(store, job, now=FIRST)
    end = Finished(
        claimed=claimed,
        status=RunStatus.SUCCESS,
        started_at=FIRST,
        finished_at=FIRST,
        report=alert(),
    )
    for _ in range(2):
        await store.write(verbs.execution.settle, [end], free_workers=0, process=PROCESS, now=FIRST)
    assert len(await store.read(verbs.beat_reports.undecided_reports, limit=10)) == 1


async def test_a_report_is_decided_once(store: Store) -> None:
    await a_heart(store)
    await beat(store, alert())
    kept = await decided(store, SENT, SESSION)
    await store.write(verbs.beat_reports.decide_report, kept, NOBODY, connected=(), now=FIRST)
    last = (await store.read(verbs.beat_reports.last_reports))[SESSION]
    assert (last.delivery, last.connected) == (SENT, (SESSION,))
    assert await store.read(verbs.beat_reports.undecided_reports, limit=10) == []


@pytest.mark.parametrize(
    ("first", "delivery", "window", "expected"),
    [
        (alert(), SENT, 61, True),
        (alert(), NOBODY, 61, True),
        (alert(), SENT, 60, False),
        (alert(), SENT, 0, False),
        (alert("disk   full\n"), SENT, 61, True),
        (alert("disk fuller"), SENT, 61, False),
        (ok(text="disk full"), SENT, 61, False),
        (alert(), Delivery(sent=False, reason=SuppressedReason.ALERTS_SUPPRESSED), 61, False),
    ],
)
async def test_an_alert_was_told_before_when_its_words_were_within_the_window(
    store: Store, first: BeatReport, delivery: Delivery, window: int, expected: bool
) -> None:
    await a_heart(store)
    await beat(store, first)
    await decided(store, delivery)
    await beat(store, alert(dedupe_window=timedelta(seconds=window)))
    (kept,) = await store.read(verbs.beat_reports.undecided_reports, limit=10)
    assert await store.read(verbs.beat_reports.alert_told, kept) is expected


async def test_pitfall_21_an_alert_that_nobody_was_there_for_waits_until_it_is_sent(
    store: Store,
) -> None:
    await a_heart(store)
    await beat(store, alert(targets=("x", "y")))
    kept = await decided(store, NOBODY)
    assert await store.read(verbs.beat_reports.waiting_reports, "z") == []
    (waiting,) = await store.read(verbs.beat_reports.waiting_reports, "y")
    assert waiting.run_id == kept.run_id

    await store.write(verbs.beat_reports.report_sent, kept.run_id, to="y")

    assert await store.read(verbs.beat_reports.waiting_reports, "x") == []
    last = (await store.read(verbs.beat_reports.last_reports, SESSION))[SESSION]
    assert (last.delivery, last.connected) == (SENT, ("y",))


async def test_an_acknowledgement_waits_for_nobody(store: Store) -> None:
    await a_heart(store)
    await beat(store, ok(show_ok=True))
    await decided(store, NOBODY)
    assert await store.read(verbs.beat_reports.waiting_reports, SESSION) == []


async def test_suppressed_reports_come_newest_first_with_their_reasons(store: Store) -> None:
    await a_heart(store)
    await a_heart(store, "ses_b")
    hidden = Delivery(sent=False, reason=SuppressedReason.OK_SUPPRESSED)
    for session_id, delivery in [(SESSION, hidden), (SESSION, SENT), ("ses_b", NOBODY)]:
        await beat(store, alert(), session_id=session_id)
        await decided(store, delivery)

    found = await store.read(
        verbs.beat_reports.suppressed_reports, session_id=None, limit=10, before=None
    )
    assert [(kept.session_id, kept.summary()["suppressed_reason"]) for kept in found] == [
        ("ses_b", "no_connected_targets"),
        (SESSION, "ok_suppressed"),
    ]
    (page,) = await store.read(
        verbs.beat_reports.suppressed_reports, session_id=None, limit=10, before=found[0].run_id
    )
    assert page == found[1]
    (own,) = await store.read(
        verbs.beat_reports.suppressed_reports, session_id="ses_b", limit=10, before=None
    )
    assert own == found[0]


@pytest.mark.parametrize(("every", "waiting"), [(MINUTE, 203), (timedelta(hours=1), 200)])
async def test_a_session_keeps_its_latest_reports_and_for_a_day_the_alerts_that_wait(
    store: Store, every: timedelta, waiting: int
) -> None:
    await a_heart(store, every=every)
    for _ in range(203):
        await beat(store, alert())
        await decided(store, NOBODY)
    found = await store.read(verbs.beat_reports.waiting_reports, SESSION)
    assert len(found) == waiting
    await store.write(verbs.beat_reports.report_sent, found[0].run_id, to=SESSION)
    await beat(store, alert())
    assert len(await store.read(verbs.beat_reports.waiting_reports, SESSION)) == waiting - 1


async def test_a_session_keeps_its_latest_reports_and_loses_them_with_its_heart(
    store: Store,
) -> None:
    await a_heart(store)
    for _ in range(203):
        await beat(store, alert())
        await decided(store, SHOWN)
    kept = await store.read(
        verbs.beat_reports.suppressed_reports, session_id=SESSION, limit=500, before=None
    )
    assert len(kept) == 200
    job = await fresh(store, SESSION)
    assert await store.write(verbs.jobs.delete_job, job, closed_at=job.boundary(FIRST), now=FIRST)
    assert await store.read(verbs.beat_reports.last_reports, SESSION) == {}


async def test_the_event_of_a_beats_end_says_what_it_found(store: Store) -> None:
    await a_heart(store)
    await beat(store, alert("x" * 1000))
    event = (await events(store))[-1]
    assert event.type is EventType.HEARTBEAT_COMPLETED
    assert event.data["beat"] == {
        "ok_only": False,
        "told": True,
        "about": ["disk"],
        "text": "x" * 400,
    }


class TestNotifications:
    async def test_pitfall_21_an_alert_is_a_notification_with_no_client_at_all(
        self, store: Store
    ) -> None:
        await a_heart(store)
        await beat(store, alert("disk: exit code 1"))
        (told,) = await fold(store)
        assert (told.kind, told.title, told.message, told.session_id) == (
            Kind.ALERT,
            "Heartbeat of a: disk",
            "disk: exit code 1",
            SESSION,
        )

    async def test_an_incident_is_told_once_from_its_first_alert_to_its_next_ok(
        self, store: Store
    ) -> None:
        await a_heart(store)
        for report in (alert(), alert("disk fuller"), ok(), ok(), alert()):
            await beat(store, report)
            await fold(store)
        told = await fold(store)
        assert [(n.kind, n.is_open) for n in told] == [
            (Kind.ALERT, False),
            (Kind.RECOVERED, False),
            (Kind.ALERT, True),
        ]
        assert told[0].message == "disk fuller"

    async def test_a_file_that_is_not_in_force_is_no_alert_beside_its_own_notification(
        self, store: Store
    ) -> None:
        await a_heart(store)
        of_file = alert("HEARTBEAT.json: bad", about=("HEARTBEAT.json",))
        await beat(store, of_file)
        assert await fold(store) == []
        # The checks are fine as far as it goes: what was wrong with them is over.
        for report in (alert(), of_file):
            await beat(store, report)
        assert [(n.kind, n.is_open) for n in await fold(store)] == [
            (Kind.ALERT, False),
            (Kind.RECOVERED, False),
        ]
        await beat(store, alert(about=("HEARTBEAT.json", "disk")))
        assert [n.kind for n in await fold(store) if n.is_open] == [Kind.ALERT]

    async def test_an_incident_in_one_batch_is_told_and_closed(self, store: Store) -> None:
        await a_heart(store)
        for report in (ok(), alert(), ok()):
            await beat(store, report)
        assert [n.kind for n in await fold(store)] == [Kind.ALERT, Kind.RECOVERED]

    async def test_further_trouble_makes_an_acknowledged_notification_new_again(
        self, store: Store
    ) -> None:
        await a_heart(store)
        await beat(store, alert())
        (told,) = await fold(store)
        await store.write(
            verbs.notifications.mark_notifications,
            [told.notification_id],
            NotificationStatus.ACKNOWLEDGED,
            now=FIRST,
        )

        await beat(store, alert("disk 99%"))
        assert [n.status for n in await fold(store)] == [NotificationStatus.ACKNOWLEDGED]
        await beat(store, alert("disk, db", about=("disk", "db")))
        assert [n.status for n in await fold(store)] == [NotificationStatus.NEW]

    @pytest.mark.parametrize(
        "report", [ok(), alert(show_alerts=False), alert(mode=DeliveryMode.NONE)]
    )
    async def test_what_people_do_not_want_to_see_is_no_notification(
        self, store: Store, report: BeatReport
    ) -> None:
        await a_heart(store)
        await beat(store, report)
        assert await fold(store) == []

    async def test_beats_that_fail_and_work_again_are_told_as_those_of_jobs(
        self, store: Store
    ) -> None:
        await a_heart(store)
        for _ in range(2):
            await beat(store, None, status=RunStatus.ERROR, error="the reply was empty")
        await beat(store, ok())
        assert [n.kind for n in await fold(store)] == [Kind.FAILED, Kind.RECOVERED]


class TestBreaker:
    @pytest.mark.parametrize("status", [401, 402, 403])
    async def test_pitfall_23_beats_are_paused_when_the_endpoint_refuses_again_and_again(
        self, store: Store, status: int
    ) -> None:
        await a_heart(store)
        for _ in range(REFUSALS_BORNE):
            assert not (await fresh(store, SESSION)).spec.is_held
            await beat(
                store, None, status=RunStatus.ERROR, error=f"HTTP {status}", exit_code=status
            )
        job = await fresh(store, SESSION)
        assert (job.spec.enabled, job.spec.off_label) == (True, OffLabel.AUTO_PAUSED)
        assert job.next_run_at is not None
        paused = [n for n in await fold(store) if n.kind is Kind.AUTO_PAUSED]
        (told,) = paused
        assert told.message.startswith(f"3 beats in a row failed; last: HTTP {status}. Its slots")

    async def test_other_failures_do_not_pause_beats_that_soon(self, store: Store) -> None:
        await a_heart(store)
        for exit_code in (500, 429, None):
            await beat(store, None, status=RunStatus.ERROR, exit_code=exit_code)
        assert not (await fresh(store, SESSION)).spec.is_held


async def test_the_window_of_deduplication_ends_to_the_second(store: Store) -> None:
    """The beats are a minute apart: a window of a minute does not hold the one before."""
    await a_heart(store)
    first = await beat(store, alert())
    await decided(store, SENT)
    second = await beat(store, alert(dedupe_window=MINUTE))
    assert second - first == MINUTE
    (kept,) = await store.read(verbs.beat_reports.undecided_reports, limit=10)
    assert not await store.read(verbs.beat_reports.alert_told, kept)
