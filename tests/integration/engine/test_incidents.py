"""Incidents: one cause is one notification, from its beginning to its end."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.engine.gateway import Gateway
from tests.integration.runners.local_server import LocalServer, local_server
from universal_agent.channel_settings import ChannelSetting
from universal_agent.domain.job import Job
from universal_agent.domain.notifications import (
    Kind,
    Notification,
    NotificationStatus,
    Severity,
)
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, SUCCESS, ManualClock


@pytest.fixture
async def receiver() -> AsyncIterator[LocalServer]:
    async with local_server() as server:
        yield server


@pytest.fixture
async def gateway(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> AsyncIterator[Gateway]:
    """A gateway with one channel beyond the dashboard."""
    hook = ChannelSetting(name="hook", webhook=f"http://127.0.0.1:{receiver.port}/hook")
    gateway = Gateway(tmp_path / "data", clock, notify_channels=(hook,))
    await gateway.start()
    clock.wait_while(lambda: gateway.runtime.deliverer.attempts_under_way > 0)
    yield gateway
    await gateway.stop()


async def sent(receiver: LocalServer, clock: ManualClock) -> list[str]:
    """The titles of all that the channel was sent."""
    await clock.advance(1)
    found = []
    for request in receiver.received:
        found += [one["title"] for one in request.json()["notifications"]]
    return found


async def told(gateway: Gateway, kind: Kind) -> Sequence[Notification]:
    found = await gateway.store.read(verbs.notifications.list_notifications, limit=100)
    return [notification for notification in found if notification.kind is kind]


async def failing(gateway: Gateway, *titles: str, every: str = "1m") -> list[Job]:
    gateway.runner.usual = replace(FAILURE, error="exit code 7; last line: refused by 10.0.0.1")
    return [
        await gateway.create(every=every, title=title, command=f"./{title}.sh", auto_pause_after=0)
        for title in titles
    ]


async def mark(gateway: Gateway, one: Notification, status: NotificationStatus) -> None:
    await gateway.runtime.notifier.mark([one.notification_id], status, by="kim")


async def test_twenty_jobs_with_one_cause_are_one_message_one_update_and_one_end(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    jobs = await failing(gateway, *(f"job{number}" for number in range(20)))
    await clock.advance(240)
    titles = await sent(receiver, clock)
    assert titles[-1] == "20 jobs: exit code 7; last line: refused by 10.0.0.1"
    assert len(titles) <= 2
    gateway.runner.usual = SUCCESS
    await clock.advance(120)
    assert (await sent(receiver, clock))[len(titles) :] == ["20 jobs work again"]
    (incident,) = await told(gateway, Kind.FAILED)
    assert not incident.is_open
    assert set(incident.metadata["jobs"]) == {job.job_id for job in jobs}
    await gateway.kill()
    await gateway.start()
    await clock.advance(120)
    assert len(await sent(receiver, clock)) == len(titles) + 1


async def test_the_first_job_is_told_before_the_others_join(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    await failing(gateway, "first")
    await clock.advance(121)
    assert await sent(receiver, clock) == ["first fails"]
    await failing(gateway, "second", "third")
    await clock.advance(121)
    assert await sent(receiver, clock) == ["first fails"]
    await clock.advance(61)
    assert (await sent(receiver, clock))[1:] == [
        "3 jobs: exit code 7; last line: refused by 10.0.0.1"
    ]


async def test_another_cause_is_another_incident(gateway: Gateway, clock: ManualClock) -> None:
    gateway.runner.usual = FAILURE
    for command in ("./a.sh", "./b.sh"):
        await gateway.create(every="1m", command=command, auto_pause_after=0)
    await clock.advance(121)
    assert len(await told(gateway, Kind.FAILED)) == 2


async def test_jobs_that_are_paused_for_one_cause_share_a_notification(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    gateway.runner.usual = replace(FAILURE, error="refused by 10.0.0.1")
    for number in range(6):
        await gateway.create(every="1m", title=f"job{number}", auto_pause_after=4)
    await clock.advance(360)
    (paused,) = await told(gateway, Kind.AUTO_PAUSED)
    assert paused.title == "6 jobs were paused: 6 jobs: refused by 10.0.0.1"
    titles = await sent(receiver, clock)
    assert len([title for title in titles if "paused" in title]) <= 2


async def test_what_is_acknowledged_is_quiet_until_it_is_over(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    await failing(gateway, "backup")
    await clock.advance(121)
    (incident,) = await told(gateway, Kind.FAILED)
    await mark(gateway, incident, NotificationStatus.ACKNOWLEDGED)
    await failing(gateway, "other")
    await clock.advance(900)
    assert await sent(receiver, clock) == ["backup fails"]
    gateway.runner.usual = SUCCESS
    await clock.advance(61)
    assert (await sent(receiver, clock))[1:] == ["2 jobs work again"]


async def test_a_relapse_is_the_same_incident_and_its_end_is_told_once_it_has_held(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    await failing(gateway, "backup")
    await clock.advance(121)
    for _ in range(3):
        gateway.runner.usual = SUCCESS
        await clock.advance(60)
        gateway.runner.usual = FAILURE
        await clock.advance(180)
    assert await sent(receiver, clock) == [
        "backup fails",
        "backup works again",
        "Again: backup fails",
    ]
    assert len(await told(gateway, Kind.FAILED)) == 1
    gateway.runner.usual = SUCCESS
    await clock.advance(29 * 60)
    assert len(await sent(receiver, clock)) == 3
    await clock.advance(3 * 60)
    assert (await sent(receiver, clock))[3:] == ["backup works again"]


async def test_a_relapse_of_what_is_acknowledged_is_quiet_too(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    await failing(gateway, "backup")
    await clock.advance(121)
    (incident,) = await told(gateway, Kind.FAILED)
    await mark(gateway, incident, NotificationStatus.ACKNOWLEDGED)
    gateway.runner.usual = SUCCESS
    await clock.advance(60)
    gateway.runner.usual = FAILURE
    await clock.advance(180)
    gateway.runner.usual = SUCCESS
    await clock.advance(40 * 60)
    assert await sent(receiver, clock) == ["backup fails", "backup works again"]
    (incident,) = await told(gateway, Kind.FAILED)
    assert not incident.is_open


async def test_a_failure_long_after_the_end_is_a_new_incident(
    gateway: Gateway, clock: ManualClock
) -> None:
    await failing(gateway, "backup")
    await clock.advance(121)
    gateway.runner.usual = SUCCESS
    await clock.advance(35 * 60)
    gateway.runner.usual = FAILURE
    await clock.advance(180)
    assert len(await told(gateway, Kind.FAILED)) == 2


async def test_the_incident_of_a_job_that_is_deleted_closes_without_a_message(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    (job,) = await failing(gateway, "backup")
    await clock.advance(121)
    await gateway.runtime.jobs.delete(job.job_id)
    await clock.advance(5)
    (incident,) = await told(gateway, Kind.FAILED)
    assert not incident.is_open
    assert await sent(receiver, clock) == ["backup fails"]


async def test_beats_that_three_planned_restarts_cut_are_one_line_and_no_warning(
    gateway: Gateway, receiver: LocalServer, clock: ManualClock
) -> None:
    await gateway.session()
    gateway.beats.hold()
    for _ in range(3):
        await clock.advance(61)
        await gateway.stop()
        await clock.advance(1)
        await gateway.start()
    gateway.beats.release()
    await clock.advance(1)
    (line,) = await told(gateway, Kind.MISSED)
    assert line.severity is Severity.INFO
    assert line.title == "3 runs were cut by a restart"
    assert await sent(receiver, clock) == ["1 run was cut by a restart"]
