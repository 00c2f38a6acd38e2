"""Deliveries of notifications to channels."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.store.making import FIRST, HOUR, MINUTE, SECOND, a_job, a_miss, admit, an_outage, decide
from universal_agent.domain.channels import MOST_REFUSALS, UNREACHABLE_FOR, ChannelStatus
from universal_agent.domain.deliveries import (
    TRIED_FOR,
    Claim,
    Delivery,
    DeliveryStatus,
    Occasion,
)
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.store import verbs
from universal_agent.store.databases.migrate import migrate
from universal_agent.store.databases.sqlite_tx import SqliteTx
from universal_agent.store.memory import Memory
from universal_agent.store.store import Store

TARGETS = ("chat", "mail")

_ids = count(1)


def everywhere(_notification: Notification, _occasion: Occasion) -> Sequence[str]:
    return TARGETS


def news(
    title: str = "news",
    *,
    severity: Severity = Severity.WARNING,
    now: datetime = FIRST,
    **fields: Any,
) -> Notification:
    """A notification."""
    values: dict[str, Any] = {
        "notification_id": f"ntf_{next(_ids):04}",
        "kind": Kind.FAILED,
        "severity": severity,
        "title": title,
        "message": f"about {title}",
        "source_ref": "job_a",
        "session_id": None,
        "incident": f"incident:{title}",
        "is_open": True,
        "status": NotificationStatus.NEW,
        "created_at": now,
        "updated_at": now,
    }
    return Notification(**{**values, **fields})


async def tell(store: Store, *told: Notification) -> None:
    for notification in told:
        await store.write(verbs.notifications.add_notification, notification, route=everywhere)


async def adopt(store: Store, *targets: str, now: datetime = FIRST) -> None:
    await store.write(
        verbs.deliveries.adopt_targets, targets or TARGETS, since=FIRST - HOUR, now=now
    )


async def claim(
    store: Store,
    target: str = "chat",
    *,
    now: datetime = FIRST,
    released: datetime | None = FIRST + 1000 * HOUR,
    urgent: bool = True,
    combined_from: int = 100,
    may_probe: bool = True,
) -> Claim | None:
    return await store.write(
        verbs.deliveries.claim_deliveries,
        target,
        urgent=urgent,
        released=released,
        combined_from=combined_from,
        may_probe=may_probe,
        now=now,
    )


async def claimed(store: Store, target: str = "chat", **how: Any) -> Claim:
    found = await claim(store, target, **how)
    assert found is not None
    return found


async def took(store: Store, taken: Claim, *, now: datetime = FIRST) -> bool:
    return await store.write(
        verbs.deliveries.delivered,
        taken,
        name=taken.target,
        recovered=news("back", kind=Kind.RECOVERED, is_open=False, now=now),
        route=everywhere,
        now=now,
    )


async def failed(
    store: Store,
    taken: Claim,
    *,
    refused: bool = False,
    channel_refused: bool = False,
    now: datetime = FIRST,
) -> ChannelStatus:
    state = await store.write(
        verbs.deliveries.not_delivered,
        taken,
        error="away",
        refused=refused or channel_refused,
        channel_refused=channel_refused,
        name=taken.target,
        failing=news("down", incident=f"delivery:{taken.target}", now=now),
        route=everywhere,
        now=now,
    )
    return state.status


async def made_down(store: Store, target: str = "chat") -> datetime:
    """Have the channel refuse until it is down; the time of its next probe."""
    now = FIRST
    while True:
        status = await failed(
            store, await claimed(store, target, now=now), channel_refused=True, now=now
        )
        if status is ChannelStatus.DOWN:
            break
        now += MINUTE
    state = (await store.read(verbs.deliveries.channel_states))[target]
    assert state.probe_at is not None
    return state.probe_at


async def told_titles(store: Store, target: str, *, now: datetime) -> list[str]:
    """The titles of what the channel is sent, one by one."""
    titles = []
    while (found := await claim(store, target, now=now)) is not None:
        titles += [one.title for one in found.deliveries]
        await took(store, found, now=now)
    return titles


class TestDeliveries:
    """One for each notification, occasion and channel, with its own end."""

    async def test_what_one_channel_took_is_still_due_at_the_other(self, store: Store) -> None:
        await tell(store, news())
        await took(store, await claimed(store, "chat"))
        assert await claim(store, "chat") is None
        assert (await claimed(store, "mail")).deliveries[0].title == "news"

    async def test_a_notification_that_changes_is_not_delivered_again(self, store: Store) -> None:
        for name in ("job_a", "job_other"):
            job = await a_job(store, name)
            await admit(store, decide(job, missed=[a_miss(job, FIRST, FIRST)]))
            await store.write(
                verbs.notifications.fold_notifications,
                limit=100,
                new_id=lambda: f"ntf_{next(_ids):04}",
                keep=100,
                route=everywhere,
                now=FIRST,
            )
        assert len(await store.read(verbs.deliveries.delivery_statuses)) == len(TARGETS)

    async def test_a_failed_attempt_puts_the_next_one_off(self, store: Store) -> None:
        await tell(store, news())
        await failed(store, await claimed(store))
        assert await claim(store, now=FIRST + 4 * SECOND) is None
        again = await claimed(store, now=FIRST + 5 * SECOND)
        assert again.deliveries[0].attempts == 1

    async def test_an_end_is_recorded_once(self, store: Store) -> None:
        await tell(store, news("once"))
        found = await claimed(store)
        assert await took(store, found)
        assert not await took(store, found)

    async def test_a_message_that_is_refused_is_given_up_which_is_told_and_holds_back_no_other(
        self, store: Store
    ) -> None:
        await adopt(store)
        bad, good = news("bad"), news("good", now=FIRST + SECOND)
        await tell(store, bad, good)
        now = FIRST
        for _ in range(3):
            now += 10 * MINUTE
            found = await claimed(store, now=now, released=FIRST)
            assert await failed(store, found, refused=True, now=now) is ChannelStatus.FAILING
        statuses = await store.read(verbs.deliveries.delivery_statuses, bad.notification_id)
        assert statuses[(bad.notification_id, "chat")] is DeliveryStatus.GIVEN_UP
        assert await told_titles(store, "chat", now=now) == ["good"]
        assert await told_titles(store, "mail", now=now) == ["bad", "good", "down", "back"]

    async def test_deliveries_to_a_channel_that_is_no_longer_set_end(self, store: Store) -> None:
        told = news()
        await tell(store, told)
        await adopt(store, "mail")
        ref = told.notification_id
        assert await store.read(verbs.deliveries.delivery_statuses) == {
            (ref, "chat"): DeliveryStatus.GIVEN_UP,
            (ref, "mail"): DeliveryStatus.PENDING,
        }

    async def test_the_notification_of_a_channel_that_is_no_longer_set_closes(
        self, store: Store
    ) -> None:
        await tell(store, news())
        await made_down(store)
        await adopt(store, "mail")
        listed = await store.read(verbs.notifications.list_notifications, limit=10)
        assert [n.is_open for n in listed if n.incident == "delivery:chat"] == [False]

    async def test_a_notification_is_not_forgotten_before_its_deliveries_have_ended(
        self, store: Store
    ) -> None:
        told = [news(f"n{number}") for number in range(3)]
        await tell(store, *told)
        await store.write(verbs.notifications.trim, keep=1)
        assert len(await store.read(verbs.deliveries.delivery_statuses)) == 6
        for target in TARGETS:
            assert len(await told_titles(store, target, now=FIRST)) == 3
        await store.write(verbs.notifications.trim, keep=1)
        kept = await store.read(verbs.notifications.list_notifications, limit=10)
        assert [n.title for n in kept] == ["n2"]
        assert len(await store.read(verbs.deliveries.delivery_statuses)) == 2


class TestClaims:
    """There is one attempt at a time for each channel."""

    async def test_a_channel_that_is_claimed_is_not_claimed_again(self, store: Store) -> None:
        await adopt(store)
        await tell(store, news("a"), news("b"))
        await claimed(store, "chat")
        assert await claim(store, "chat") is None
        await claimed(store, "mail")

    async def test_a_claim_that_was_never_recorded_ends(self, store: Store) -> None:
        await adopt(store)
        await tell(store, news())
        first = await claimed(store)
        later = await claimed(store, now=FIRST + verbs.deliveries.LEASE)
        assert [one.message_id for one in later.deliveries] == [
            one.message_id for one in first.deliveries
        ]

    async def test_the_next_process_makes_the_attempt_that_a_kill_cut_with_the_same_id(
        self, store: Store
    ) -> None:
        await adopt(store)
        await tell(store, *(news(f"n{number}") for number in range(4)))
        cut = await claimed(store, combined_from=4)
        await tell(store, news("further"))
        await adopt(store)
        again = await claimed(store, combined_from=4)
        assert again.message(now=FIRST).message_id == cut.message(now=FIRST).message_id
        assert len(again.deliveries) == 4

    def test_of_two_processes_one_makes_the_attempt(self, tmp_path: Path) -> None:
        path = tmp_path / "ua.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            migrate(connection, dialect="sqlite")
            tx = SqliteTx(connection, Memory())
            verbs.deliveries.adopt_targets(tx, TARGETS, since=FIRST, now=FIRST)
            verbs.notifications.add_notification(tx, news(), route=everywhere)
            tx.write_out()
        together = threading.Barrier(2)
        found: list[Claim | None] = []

        def attempt() -> None:
            with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
                together.wait()
                connection.execute("BEGIN IMMEDIATE")
                tx = SqliteTx(connection, Memory())
                found.append(
                    verbs.deliveries.claim_deliveries(
                        tx,
                        "chat",
                        urgent=True,
                        released=FIRST,
                        combined_from=4,
                        may_probe=True,
                        now=FIRST,
                    )
                )
                tx.write_out()
                connection.execute("COMMIT")

        threads = [threading.Thread(target=attempt) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one is None for one in found) == [False, True]


class TestCombining:
    """Many notifications that are due together are one message."""

    async def test_few_are_messages_of_their_own(self, store: Store) -> None:
        await tell(store, news("a"), news("b"))
        found = await claimed(store, combined_from=3)
        assert [one.title for one in found.deliveries] == ["a"]

    async def test_many_are_one_message_that_names_each(self, store: Store) -> None:
        await tell(store, news("a"), news("b"), news("c"))
        message = (await claimed(store, combined_from=3)).message(now=FIRST)
        assert message.title == "3 notifications"
        assert [line.rpartition("  ")[2] for line in message.text.splitlines()] == [
            "a: about a",
            "b: about b",
            "c: about c",
        ]

    async def test_what_is_not_released_waits_and_what_is_urgent_does_not(
        self, store: Store
    ) -> None:
        await tell(store, news("warning"), news("error", severity=Severity.ERROR))
        found = await claimed(store, released=None)
        assert [one.title for one in found.deliveries] == ["error"]
        await took(store, found)
        assert await claim(store, released=None) is None
        assert await claim(store, released=FIRST - SECOND) is None
        assert (await claimed(store, released=FIRST)).deliveries[0].title == "warning"

    async def test_without_urgency_an_error_waits_too(self, store: Store) -> None:
        await tell(store, news("error", severity=Severity.ERROR))
        assert await claim(store, released=None, urgent=False) is None


class TestChannelsThatAreDown:
    async def test_refusals_in_a_row_mark_a_channel_down_which_is_told_once_on_the_others(
        self, store: Store
    ) -> None:
        await adopt(store)
        await tell(store, news())
        await made_down(store)
        assert await told_titles(store, "mail", now=FIRST + HOUR) == ["news", "down"]
        state = (await store.read(verbs.deliveries.channel_states))["chat"]
        assert (state.status, state.refusals) == (ChannelStatus.DOWN, MOST_REFUSALS)

    async def test_a_channel_that_is_unreachable_for_long_is_down(self, store: Store) -> None:
        await tell(store, news())
        now = FIRST
        seen: list[ChannelStatus] = []
        while not seen or seen[-1] is not ChannelStatus.DOWN:
            found = await claim(store, now=now)
            if found is not None:
                seen.append(await failed(store, found, now=now))
            now += 5 * SECOND
        assert now - FIRST >= UNREACHABLE_FOR
        assert set(seen[:-1]) == {ChannelStatus.FAILING}

    async def test_it_is_tried_at_its_probes_only_whatever_else_is_due(self, store: Store) -> None:
        await tell(store, news())
        probe_at = await made_down(store)
        await tell(store, news("further", now=probe_at - 2 * SECOND))
        assert await claim(store, now=probe_at - SECOND) is None
        await failed(store, await claimed(store, now=probe_at), now=probe_at)
        state = (await store.read(verbs.deliveries.channel_states))["chat"]
        assert state.probe_at == probe_at + 5 * MINUTE

    async def test_it_comes_back_with_what_waited_and_the_others_are_told(
        self, store: Store
    ) -> None:
        await adopt(store)
        await tell(store, news())
        probe_at = await made_down(store)
        await tell(store, news("further", now=probe_at))
        assert await told_titles(store, "chat", now=probe_at) == ["news", "further"]
        assert await told_titles(store, "mail", now=probe_at) == [
            "news",
            "down",
            "further",
            "back",
        ]

    async def test_nothing_waits_longer_than_a_day_and_then_the_probe_has_its_own_message(
        self, store: Store
    ) -> None:
        told = news()
        await tell(store, told)
        await made_down(store)
        later = FIRST + TRIED_FOR + SECOND
        assert await claim(store, now=later, may_probe=False) is None
        found = await claimed(store, now=later)
        assert found.deliveries == ()
        await took(store, found, now=later)
        states = await store.read(verbs.deliveries.channel_states)
        assert states["chat"].status is ChannelStatus.OK
        statuses = await store.read(verbs.deliveries.delivery_statuses, told.notification_id)
        assert statuses[(told.notification_id, "chat")] is DeliveryStatus.GIVEN_UP

    async def test_a_start_probes_it_soon(self, store: Store) -> None:
        await tell(store, news())
        probe_at = await made_down(store)
        await adopt(store, now=probe_at - SECOND)
        assert await claim(store, now=probe_at - SECOND) is not None


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
    now = FIRST + HOUR
    delivery = await a_delivery(store, attempts=attempts, refusals=refusals)
    assert delivery.next_try(now=now, refused=refused) == (None if wait is None else now + wait)


async def test_a_delivery_is_given_up_after_a_day(store: Store) -> None:
    delivery = await a_delivery(store, attempts=9)
    last = FIRST + TRIED_FOR - timedelta(minutes=10)
    assert delivery.next_try(now=last, refused=False) == FIRST + TRIED_FOR
    assert delivery.next_try(now=last + timedelta(seconds=1), refused=False) is None


async def a_delivery(store: Store, *, attempts: int = 0, refusals: int = 0) -> Delivery:
    _, told = await an_outage(store)
    return Delivery(
        notification=told,
        target="chat",
        number=0,
        occasion=Occasion.NEW,
        attempts=attempts,
        refusals=refusals,
        created_at=FIRST,
        next_at=FIRST,
    )
