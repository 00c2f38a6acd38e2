"""What time alone does to open notifications."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

import pytest

from tests.store.making import FIRST, HOUR, MINUTE, a_job, fold, run_once
from universal_agent.domain.deliveries import Occasion
from universal_agent.domain.notifications import Kind, Notification, NotificationStatus
from universal_agent.domain.run import RunStatus
from universal_agent.store import verbs
from universal_agent.store.store import Store

DAY = timedelta(days=1)

_ids = count(1)


@pytest.fixture
async def failing(store: Store) -> Notification:
    """The notification of a job that has failed twice, at `FIRST` and a minute later."""
    await a_job(store)
    for minute in range(2):
        await run_once(store, RunStatus.ERROR, now=FIRST + minute * MINUTE)
    (told,) = await fold(store)
    return told


class Times:
    """Takes every turn that is due up to a time, and keeps what is delivered when."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.now = FIRST
        self.told: list[tuple[Occasion, timedelta]] = []

    def _route(self, notification: Notification, occasion: Occasion) -> Sequence[str]:
        self.told.append((occasion, self.now - FIRST))
        return ["chat"]

    async def until(self, end: datetime) -> None:
        while True:
            turn_at = await self._store.read(verbs.notifications.next_turn_at)
            if turn_at is None or turn_at > end:
                break
            self.now = max(turn_at, self.now)
            await self._store.write(
                verbs.notifications.take_turns,
                new_id=lambda: f"ntf_turn_{next(_ids):04}",
                route=self._route,
                now=self.now,
            )
        self.now = end


async def mark(
    store: Store,
    told: Notification,
    status: NotificationStatus,
    *,
    now: datetime = FIRST,
    **how: datetime,
) -> None:
    await store.write(
        verbs.notifications.mark_notifications,
        [told.notification_id],
        status,
        snoozed_until=how.get("until"),
        now=now,
    )


async def test_what_nobody_acknowledged_reminds_on_the_same_day_and_the_third_and_then_no_more(
    store: Store, failing: Notification
) -> None:
    times = Times(store)
    await times.until(FIRST + 90 * DAY)
    assert times.told == [(Occasion.REMINDER, 6 * HOUR), (Occasion.REMINDER, 2 * DAY)]


@pytest.mark.parametrize("status", [NotificationStatus.READ, NotificationStatus.NEW])
async def test_what_was_only_read_reminds_too(
    store: Store, failing: Notification, status: NotificationStatus
) -> None:
    await mark(store, failing, status)
    times = Times(store)
    await times.until(FIRST + DAY)
    assert len(times.told) == 1


async def test_what_is_dismissed_does_not_remind(store: Store, failing: Notification) -> None:
    await mark(store, failing, NotificationStatus.DISMISSED)
    times = Times(store)
    await times.until(FIRST + 90 * DAY)
    assert times.told == []


async def test_a_snooze_puts_a_reminder_off(store: Store, failing: Notification) -> None:
    await mark(store, failing, NotificationStatus.SNOOZED, until=FIRST + 10 * HOUR)
    times = Times(store)
    await times.until(FIRST + DAY)
    assert times.told == [(Occasion.REMINDER, 10 * HOUR)]


async def test_what_is_acknowledged_is_quiet_for_30_days(
    store: Store, failing: Notification
) -> None:
    await mark(store, failing, NotificationStatus.ACKNOWLEDGED, now=FIRST + HOUR)
    times = Times(store)
    await times.until(FIRST + 90 * DAY)
    assert times.told == [(Occasion.REMINDER, 30 * DAY + HOUR)]
    kept = await store.read(verbs.notifications.get_notification, failing.notification_id)
    assert kept is not None
    assert (kept.status, kept.is_open) == (NotificationStatus.NEW, True)


async def test_what_is_over_does_not_remind(store: Store, failing: Notification) -> None:
    await run_once(store, RunStatus.SUCCESS, now=FIRST + 2 * MINUTE)
    assert [n.kind for n in await fold(store, now=FIRST + 2 * MINUTE)][1:] == [Kind.RECOVERED]
    assert await store.read(verbs.notifications.next_turn_at) is None


async def test_a_long_sleep_of_the_host_is_one_reminder_and_not_all_that_were_due(
    store: Store, failing: Notification
) -> None:
    later = FIRST + 10 * DAY
    changed, turn_at = await store.write(
        verbs.notifications.take_turns, new_id=lambda: "ntf_x", now=later
    )
    assert [one.notification_id for one in changed] == [failing.notification_id]
    assert turn_at is None
