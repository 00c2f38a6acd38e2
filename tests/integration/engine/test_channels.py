"""Channels with rules of their own: signed webhooks, quiet hours, digests, tests on request."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.integration.engine.gateway import Gateway
from tests.integration.runners.local_server import LocalServer, answers, local_server
from universal_agent.channel_settings import ChannelSetting
from universal_agent.domain.channels import ChannelStatus
from universal_agent.engine.channels import WebhookTarget
from universal_agent.errors import NotFound
from universal_agent.testing import FAILURE, SUCCESS, ManualClock

SECRET = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ="


@pytest.fixture
async def receiver() -> AsyncIterator[LocalServer]:
    async with local_server() as server:
        yield server


def hook(receiver: LocalServer, name: str = "hook", **rules: Any) -> ChannelSetting:
    url = f"http://127.0.0.1:{receiver.port}/{name}"
    return ChannelSetting(name=name, webhook=url, **{"timezone": "UTC", **rules})


async def started(tmp_path: Path, clock: ManualClock, *channels: ChannelSetting) -> Gateway:
    gateway = Gateway(tmp_path / "data", clock, notify_channels=channels)
    await gateway.start()
    return gateway


async def fail_twice(gateway: Gateway, clock: ManualClock, title: str) -> None:
    gateway.runner.usual = FAILURE
    await gateway.create(every="1m", title=title, auto_pause_after=0, command=title)
    await clock.advance(121)


def titles(receiver: LocalServer, name: str = "hook") -> list[str]:
    return [sent.json()["title"] for sent in receiver.received if sent.path == f"/{name}"]


async def until_sent(
    receiver: LocalServer, clock: ManualClock, count: int, name: str = "hook"
) -> list[str]:
    while len(titles(receiver, name)) < count:
        await clock.advance(0)
    return titles(receiver, name)


async def advance_to(clock: ManualClock, time: str) -> None:
    """Let time pass up to a time of day, and no further: attempts have a time limit."""
    hour, minute = map(int, time.split(":"))
    now = clock.now()
    seconds = (hour - now.hour) % 24 * 3600 + minute * 60 - now.minute * 60 - now.second
    await clock.advance(seconds - now.microsecond / 1e6)


async def test_a_webhook_is_signed_and_has_the_notification_in_it(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> None:
    gateway = await started(tmp_path, clock, hook(receiver, secret=SECRET))
    await fail_twice(gateway, clock, "backup")
    await until_sent(receiver, clock, 1)
    (sent,) = receiver.received
    (told,) = sent.json()["notifications"]
    assert (told["kind"], told["title"], told["occasion"]) == ("failed", "backup fails", "new")
    assert sent.headers["webhook-id"] == told["id"] == sent.json()["id"]
    at = datetime.fromtimestamp(int(sent.headers["webhook-timestamp"]), UTC)
    signature = Webhook(SECRET).sign(told["id"], at, sent.body.decode())
    assert sent.headers["webhook-signature"] == signature
    await gateway.stop()


async def test_in_quiet_hours_errors_pass_and_the_rest_waits_for_their_end(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> None:
    begin = clock.now()
    end = f"{(begin.hour + 2) % 24:02}:00"
    rules = {"quiet_hours": f"{begin:%H}:00-{end}"}
    gateway = await started(
        tmp_path, clock, hook(receiver, **rules), hook(receiver, "silent", urgent=False, **rules)
    )
    await fail_twice(gateway, clock, "backup")
    await until_sent(receiver, clock, 1)
    gateway.runner.usual = SUCCESS
    await clock.advance(60)
    assert titles(receiver) == ["backup fails"]
    assert titles(receiver, "silent") == []
    await advance_to(clock, end)
    assert await until_sent(receiver, clock, 2) == ["backup fails", "backup works again"]
    assert await until_sent(receiver, clock, 2, "silent") == ["backup fails", "backup works again"]
    await gateway.stop()


async def test_a_digest_is_one_message_at_its_time_of_day(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> None:
    at = f"{(clock.now().hour + 3) % 24:02}:00"
    gateway = await started(tmp_path, clock, hook(receiver, digest=at, urgent=False))
    await fail_twice(gateway, clock, "first")
    await fail_twice(gateway, clock, "second")
    assert titles(receiver) == []
    await advance_to(clock, at)
    assert await until_sent(receiver, clock, 1) == ["2 notifications"]
    assert "first fails" in receiver.received[0].json()["message"]
    await gateway.stop()


async def test_a_test_says_what_each_channel_answered_and_brings_one_back(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> None:
    receiver.at["/bad"] = answers(403)
    gateway = await started(tmp_path, clock, hook(receiver), hook(receiver, "bad"))
    channels = gateway.runtime.channels
    for _ in range(3):
        tried = await channels.test()
    assert [one.document() for one in tried] == [
        {"channel": "hook", "ok": True, "answer": "HTTP 204"},
        {"channel": "bad", "ok": False, "answer": "HTTP 403"},
    ]
    assert [one["status"] for one in await channels.documents()] == ["ok", "down"]
    assert [one.is_ok for one in await channels.check()] == [True, False]
    assert await until_sent(receiver, clock, 4) == [
        *["Test of notifications"] * 3,
        "Notifications are not getting through",
    ]
    receiver.at.clear()
    (again,) = await channels.test("BAD")
    assert again.is_ok
    assert [one["status"] for one in await channels.documents()] == [ChannelStatus.OK] * 2
    with pytest.raises(NotFound, match="There is no channel 'ops'; the channels are: hook, bad"):
        await channels.test("ops")
    await gateway.stop()


async def test_a_check_sends_nothing(
    receiver: LocalServer, tmp_path: Path, clock: ManualClock
) -> None:
    gateway = await started(tmp_path, clock, hook(receiver))
    (checked,) = await gateway.runtime.channels.check()
    assert checked.document() == {
        "channel": "hook",
        "ok": True,
        "answer": "a connection was made",
    }
    assert receiver.received == []
    await gateway.stop()


async def test_a_host_that_is_unknown_is_a_failure_that_names_no_address(
    clock: ManualClock,
) -> None:
    target = WebhookTarget("http://nobody.invalid/secret", "", clock, name="hook")
    with pytest.raises(Exception, match="no connection") as failed:
        target.reach()
    assert "secret" not in str(failed.value)
