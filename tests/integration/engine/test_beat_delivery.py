"""Who is told what a beat had to say: at once, on attaching, after a kill, or never, and why."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.beat import BeatReport
from universal_agent.domain.heartbeat import DeliveryMode
from universal_agent.domain.run import RunStatus
from universal_agent.engine.hub import Attachment, Hub
from universal_agent.runners.base import RunResult
from universal_agent.testing import ManualClock

SESSION = "s1"


def result(report: BeatReport) -> RunResult:
    return RunResult(status=RunStatus.SUCCESS, exit_code=0, report=report)


def ok(**given: Any) -> BeatReport:
    return BeatReport(
        **{
            "ok_only": True,
            "text": "2 checks are fine.",
            "token": "HEARTBEAT_OK",
            "targets": (SESSION,),
            **given,
        }
    )


def alert(text: str = "disk full", **given: Any) -> BeatReport:
    return BeatReport(
        **{
            "ok_only": False,
            "text": text,
            "token": None,
            "targets": (SESSION,),
            "about": ("disk",),
            **given,
        }
    )


@dataclass
class Client:
    """Somebody who is attached to a session."""

    hub: Hub
    attachment: Attachment

    async def told(self) -> list[tuple[str, dict[str, Any]]]:
        """Leave; the system events that had come until then: (type, payload)."""
        self.hub.detach(self.attachment)
        messages = [message.document() async for message in self.attachment]
        assert all(message["type"] == "system_event" for message in messages)
        return [(m["data"]["type"], m["data"]["payload"]) for m in messages]


async def attach(gateway: Gateway, session_id: str = SESSION) -> Client:
    """A new client, told of what it missed, as the stream does it."""
    hub = gateway.runtime.hub
    client = Client(hub, hub.attach(session_id))
    await gateway.runtime.beat_delivery.attached(session_id)
    return client


async def beats(gateway: Gateway, *reports: BeatReport) -> None:
    """A beat for each of the reports, a minute apart."""
    gateway.beats.answer(*map(result, reports))
    for _ in reports:
        await gateway.clock.advance(60)


async def last(gateway: Gateway, session_id: str = SESSION) -> Mapping[str, Any]:
    summary = (await gateway.runtime.heartbeat_view.last(session_id))["last_summary"]
    assert isinstance(summary, dict)
    return summary


async def test_an_alert_goes_to_the_clients_of_its_session_and_says_that_it_did(
    gateway: Gateway,
) -> None:
    await gateway.session()
    client, other = await attach(gateway), await attach(gateway, "s2")
    await beats(gateway, alert())
    ((kind, payload),) = await client.told()
    assert kind == "heartbeat_summary"
    assert payload == await last(gateway)
    assert (payload["text"], payload["sent"], payload["suppressed_reason"]) == (
        "disk full",
        True,
        None,
    )
    assert payload["delivery"] == {
        "mode": "last",
        "targets": [SESSION],
        "connected_targets": [SESSION],
        "indicator_only": False,
    }
    assert await other.told() == []


async def test_pitfall_21_an_alert_that_nobody_heard_is_told_on_the_next_attach_once(
    gateway: Gateway,
) -> None:
    await gateway.session()
    await beats(gateway, alert())
    assert (await last(gateway))["suppressed_reason"] == "no_connected_targets"

    assert [payload["text"] for _, payload in await (await attach(gateway)).told()] == ["disk full"]
    assert await (await attach(gateway)).told() == []
    assert (await last(gateway))["sent"]


async def test_an_alert_outlives_a_kill_between_the_end_of_its_beat_and_its_delivery(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(tmp_path / "data", clock)
    await gateway.start()
    await gateway.session()
    with monkeypatch.context() as patch:
        patch.setattr(gateway.runtime.beat_delivery, "_deliver", never)
        await beats(gateway, alert())
        await gateway.kill()
    await gateway.start()
    assert (await last(gateway))["suppressed_reason"] == "no_connected_targets"
    assert len(await (await attach(gateway)).told()) == 1
    await gateway.stop()


async def never(kept: object) -> None:
    """The gateway is killed before anybody is told."""
    await asyncio.Event().wait()


async def test_an_alert_that_waits_outlives_a_restart(tmp_path: Path, clock: ManualClock) -> None:
    gateway = Gateway(tmp_path / "data", clock)
    await gateway.start()
    await gateway.session()
    await beats(gateway, alert())
    await gateway.stop()
    await gateway.start()
    assert len(await (await attach(gateway)).told()) == 1
    await gateway.stop()


async def test_the_same_alert_is_told_once_in_the_window_whatever_restarts_come_in_between(
    tmp_path: Path, clock: ManualClock
) -> None:
    gateway = Gateway(tmp_path / "data", clock)
    await gateway.start()
    await gateway.session()
    report = alert(dedupe_window=timedelta(minutes=3))
    client = await attach(gateway)
    await beats(gateway, report, alert("another"), report)
    assert [payload["text"] for _, payload in await client.told()] == ["disk full", "another"]
    assert (await last(gateway))["suppressed_reason"] == "dedupe"
    await gateway.stop()
    await gateway.start()
    client = await attach(gateway)
    await beats(gateway, report)  # three minutes after the first: out of its window
    assert len(await client.told()) == 1
    await gateway.stop()


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (ok(), "ok_suppressed"),
        (ok(mode=DeliveryMode.NONE), "delivery_none"),
        (alert(mode=DeliveryMode.NONE), "delivery_none"),
        (alert(show_alerts=False), "alerts_suppressed"),
        (alert(mode=DeliveryMode.EXPLICIT, targets=()), "no_targets"),
        (alert(mode=DeliveryMode.EXPLICIT, targets=("s2",)), "no_connected_targets"),
    ],
)
async def test_what_is_not_told_is_kept_with_its_reason(
    gateway: Gateway, report: BeatReport, reason: str
) -> None:
    await gateway.session()
    client = await attach(gateway)
    await beats(gateway, report)
    assert await client.told() == []
    page = await gateway.runtime.heartbeat_view.suppressed(session_id=None, limit=1, before=None)
    (kept,) = page["suppressed"]
    assert not page["has_more"]
    assert kept == await last(gateway)
    assert (kept["sent"], kept["suppressed_reason"], kept["text"]) == (False, reason, report.text)


async def test_acknowledgements_are_told_where_they_are_to_be_shown(gateway: Gateway) -> None:
    await gateway.session()
    client = await attach(gateway)
    await beats(gateway, ok(show_ok=True), ok(show_ok=True))
    assert [payload["ok_only"] for _, payload in await client.told()] == [True, True]


async def test_explicit_targets_are_told_and_the_session_itself_is_not(gateway: Gateway) -> None:
    await gateway.session()
    own, two, three = [await attach(gateway, name) for name in (SESSION, "s2", "s3")]
    await beats(gateway, alert(mode=DeliveryMode.EXPLICIT, targets=("s2", "s4")))
    assert (len(await own.told()), len(await two.told()), len(await three.told())) == (0, 1, 0)
    assert (await last(gateway))["delivery"]["connected_targets"] == ["s2"]


async def test_a_session_of_another_user_is_told_nothing_though_it_is_named(
    gateway: Gateway,
) -> None:
    await gateway.session()
    await gateway.session("s2")
    await gateway.runtime.heartbeats.ensure("s3", workspace_dir="s3", owner_id="somebody else")
    own, others = [await attach(gateway, name) for name in ("s2", "s3")]
    await beats(
        gateway,
        alert(mode=DeliveryMode.EXPLICIT, targets=("s3", "s2")),
        ok(mode=DeliveryMode.EXPLICIT, targets=("s3",), use_indicator=True),
    )
    assert (len(await own.told()), len(await others.told())) == (1, 0)


async def test_an_alert_that_waits_is_not_told_to_a_session_of_another_user(
    gateway: Gateway,
) -> None:
    await gateway.session()
    await gateway.runtime.heartbeats.ensure("s3", workspace_dir="s3", owner_id="somebody else")
    await beats(gateway, alert(mode=DeliveryMode.EXPLICIT, targets=("s3", SESSION)))
    others, own = [await attach(gateway, name) for name in ("s3", SESSION)]
    assert (len(await others.told()), len(await own.told())) == (0, 1)


@pytest.mark.parametrize(
    "report", [ok(use_indicator=True), alert(show_alerts=False, use_indicator=True)]
)
async def test_an_indicator_goes_out_without_words_in_place_of_what_is_not_shown(
    gateway: Gateway, report: BeatReport
) -> None:
    await gateway.session()
    client = await attach(gateway)
    await beats(gateway, report)
    ((kind, payload),) = await client.told()
    assert kind == "heartbeat_indicator"
    assert "text" not in payload
    summary = await last(gateway)
    assert (summary["sent"], summary["delivery"]["indicator_only"]) == (False, True)


async def test_a_client_that_is_gone_again_leaves_the_alert_for_the_next_one(
    gateway: Gateway,
) -> None:
    await gateway.session()
    await beats(gateway, alert())
    await gateway.runtime.beat_delivery.attached(SESSION)  # nobody is attached any more
    assert len(await (await attach(gateway)).told()) == 1


async def test_the_routes_answer_how_heartbeats_are_and_what_was_not_told(
    gateway: Gateway,
) -> None:
    await gateway.session(active_hours="00:00-24:00", timezone="UTC")
    await gateway.session("s2", every="1h")
    await beats(gateway, ok(), alert())
    transport = httpx.ASGITransport(app=create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        one = (await client.get("/api/v1/heartbeat/last", params={"session_id": SESSION})).json()
        assert one["session_id"] == SESSION
        assert one["next_run"] == one["last_run"] + 60
        assert (one["busy"], one["enabled"], one["config_error"]) == (False, True, None)
        assert one["schedule"]["active_hours"] == "00:00-24:00"
        assert one["delivery"]["mode"] == "last"
        every = (await client.get("/api/v1/heartbeat/last")).json()["heartbeats"]
        assert sorted(every) == [SESSION, "s2"]
        found = (await client.get("/api/v1/heartbeat/suppressed")).json()["suppressed"]
        assert [kept["text"] for kept in found] == ["disk full", "2 checks are fine."]
        assert (await client.get("/api/v1/heartbeat/last?session_id=s9")).status_code == 404
        assert (await client.get("/api/v1/heartbeat/last?session_id=../x")).status_code == 422


async def test_a_long_report_is_whole_for_its_session_and_cut_where_all_are_listed(
    gateway: Gateway,
) -> None:
    await gateway.session(active_hours="00:00-24:00", timezone="UTC")
    await beats(gateway, alert("x" * 5000))
    transport = httpx.ASGITransport(app=create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        one = (await client.get("/api/v1/heartbeat/last", params={"session_id": SESSION})).json()
        every = (await client.get("/api/v1/heartbeat/last")).json()["heartbeats"]
    listed = every[SESSION]["last_summary"]
    assert one["last_summary"]["text"] == "x" * 5000
    assert (listed["text"], listed["cut"]) == ("x" * 999 + "…", True)


async def test_without_heartbeats_their_routes_are_not_available(
    tmp_path: Path, clock: ManualClock
) -> None:
    gateway = Gateway(tmp_path / "data", clock, enable_heartbeat=False)
    await gateway.start()
    transport = httpx.ASGITransport(app=create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for path in ("last", "suppressed"):
            answer = await client.get(f"/api/v1/heartbeat/{path}")
            assert (answer.status_code, answer.json()["detail"]) == (
                503,
                "Heartbeat service not available.",
            )
    await gateway.stop()
