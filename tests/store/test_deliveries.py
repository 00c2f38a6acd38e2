"""Deliveries of notifications to targets."""

from datetime import timedelta

import pytest

from tests.store.making import (
    FIRST,
    HOUR,
    MINUTE,
    a_job,
    a_miss,
    admit,
    an_outage,
    decide,
)
from universal_agent.domain.deliveries import TRIED_FOR, Delivery, DeliveryStatus
from universal_agent.domain.notifications import Notification
from universal_agent.store import verbs
from universal_agent.store.store import Store

TARGETS = ("chat", "mail")


class TestDeliveries:
    """One for each notification and target, with its own end."""

    async def folded(self, store: Store) -> Notification:
        job = await a_job(store)
        await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
        _, (told,) = await store.write(
            verbs.notifications.fold_notifications,
            limit=100,
            new_id=lambda: "ntf_1",
            keep=100,
            targets=TARGETS,
            now=FIRST,
        )
        return told

    async def test_what_one_target_took_is_still_due_at_the_other(self, store: Store) -> None:
        told = await self.folded(store)
        delivery = await store.read(verbs.deliveries.next_delivery, "chat")
        assert delivery is not None
        assert delivery.notification == told
        await store.write(
            verbs.deliveries.delivery_attempted, delivery, DeliveryStatus.DELIVERED, now=FIRST
        )
        assert await store.read(verbs.deliveries.next_delivery, "chat") is None
        assert await store.read(verbs.deliveries.next_delivery, "mail") is not None

    async def test_a_notification_that_changes_is_not_delivered_again(self, store: Store) -> None:
        await self.folded(store)
        other = await a_job(store, "job_other")
        await admit(store, decide(other, missed=[a_miss(other, FIRST, FIRST)]))
        await store.write(
            verbs.notifications.fold_notifications,
            limit=100,
            new_id=lambda: "ntf_2",
            keep=100,
            targets=TARGETS,
            now=FIRST,
        )
        assert len(await store.read(verbs.deliveries.delivery_statuses)) == len(TARGETS)

    async def test_a_failed_attempt_puts_the_next_one_off(self, store: Store) -> None:
        await self.folded(store)
        delivery = await store.read(verbs.deliveries.next_delivery, "chat")
        assert delivery is not None
        later = FIRST + MINUTE
        await store.write(
            verbs.deliveries.delivery_attempted,
            delivery,
            DeliveryStatus.PENDING,
            next_at=later,
            error="away",
            now=FIRST,
        )
        again = await store.read(verbs.deliveries.next_delivery, "chat")
        assert again is not None
        assert (again.attempts, again.next_at) == (1, later)

    async def test_an_end_is_recorded_once(self, store: Store) -> None:
        await self.folded(store)
        delivery = await store.read(verbs.deliveries.next_delivery, "chat")
        assert delivery is not None
        assert await store.write(
            verbs.deliveries.delivery_attempted, delivery, DeliveryStatus.DELIVERED, now=FIRST
        )
        assert not await store.write(
            verbs.deliveries.delivery_attempted, delivery, DeliveryStatus.GIVEN_UP, now=FIRST
        )
        statuses = await store.read(verbs.deliveries.delivery_statuses, "ntf_1")
        assert statuses[("ntf_1", "chat")] is DeliveryStatus.DELIVERED

    async def test_deliveries_to_a_target_that_is_no_longer_set_end(self, store: Store) -> None:
        await self.folded(store)
        await store.write(verbs.deliveries.adopt_targets, ["mail"], since=FIRST, now=FIRST)
        assert await store.read(verbs.deliveries.delivery_statuses) == {
            ("ntf_1", "chat"): DeliveryStatus.GIVEN_UP,
            ("ntf_1", "mail"): DeliveryStatus.PENDING,
        }

    async def test_a_notification_is_not_forgotten_before_its_deliveries_have_ended(
        self, store: Store
    ) -> None:
        ids = (f"ntf_{number}" for number in range(4))

        async def outages(*numbers: int) -> None:
            for number in numbers:
                job = await a_job(store, f"job_{number}")
                record = a_miss(job, FIRST, FIRST, outage_id=f"out_{number}")
                await admit(store, decide(job, missed=[record]))
            await store.write(
                verbs.notifications.fold_notifications,
                limit=100,
                new_id=lambda: next(ids),
                keep=1,
                targets=["chat"],
                now=FIRST,
            )

        await outages(0, 1, 2)
        assert list(await store.read(verbs.deliveries.delivery_statuses)) == [
            (f"ntf_{n}", "chat") for n in range(3)
        ]
        for status in (DeliveryStatus.DELIVERED, DeliveryStatus.GIVEN_UP):
            delivery = await store.read(verbs.deliveries.next_delivery, "chat")
            assert delivery is not None
            await store.write(verbs.deliveries.delivery_attempted, delivery, status, now=FIRST)
        await outages(3)
        kept = [
            told.notification_id
            for told in await store.read(verbs.notifications.list_notifications, limit=10)
        ]
        assert kept == ["ntf_3", "ntf_2"]
        assert list(await store.read(verbs.deliveries.delivery_statuses)) == [
            ("ntf_2", "chat"),
            ("ntf_3", "chat"),
        ]


@pytest.mark.parametrize(
    ("attempts", "refusals", "refused", "wait"),
    [
        (0, 0, False, timedelta(seconds=5)),
        (1, 0, False, timedelta(seconds=30)),
        (9, 0, False, timedelta(minutes=10)),
        (1, 1, True, timedelta(seconds=30)),
        (2, 2, True, None),
        (200, 2, False, timedelta(minutes=10)),
    ],
)
async def test_a_delivery_is_tried_again_after_growing_waits_until_it_is_refused_for_good(
    store: Store, attempts: int, refusals: int, refused: bool, wait: timedelta | None
) -> None:
    _, told = await an_outage(store)
    delivery = Delivery(
        notification=told,
        target="chat",
        attempts=attempts,
        refusals=refusals,
        created_at=FIRST,
        next_at=FIRST,
    )
    now = FIRST + HOUR
    assert delivery.next_try(now=now, refused=refused) == (None if wait is None else now + wait)


async def test_a_delivery_is_given_up_after_a_day(store: Store) -> None:
    _, told = await an_outage(store)
    delivery = Delivery(
        notification=told, target="chat", attempts=9, refusals=0, created_at=FIRST, next_at=FIRST
    )
    last = FIRST + TRIED_FOR - timedelta(minutes=10)
    assert delivery.next_try(now=last, refused=False) == FIRST + TRIED_FOR
    assert delivery.next_try(now=last + timedelta(seconds=1), refused=False) is None
