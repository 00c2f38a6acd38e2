"""Missed beats: nobody is asked about one; silence over several is a notification."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.api.app import create_app
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.notifications import Kind, Notification
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, epoch
from universal_agent.domain.stasis import MissedRecord, StasisAction
from universal_agent.errors import AlreadyResolved
from universal_agent.runners.base import RunResult
from universal_agent.store import verbs
from universal_agent.testing import ManualClock

HALF_HOUR = 1800


@pytest.fixture
async def gateway(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Gateway]:
    """A gateway as it is without settings."""
    gateway = Gateway(tmp_path / "data", clock, on_miss_default="cadence")
    await gateway.start()
    yield gateway
    await gateway.stop()


async def spans(gateway: Gateway, status: MissedStatus) -> list[MissedRecord]:
    return await gateway.store.read(verbs.stasis.missed_spans, status=status, limit=100)


async def told(gateway: Gateway) -> Sequence[Notification]:
    return await gateway.store.read(verbs.notifications.open_notifications, prefix="silent:")


async def kinds(gateway: Gateway) -> list[str]:
    found = await get(gateway, "/api/v1/dashboard/notifications")
    return [one["kind"] for one in reversed(found["notifications"])]


async def get(gateway: Gateway, path: str, **query: Any) -> Any:
    transport = httpx.ASGITransport(create_app(gateway.runtime))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return (await client.get(path, params=query)).raise_for_status().json()


async def away(gateway: Gateway, clock: ManualClock, seconds: float) -> None:
    await gateway.kill()
    clock.step(seconds)
    await gateway.start()


class TestNoCard:
    async def test_a_missed_beat_is_a_slot_of_the_calendar_and_no_card(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await away(gateway, clock, HALF_HOUR + 300)
        (missed,) = await spans(gateway, MissedStatus.OPEN)
        assert (missed.span.count, missed.cause) == (1, Cause.PROCESS_DOWN)
        assert (await get(gateway, "/api/v1/ops/stasis"))["total"] == 0
        feed = await get(gateway, "/api/v1/ops/calendar/events", source="heartbeat")
        (row,) = [row for row in feed["events"] if row["status"] == "missed"]
        assert (row["event_id"], row["resolution"]) == (missed.event_id, "open")
        assert {"approve_backfill_run", "reschedule", "delete_missed"} <= set(row["actions"])
        assert await kinds(gateway) == []
        ledger = await gateway.ledger()
        assert (dict(ledger.missed), ledger.unaccounted) == ({"open": 1}, [])

    @pytest.mark.parametrize("projected", [False, True])
    async def test_after_the_next_beat_it_is_superseded_and_still_a_missed_slot(
        self, gateway: Gateway, clock: ManualClock, projected: bool
    ) -> None:
        await gateway.stop()
        await gateway.start(sched_event_projection_enabled=projected)
        await gateway.session(every="30m")
        await away(gateway, clock, HALF_HOUR + 300)
        await clock.advance(HALF_HOUR)
        (missed,) = await spans(gateway, MissedStatus.SUPERSEDED)
        feed = await get(gateway, "/api/v1/ops/calendar/events", source="heartbeat")
        (row,) = [row for row in feed["events"] if row["status"] == "missed"]
        assert (row["event_id"], row["resolution"]) == (missed.event_id, "superseded")
        assert "approve_backfill_run" not in row["actions"]
        for action in StasisAction:
            with pytest.raises(AlreadyResolved, match="a later beat of the session has ended"):
                await gateway.runtime.stasis.resolve(
                    SlotKey.parse(missed.event_id), action, by="me"
                )
        ledger = await gateway.ledger()
        assert (dict(ledger.missed), ledger.unaccounted) == ({"superseded": 1}, [])

    @pytest.mark.parametrize("action", list(StasisAction))
    async def test_until_then_each_decision_works_by_its_id(
        self, gateway: Gateway, clock: ManualClock, action: StasisAction
    ) -> None:
        await gateway.session(every="30m")
        await away(gateway, clock, HALF_HOUR + 300)
        (missed,) = await spans(gateway, MissedStatus.OPEN)
        slot = SlotKey.parse(missed.event_id)
        resolved = await gateway.runtime.stasis.resolve(slot, action, by="me")
        await clock.settle()
        if action is StasisAction.APPROVE:
            (request,) = gateway.beats.requests
            assert (request.trigger, request.event_id) == (Trigger.APPROVED, slot.event_id)
        elif action is StasisAction.RESCHEDULE:
            await clock.advance(HALF_HOUR)
            (note,) = gateway.beats.requests[0].notes
            assert slot.event_id in note.payload["reason"]
        else:
            assert resolved.record.span.status is MissedStatus.DELETED
            again = await gateway.runtime.stasis.undo_delete(slot, by="me")
            assert again.span.status is MissedStatus.OPEN
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_beat_that_finds_quiet_hours_makes_up_for_nothing(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await away(gateway, clock, HALF_HOUR + 300)
        gateway.beats.answer(RunResult(status=RunStatus.SKIPPED, reason="quiet_hours"))
        await clock.advance(HALF_HOUR)
        assert len(await spans(gateway, MissedStatus.OPEN)) == 1
        await clock.advance(HALF_HOUR)
        assert len(await spans(gateway, MissedStatus.SUPERSEDED)) == 1

    async def test_a_beat_that_is_cut_by_a_restart_makes_neither_card_nor_warning(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        gateway.beats.hold()
        await clock.advance(HALF_HOUR + 5)
        await gateway.stop()
        gateway.beats.release()
        await gateway.start()
        (cut,) = await spans(gateway, MissedStatus.OPEN)
        assert cut.cause is Cause.INTERRUPTED
        assert (await gateway.ledger()).interrupted == 1
        await clock.advance(HALF_HOUR)
        assert await spans(gateway, MissedStatus.OPEN) == []
        assert await kinds(gateway) == []

    async def test_the_misses_of_sessions_that_end_end_with_them(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await away(gateway, clock, HALF_HOUR + 300)
        await gateway.runtime.heartbeats.remove("s1")
        (closed,) = await spans(gateway, MissedStatus.DELETED)
        assert closed.note == "the job was deleted"

    async def test_with_ask_there_are_cards(self, gateway: Gateway, clock: ManualClock) -> None:
        await gateway.session(every="30m")
        await gateway.stop()
        await gateway.start(on_miss_default="ask")
        await away(gateway, clock, HALF_HOUR + 300)
        (waiting,) = await gateway.pending()
        useful_until = waiting.useful_until
        assert useful_until is not None
        assert epoch(useful_until) == epoch(waiting.span.last_at) + HALF_HOUR


class TestSilence:
    async def test_several_missed_beats_are_one_notification_that_a_beat_ends(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await clock.advance(HALF_HOUR + 5)
        await away(gateway, clock, 4 * HALF_HOUR + 120)
        await clock.advance(10)
        (silent,) = await told(gateway)
        assert silent.kind is Kind.SESSION_SILENT
        assert "No further beat has ended for 2 hours 2 minutes" in silent.message
        await clock.advance(HALF_HOUR)
        assert await told(gateway) == []
        assert await kinds(gateway) == ["session_silent", "recovered"]

    async def test_up_to_three_missed_beats_are_not_told(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await clock.advance(HALF_HOUR + 5)
        await away(gateway, clock, 3 * HALF_HOUR + 120)
        await clock.advance(4 * HALF_HOUR)
        assert await kinds(gateway) == []

    async def test_a_session_is_silent_while_the_gateway_runs(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        # The only worker has a run that does not end.
        await gateway.stop()
        await gateway.start(cron_max_concurrency=1)
        gateway.runner.hold()
        await gateway.create(run_at="in 1 minute", timeout_seconds=86_400)
        await clock.advance(120)
        await gateway.session(every="30m")
        await clock.advance(4 * HALF_HOUR)
        assert await told(gateway) == []
        await clock.advance(90)
        assert len(await told(gateway)) == 1

    async def test_a_long_beat_is_not_silence(self, gateway: Gateway, clock: ManualClock) -> None:
        await gateway.session(every="1m", exec_timeout_seconds=3600)
        gateway.beats.hold()
        await clock.advance(1200)
        assert await kinds(gateway) == []
        gateway.beats.release()

    async def test_beats_outside_the_active_hours_are_not_awaited(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        # It is noon: two beats are left before the quiet hours.
        await gateway.session(every="30m", active_hours={"start": "08:00", "end": "13:05"})
        await away(gateway, clock, 10 * 3600)
        await clock.advance(60)
        assert await told(gateway) == []

    @pytest.mark.parametrize("state", ["paused", "off", "cooling"])
    async def test_what_has_a_notification_of_its_own_is_not_silence(
        self, gateway: Gateway, clock: ManualClock, state: str
    ) -> None:
        session = await gateway.session(every="30m")
        if state == "paused":
            await gateway.runtime.commands(session.source).edit(
                session.job_id, JobDraft(enabled=False)
            )
        elif state == "off":
            await gateway.stop()
            await gateway.start(enable_heartbeat=False)
        else:
            gateway.beats.usual = RunResult(
                status=RunStatus.ERROR, error="429", ending=Ending(kind=EndClass.QUOTA)
            )
            await gateway.stop()
            await gateway.start(agent_base_url="http://127.0.0.1:9/v1", agent_model="m")
        await clock.advance(8 * HALF_HOUR)
        assert await told(gateway) == []
        if state == "off":
            # At switch-on the beats of that time are excused.
            await gateway.stop()
            await gateway.start(enable_heartbeat=True)
            await clock.advance(60)
            assert await told(gateway) == []

    async def test_a_silence_goes_on_over_a_restart_and_is_told_once(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await away(gateway, clock, 5 * HALF_HOUR - 600)
        await clock.advance(10)
        (silent,) = await told(gateway)
        await away(gateway, clock, 60)
        await clock.advance(10)
        assert [one.notification_id for one in await told(gateway)] == [silent.notification_id]

    async def test_it_can_be_switched_off(self, gateway: Gateway, clock: ManualClock) -> None:
        await gateway.session(every="30m")
        await gateway.stop()
        await gateway.start(heartbeat_silent_after=0)
        await away(gateway, clock, 20 * HALF_HOUR)
        await clock.advance(60)
        assert await kinds(gateway) == []
