"""Whoever is not looking at the dashboard is told: by health, by a ping, by a delivery."""

import asyncio
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.engine.gateway import Gateway
from tests.integration.runners.local_server import LocalServer, answers, hangs, local_server
from universal_agent.domain.deliveries import DeliveryStatus
from universal_agent.domain.notifications import Kind, Notification
from universal_agent.engine.channels import apprise_targets
from universal_agent.engine.watchdog import STALLED_SECONDS, Watchdog
from universal_agent.errors import SettingsError
from universal_agent.store import verbs
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


def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def delivering(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Gateway]:
    """A gateway that delivers to the receiver at `/` and at `/other`, through apprise."""
    urls = [f"json://127.0.0.1:{receiver.port}{path}" for path in ("/", "/other")]
    gateway = Gateway(tmp_path / "data", clock, notify_urls=urls)
    await gateway.start()
    yield gateway
    await gateway.stop()


async def fail_twice(gateway: Gateway, clock: ManualClock, title: str = "backup") -> None:
    """What makes a notification."""
    gateway.runner.usual = FAILURE
    await gateway.create(every="1m", title=title, command=title, auto_pause_after=0)
    await clock.advance(121)


async def until_all_have_ended(gateway: Gateway, clock: ManualClock) -> list[DeliveryStatus]:
    """How every delivery has ended."""
    while (
        DeliveryStatus.PENDING
        in (await gateway.store.read(verbs.deliveries.delivery_statuses)).values()
    ):
        await clock.advance(1)
    return sorted((await gateway.store.read(verbs.deliveries.delivery_statuses)).values())


def titles(receiver: LocalServer, path: str) -> list[str]:
    return [sent.json()["title"] for sent in receiver.received if sent.path == path]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # apprise imports it
