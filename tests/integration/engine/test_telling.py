"""Whoever is not looking at the dashboard is told: by health, by a ping, by a delivery."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.engine.gateway import Gateway
from tests.integration.runners.local_server import LocalServer, answers, hangs, local_server
from universal_agent.domain.notifications import Kind, Notification
from universal_agent.engine.watchdog import STALLED_SECONDS, Watchdog
from universal_agent.testing import FAILURE, ManualClock


class TestWatchdog:
    async def test_a_loop_that_stands_still_is_bad_health_with_the_reason(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        assert gateway.runtime.health().ok
        clock.freeze(STALLED_SECONDS + 1)
        gateway.runtime.watchdog.look()
        health = gateway.runtime.health()
        assert not health.ok
        assert health.reasons == ("the scheduler has not looked at its clock for 6 s",)

    async def test_it_has_the_loop_look_again_which_makes_health_good(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        clock.freeze(STALLED_SECONDS + 1)
        gateway.runtime.watchdog.look()
        await clock.advance(1)
        gateway.runtime.watchdog.look()
        assert gateway.runtime.health().ok

    async def test_a_database_that_takes_no_writes_is_not_blamed_on_the_loop(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(every="1s")
        gateway.store.database.failure = "disk full"
        await clock.advance(60)
        gateway.runtime.watchdog.look()
        reasons = gateway.runtime.health().reasons
        gateway.store.database.failure = None
        assert "the database cannot take writes (disk full)" in reasons
        assert not [reason for reason in reasons if "has not looked at its clock" in reason]

    async def test_an_outside_monitor_is_told_that_all_is_well(self) -> None:
        async with local_server() as monitor:
            watchdog = Watchdog(
                lambda: 0.0,
                rearm=lambda: None,
                healthy=lambda: True,
                ping_url=f"http://127.0.0.1:{monitor.port}/ping",
            )
            watchdog.start()
            received = await monitor.request()
            await asyncio.to_thread(watchdog.stop)
        assert (received.method, received.path) == ("GET", "/ping")
        assert watchdog.ping_error is None

    async def test_while_something_is_wrong_the_monitor_hears_nothing(self) -> None:
        asked = threading.Event()

        def healthy() -> bool:
            asked.set()
            return False

        async with local_server() as monitor:
            watchdog = Watchdog(
                lambda: 0.0,
                rearm=lambda: None,
                healthy=healthy,
                ping_url=f"http://127.0.0.1:{monitor.port}/ping",
            )
            watchdog.start()
            await asyncio.to_thread(asked.wait)
            await asyncio.to_thread(watchdog.stop)
        assert monitor.received == []

    async def test_a_ping_that_hangs_does_not_blind_it(self) -> None:
        silent = 0.0
        async with local_server() as monitor:
            monitor.answer = hangs
            watchdog = Watchdog(
                lambda: silent,
                rearm=lambda: None,
                healthy=lambda: True,
                ping_url=f"http://127.0.0.1:{monitor.port}/ping",
            )
            watchdog.ping()
            await monitor.request()
            watchdog.ping()
            assert watchdog.ping_error == "the ping before has had no answer yet"
            silent = STALLED_SECONDS + 1
            watchdog.look()
            assert watchdog.alarm is not None

    async def test_a_ping_that_fails_in_any_way_is_told_and_ends_nothing(self) -> None:
        watchdog = Watchdog(
            lambda: 0.0,
            rearm=lambda: None,
            healthy=lambda: True,
            ping_url="http://[::1",
        )
        sent = watchdog.ping()
        assert sent is not None
        await asyncio.wrap_future(sent)
        assert watchdog.ping_error is not None
        assert watchdog.ping_error.startswith("InvalidURL: ")
        watchdog.start()
        await asyncio.to_thread(watchdog.stop)

    async def test_an_alarm_calls_for_help_once_from_outside_the_loop(self) -> None:
        silent = STALLED_SECONDS + 1
        called: list[str] = []
        watchdog = Watchdog(
            lambda: silent, rearm=lambda: None, healthy=lambda: True, on_alarm=called.append
        )
        watchdog.look()
        watchdog.look()
        assert called == ["the scheduler has not looked at its clock for 6 s"]
        silent = 0.0
        watchdog.look()
        assert watchdog.alarm is None


@pytest.fixture
async def receiver() -> AsyncIterator[LocalServer]:
    """Where notifications are delivered to."""
    async with local_server() as server:
        yield server


@pytest.fixture
async def delivering(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Gateway]:
    """A gateway that delivers its notifications through apprise."""
    url = f"json://127.0.0.1:{receiver.port}/"
    gateway = Gateway(tmp_path / "data", clock, notify_urls=(url,))
    await gateway.start()
    yield gateway
    await gateway.stop()


async def fail_twice(gateway: Gateway, clock: ManualClock) -> None:
    """What makes a notification."""
    gateway.runner.usual = FAILURE
    await gateway.create(every="1m", title="backup", auto_pause_after=0)
    await clock.advance(121)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise imports it
class TestDelivery:
    async def test_a_notification_reaches_a_receiver_beyond_the_dashboard(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        await fail_twice(delivering, clock)
        sent = (await receiver.request()).json()
        assert sent["title"] == "backup fails"
        assert sent["message"].startswith("2 times in a row")

    async def test_a_receiver_that_fails_is_tried_again_and_its_failing_is_shown(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        receiver.answer = answers(500)
        await fail_twice(delivering, clock)
        while not await told(delivering, Kind.DELIVERY_FAILED):
            await clock.advance(0)
        (failed,) = await told(delivering, Kind.DELIVERY_FAILED)
        assert failed.title == "Notifications are not getting through"

        receiver.answer = answers(200)
        await clock.advance(5)
        while await delivering.store.undelivered_notifications(limit=1):
            await clock.advance(0)
        titles = [sent.json()["title"] for sent in receiver.received]
        assert titles == ["backup fails", "backup fails"]
        assert len(await told(delivering, Kind.DELIVERY_FAILED)) == 1


async def told(gateway: Gateway, kind: Kind) -> list[Notification]:
    """The notifications of a kind."""
    found = await gateway.store.list_notifications(limit=100)
    return [notification for notification in found if notification.kind is kind]


class TestClients:
    async def test_the_clients_of_a_session_hear_of_what_is_bound_to_it(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        bound = {"session_id": "s1", "wake_heartbeat": "off"}
        await gateway.create(every="1m", title="Sync", metadata=bound)
        hub = gateway.runtime.hub
        client, other = hub.attach("s1"), hub.attach("s2")
        gateway.runner.answer(FAILURE, FAILURE)
        await clock.advance(200)
        hub.detach(client)
        hub.detach(other)
        told = [message.document() async for message in client]
        assert {message["type"] for message in told} == {"system_event"}
        assert [(m["data"]["type"], m["data"]["payload"]["kind"]) for m in told] == [
            ("notification", Kind.FAILED),
            ("notification", Kind.FAILED),  # it is over
            ("notification", Kind.RECOVERED),
        ]
        assert told[0]["data"]["payload"]["title"] == "Sync fails"
        assert [message async for message in other] == []
