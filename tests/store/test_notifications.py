from datetime import datetime

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    a_job,
    a_miss,
    admit,
    an_outage,
    decide,
    fold,
    run_once,
)
from universal_agent.domain.job import Job
from universal_agent.domain.notifications import Kind, NotificationStatus
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey
from universal_agent.domain.stasis import Scope, StasisAction
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Resolution


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

    await store.write(
        verbs.notifications.mark_notifications,
        [told.notification_id],
        NotificationStatus.SNOOZED,
        snoozed_until=FIRST + 10 * MINUTE,
        now=FIRST,
    )
    kept = await store.read(verbs.notifications.get_notification, told.notification_id)

    assert kept is not None
    assert kept.status_at(FIRST + 9 * MINUTE) is NotificationStatus.SNOOZED
    assert kept.status_at(FIRST + 10 * MINUTE) is NotificationStatus.NEW


async def resolve(store: Store, job: Job, *, now: datetime = FIRST) -> None:
    slot = SlotKey(job.source, job.job_id, FIRST)
    resolution = Resolution(action=StasisAction.DELETE, scope=Scope.GROUP, by="kim")
    await store.write(
        verbs.stasis.resolve_missed, slot, resolution, spare_ids=["mis_x", "mis_y"], now=now
    )


class TestMarking:
    """What a person marks changes that, and nothing else."""

    async def test_a_notification_that_is_dismissed_while_its_incident_closes_stays_closed(
        self, store: Store
    ) -> None:
        await a_job(store)
        for minute in range(2):
            await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)
        (shown,) = await fold(store)
        await run_once(store, RunStatus.SUCCESS, now=FIRST + 2 * MINUTE)
        await fold(store)

        (marked,) = await store.write(
            verbs.notifications.mark_notifications,
            [shown.notification_id],
            NotificationStatus.DISMISSED,
            now=FIRST,
        )

        assert marked is not None
        assert (marked.status, marked.is_open) == (NotificationStatus.DISMISSED, False)
        for minute in (3, 4):
            await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)
        kinds = [n.kind for n in await fold(store)]
        assert kinds == [Kind.FAILED, Kind.RECOVERED, Kind.FAILED], "the next incident is told"

    async def test_what_an_incident_says_now_outlives_a_mark(self, store: Store) -> None:
        _, told = await an_outage(store)
        other = await a_job(store, "job_other")
        await admit(store, decide(other, missed=[a_miss(other, FIRST, FIRST)]))
        await fold(store)

        (marked,) = await store.write(
            verbs.notifications.mark_notifications,
            [told.notification_id],
            NotificationStatus.READ,
            note="seen",
            now=FIRST,
        )

        assert marked is not None
        assert marked.title == "2 missed: 2 jobs"
        assert (marked.status, marked.note) == (NotificationStatus.READ, "seen")

    async def test_a_mark_without_a_note_keeps_the_note(self, store: Store) -> None:
        _, told = await an_outage(store)
        ids = [told.notification_id]
        await store.write(
            verbs.notifications.mark_notifications,
            ids,
            NotificationStatus.READ,
            note="seen",
            now=FIRST,
        )
        (marked,) = await store.write(
            verbs.notifications.mark_notifications, ids, NotificationStatus.ACKNOWLEDGED, now=FIRST
        )
        assert marked is not None
        assert marked.note == "seen"

    async def test_an_id_that_is_not_known_marks_nothing(self, store: Store) -> None:
        _, told = await an_outage(store)
        ids = ["ntf_unknown", told.notification_id]
        marked = await store.write(
            verbs.notifications.mark_notifications, ids, NotificationStatus.READ, now=FIRST
        )
        assert [m and m.notification_id for m in marked] == [None, told.notification_id]


class TestMissesThatAreDecided:
    """A notification about misses closes when none of them waits any more."""

    async def test_the_last_decision_closes_it(self, store: Store) -> None:
        jobs = [await a_job(store, name) for name in ("job_a", "job_b")]
        for job in jobs:
            await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        await fold(store)
        await resolve(store, jobs[0])
        (told,) = await fold(store)
        assert (told.is_open, told.status) == (True, NotificationStatus.NEW)

        await resolve(store, jobs[1])
        (told,) = await fold(store, now=FIRST + HOUR)

        assert (told.is_open, told.status) == (False, NotificationStatus.READ)
        assert told.resolved_at == FIRST + HOUR
        assert told.message.endswith("; all are decided")

    async def test_expiry_closes_it_and_says_so(self, store: Store) -> None:
        job = await a_job(store)
        record = a_miss(job, FIRST, FIRST, useful_until=FIRST + HOUR)
        await admit(store, decide(job, missed=[record]))
        await fold(store)
        await store.write(verbs.stasis.expire_missed, now=FIRST + 2 * HOUR, limit=10)
        (told,) = await fold(store)
        assert not told.is_open
        assert told.message.endswith("; none waits any more; 1 expired without a decision")

    async def test_deleting_the_job_closes_it(self, store: Store) -> None:
        job, _ = await an_outage(store)
        current = await store.read(verbs.jobs.get_job, job.job_id)
        assert current is not None
        assert await store.write(verbs.jobs.delete_job, current, closed_at=FIRST, now=FIRST)
        (told,) = await fold(store)
        assert not told.is_open

    async def test_a_miss_and_its_decision_in_one_batch_are_told_and_closed(
        self, store: Store
    ) -> None:
        job = await a_job(store)
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        await resolve(store, job)
        (told,) = await fold(store)
        assert not told.is_open

    async def test_a_notification_that_was_acknowledged_stays_so(self, store: Store) -> None:
        job, told = await an_outage(store)
        await store.write(
            verbs.notifications.mark_notifications,
            [told.notification_id],
            NotificationStatus.ACKNOWLEDGED,
            now=FIRST,
        )
        await resolve(store, job)
        (told,) = await fold(store)
        assert (told.is_open, told.status) == (False, NotificationStatus.ACKNOWLEDGED)