class TestDelivery:
    async def test_a_notification_reaches_every_receiver_beyond_the_dashboard(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        await fail_twice(delivering, clock)
        assert set(await until_all_have_ended(delivering, clock)) == {DeliveryStatus.DELIVERED}
        assert titles(receiver, "/") == titles(receiver, "/other") == ["backup fails"]
        assert receiver.received[0].json()["message"].startswith("2 times in a row")

    async def test_a_receiver_that_is_away_for_long_is_told_to_the_others_once_and_comes_back(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        receiver.at["/"] = answers(500)
        await fail_twice(delivering, clock)
        await until_told(delivering, clock, Kind.DELIVERY_FAILED)
        (failing,) = await told(delivering, Kind.DELIVERY_FAILED)
        assert failing.title == "Notifications are not getting through"
        assert failing.is_open
        assert failing.message.startswith("The channel url-1 does not take messages: ")

        receiver.at.clear()
        assert set(await until_all_have_ended(delivering, clock)) == {DeliveryStatus.DELIVERED}
        assert titles(receiver, "/")[-1] == "backup fails"
        assert titles(receiver, "/other") == [
            "backup fails",
            "Notifications are not getting through",
            "Notifications get through again",
        ]
        (closed,) = await told(delivering, Kind.DELIVERY_FAILED)
        assert not closed.is_open

    async def test_a_receiver_that_is_away_for_a_moment_is_no_news(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        receiver.at["/"] = answers(503)
        await fail_twice(delivering, clock)
        while not titles(receiver, "/"):
            await clock.advance(0)
        receiver.at.clear()
        assert set(await until_all_have_ended(delivering, clock)) == {DeliveryStatus.DELIVERED}
        assert titles(receiver, "/other") == ["backup fails"]

    async def test_a_receiver_that_refuses_is_probed_and_told_to_the_others_once(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        receiver.at["/"] = answers(403)
        await fail_twice(delivering, clock)
        await until_told(delivering, clock, Kind.DELIVERY_FAILED)
        assert len(titles(receiver, "/")) == 3
        await fail_twice(delivering, clock, "second")
        while len(titles(receiver, "/")) < 6:
            await clock.advance(60)
        assert len(await told(delivering, Kind.DELIVERY_FAILED)) == 1
        receiver.at.clear()
        await until_all_have_ended(delivering, clock)
        assert {"backup fails", "second fails"} <= set(titles(receiver, "/")[6:])

    async def test_a_receiver_that_hangs_holds_back_nothing_at_the_others(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        receiver.at["/"] = hangs
        await fail_twice(delivering, clock, "first")
        await fail_twice(delivering, clock, "second")
        while "second fails" not in titles(receiver, "/other"):
            await clock.advance(0)
        assert titles(receiver, "/other").count("first fails") == 1

    async def test_a_receiver_at_a_closed_port_repeats_nothing_to_the_others(
        self, receiver: LocalServer, tmp_path: Path, clock: ManualClock
    ) -> None:
        urls = [f"json://127.0.0.1:{port}/" for port in (closed_port(), receiver.port)]
        gateway = Gateway(tmp_path / "data", clock, notify_urls=urls)
        await gateway.start()
        await fail_twice(gateway, clock, "first")
        await until_told(gateway, clock, Kind.DELIVERY_FAILED)
        await fail_twice(gateway, clock, "second")
        await clock.advance(3600)
        while "second fails" not in titles(receiver, "/"):
            await clock.advance(0)
        assert sorted(titles(receiver, "/")) == [
            "Notifications are not getting through",
            "first fails",
            "second fails",
        ]
        await gateway.stop()

    async def test_what_was_due_at_a_kill_is_delivered_after_the_next_start(
        self, receiver: LocalServer, tmp_path: Path, clock: ManualClock
    ) -> None:
        gateway = Gateway(
            tmp_path / "data", clock, notify_urls=[f"json://127.0.0.1:{receiver.port}/"]
        )
        receiver.answer = answers(503)
        await gateway.start()
        await fail_twice(gateway, clock)
        await receiver.request()
        await gateway.kill()
        receiver.answer = answers(200)
        await gateway.start()
        assert DeliveryStatus.DELIVERED in await until_all_have_ended(gateway, clock)
        assert "backup fails" in titles(receiver, "/")[1:]
        await gateway.stop()

    @pytest.mark.parametrize("url", ["nothing://of-apprise/secret-path", "json://"])
    def test_a_url_that_apprise_does_not_know_stops_the_start_and_is_not_repeated(
        self, tmp_path: Path, url: str
    ) -> None:
        with pytest.raises(SettingsError, match=r"^UA_NOTIFY_URLS: .* number 1") as refused:
            apprise_targets([url])
        assert "secret-path" not in str(refused.value)


async def until_told(gateway: Gateway, clock: ManualClock, kind: Kind) -> None:
    """Let time pass until there is a notification of that kind."""
    while not await told(gateway, kind):
        await clock.advance(1)


async def told(gateway: Gateway, kind: Kind) -> list[Notification]:
    """The notifications of a kind."""
    found = await gateway.store.read(verbs.notifications.list_notifications, limit=100)
    return [notification for notification in found if notification.kind is kind]


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")
class TestTroublesOfTheGateway:
    """What is wrong with the gateway itself reaches a person."""

    async def test_a_loop_that_fails_again_and_again_is_told_and_its_end_too(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        fails = True

        async def loop() -> None:
            if fails:
                raise ValueError("a row that cannot be read")
            await asyncio.Event().wait()

        gateway.runtime.supervisor.keep("tidying", loop)
        await clock.advance(10)
        (found,) = await told(gateway, Kind.LOOP_DOWN)
        assert found.is_open
        assert found.message == (
            "The tidying loop fails again and again: ValueError: a row that cannot be read."
        )
        fails = False
        await clock.advance(120)
        (found,) = await told(gateway, Kind.LOOP_DOWN)
        assert not found.is_open
        (over,) = await told(gateway, Kind.RECOVERED)
        assert over.title == "Over: a part of the gateway has failed"

    async def test_a_database_that_takes_no_writes_is_told_while_it_does_not(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        await delivering.create(every="1s")
        delivering.store.database.failure = "disk full"
        await clock.advance(20)
        sent = (await receiver.request()).json()
        assert sent["title"] == "The gateway cannot record anything"
        assert sent["message"] == "The database cannot take writes: disk full."

        delivering.store.database.failure = None
        await clock.advance(60)
        (kept,) = await told(delivering, Kind.STORE_UNAVAILABLE)
        assert not kept.is_open
        assert await told(delivering, Kind.RECOVERED)
        await until_all_have_ended(delivering, clock)
        for path in ("/", "/other"):
            assert titles(receiver, path).count("The gateway cannot record anything") == 1

    async def test_an_alarm_of_a_database_that_takes_no_writes_is_tried_until_it_arrives_once(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        clock.wait_while(lambda: delivering.runtime.alarms.is_sending)
        title = "The gateway cannot record anything"
        receiver.at["/"] = answers(503)
        await delivering.create(every="1s")
        delivering.store.database.failure = "disk full"
        await clock.advance(60)
        assert titles(receiver, "/").count(title) >= 2
        assert titles(receiver, "/other").count(title) == 1
        receiver.at.clear()
        before = len(titles(receiver, "/"))
        await clock.advance(200)
        assert titles(receiver, "/")[before:].count(title) == 1

        delivering.store.database.failure = None
        await clock.advance(60)
        await until_all_have_ended(delivering, clock)
        assert titles(receiver, "/")[before:].count(title) == 1
        assert titles(receiver, "/other").count(title) == 1

    async def test_a_dispatcher_that_fails_is_told_although_deliveries_need_it(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        clock.wait_while(lambda: delivering.runtime.alarms.is_sending)

        async def loop() -> None:
            raise ValueError("a subscriber that is broken")

        delivering.runtime.supervisor.keep("dispatcher", loop)
        await clock.advance(10)
        assert titles(receiver, "/other").count("A part of the gateway has failed") == 1

    async def test_a_disk_with_little_space_is_told_once_and_its_end_too(
        self, gateway: Gateway, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        free = 100
        answered = threading.Event()

        def free_bytes(_: Path) -> int:
            answered.set()
            return free * 1024 * 1024

        async def looks(count: int) -> None:
            for _ in range(count):
                answered.clear()
                await clock.advance(5)
                await asyncio.to_thread(answered.wait)

        monkeypatch.setattr(gateway.runtime.alarms.disk, "_free", free_bytes)
        await looks(4)
        (found,) = await told(gateway, Kind.DISK_FULL)
        assert found.is_open
        assert found.message.startswith("100 MB are free on the disk of ")
        free = 210
        await looks(4)
        (found,) = await told(gateway, Kind.DISK_FULL)
        assert found.is_open, "a little more than the bound is no end"
        await gateway.kill()
        await gateway.start()
        monkeypatch.setattr(gateway.runtime.alarms.disk, "_free", free_bytes)
        free = 150
        await looks(4)
        assert len(await told(gateway, Kind.DISK_FULL)) == 1, "a restart tells nothing again"
        free = 500
        await looks(70)
        (found,) = await told(gateway, Kind.DISK_FULL)
        assert not found.is_open
        (over,) = await told(gateway, Kind.RECOVERED)
        assert over.title == "Over: the disk is almost full"

    async def test_an_event_loop_that_stands_still_is_told_from_outside_it(
        self, delivering: Gateway, receiver: LocalServer, clock: ManualClock
    ) -> None:
        clock.freeze(STALLED_SECONDS + 1)
        delivering.runtime.watchdog.look()
        sent = (await receiver.request()).json()
        assert sent["message"] == "The scheduler has not looked at its clock for 6 s."
        await clock.advance(1)
        delivering.runtime.watchdog.look()
        await clock.advance(10)
        (kept,) = await told(delivering, Kind.LOOP_DOWN)
        assert not kept.is_open

    async def test_a_slot_without_an_outcome_is_told(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        await clock.advance(150)
        with closing(sqlite3.connect(gateway.runtime.settings.database_path)) as connection:
            connection.execute("DELETE FROM slots WHERE source_ref = ?", [job.job_id])
            connection.commit()
        await clock.advance(130)
        (found,) = await told(gateway, Kind.SLOTS_UNACCOUNTED)
        assert job.job_id in found.message

    async def test_a_trouble_of_an_earlier_process_is_closed(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        async def loop() -> None:
            raise ValueError

        gateway.runtime.supervisor.keep("tidying", loop)
        await clock.advance(10)
        await gateway.kill()
        await gateway.start()
        await clock.advance(1)
        (found,) = await told(gateway, Kind.LOOP_DOWN)
        assert not found.is_open


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
