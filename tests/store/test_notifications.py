from dataclasses import replace
from datetime import datetime
from itertools import count

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    a_job,
    a_miss,
    admit,
    decide,
    finish,
    fresh,
    running,
)
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus
from universal_agent.domain.run import RunStatus
from universal_agent.store.base import Store

_ids = count(1)


async def fold(store: Store, *, now: datetime = FIRST, keep: int = 100) -> list[Notification]:
    """Fold what is new; every notification there is then, oldest first."""
    while (
        await store.fold_notifications(
            limit=100, new_id=lambda: f"ntf_{next(_ids):06}", keep=keep, now=now
        )
    )[0] == 100:
        pass
    return list(await store.list_notifications(limit=1000))[::-1]


async def run_once(store: Store, status: RunStatus, *, now: datetime) -> None:
    claimed = await running(store, await fresh(store), now=now)
    await finish(store, claimed, status=status, now=now)


async def test_the_second_failure_in_a_row_is_told_once(store: Store) -> None:
    await a_job(store)
    for minute in range(4):
        await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)
        told = await fold(store)
        assert [n.kind for n in told] == ([] if minute == 0 else [Kind.FAILED])


async def test_recovery_is_told_once_and_closes_the_incident(store: Store) -> None:
    await a_job(store)
    statuses = [RunStatus.ERROR, RunStatus.ERROR, RunStatus.SUCCESS, RunStatus.SUCCESS]
    for minute, status in enumerate(statuses):
        await run_once(store, status, now=FIRST + minute * MINUTE)

    told = await fold(store)

    assert [n.kind for n in told] == [Kind.FAILED, Kind.RECOVERED]
    assert not told[0].is_open


async def test_a_success_is_no_news_for_a_job_that_did_not_fail(store: Store) -> None:
    await a_job(store)
    await run_once(store, RunStatus.SUCCESS, now=FIRST)

    assert await fold(store) == []


async def test_an_outage_is_one_digest_over_all_its_jobs(store: Store) -> None:
    for name in ("job_a", "job_b", "job_c"):
        job = await a_job(store, name)
        last = FIRST + MINUTE
        useful_until = FIRST + (0 if name == "job_a" else 5) * HOUR
        record = a_miss(job, FIRST, last, useful_until=useful_until)
        await admit(store, decide(job, missed=[record]), now=last)
        await fold(store, now=last)

    (digest,) = await fold(store, now=FIRST + MINUTE)

    assert digest.kind is Kind.MISSED
    assert digest.title == "6 missed: 3 jobs"
    assert digest.message == "down 12:01-12:02 UTC: 6 missed, 2 jobs' latest are still useful"


async def test_a_job_that_the_scheduler_pauses_is_told(store: Store) -> None:
    await a_job(store, auto_pause_after=2)
    for minute in range(2):
        await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)

    assert {n.kind for n in await fold(store)} == {Kind.FAILED, Kind.AUTO_PAUSED}


async def test_events_are_folded_once_however_often_folding_is_asked_for(store: Store) -> None:
    await a_job(store)
    for minute in range(2):
        await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)

    first, again = await fold(store), await fold(store)

    assert first == again


async def test_only_the_latest_notifications_are_kept(store: Store) -> None:
    for number in range(5):
        job = await a_job(store, f"job_{number}")
        record = a_miss(job, FIRST, FIRST, outage_id=f"out_{number}")
        await admit(store, decide(job, missed=[record]))

    assert len(await fold(store, keep=3)) == 3


async def test_a_snooze_that_is_over_leaves_a_notification_new(store: Store) -> None:
    job = await a_job(store)
    await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
    (told,) = await fold(store)
    snoozed = replace(told, status=NotificationStatus.SNOOZED, snoozed_until=FIRST + 10 * MINUTE)

    await store.put_notification(snoozed, delivered=False)
    kept = await store.get_notification(told.notification_id)

    assert kept is not None
    assert kept.status_at(FIRST + 9 * MINUTE) is NotificationStatus.SNOOZED
    assert kept.status_at(FIRST + 10 * MINUTE) is NotificationStatus.NEW


async def test_what_was_delivered_is_not_delivered_again(store: Store) -> None:
    job = await a_job(store)
    await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
    await fold(store)
    (pending,) = await store.undelivered_notifications(limit=9)

    await store.mark_notifications_delivered([pending.notification_id])

    assert await store.undelivered_notifications(limit=9) == []
