"""Sessions' hearts beat by the one scheduler: on time, one at a time, and never lost."""

import asyncio
from typing import Any

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.job import OffLabel
from universal_agent.domain.job_draft import PAUSED, RESUMED, JobDraft
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.notifications import Kind
from universal_agent.domain.run import JobId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import StasisAction
from universal_agent.domain.system_event import WAKE, WakeMode
from universal_agent.errors import EngineOff, InvalidInput, JobNotFound, SessionNotFound
from universal_agent.runners.base import RunResult
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, SUCCESS, ManualClock, RecordingRunner

QUIET = RunResult(status=RunStatus.SKIPPED, reason="quiet_hours")


@pytest.fixture
def beats(gateway: Gateway) -> RecordingRunner:
    """What the gateway's beats are handed to."""
    return gateway.beats


class TestCadence:
    async def test_beats_come_at_their_slots_and_are_all_accounted_for(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.session()
        await clock.advance(300)
        assert beats.slots == slots_after(gateway.began, 5)
        kinds = await gateway.kinds()
        assert kinds["heartbeat_scheduled"] == 1
        assert kinds["heartbeat_started"] == kinds["heartbeat_completed"] == 5
        events = await gateway.events()
        assert {(event.source, event.session_id) for event in events} == {("heartbeat", "s1")}
        ledger = await gateway.ledger(job)
        assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (5, 5, [])

    async def test_a_session_busy_for_three_intervals_loses_no_beat_and_drifts_by_none(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        beats.hold()
        await clock.advance(60)  # the beat of minute 1 runs, and goes on for three intervals
        await clock.advance(190)
        beats.release()
        await clock.settle()
        await clock.advance(110)
        minutes = [(slot - gateway.began) // MINUTE for slot in beats.slots]
        assert minutes == [1, 4, 5, 6]
        started = [run.started_at for run in await gateway.runs() if run.started_at]
        assert started[1] == gateway.began + 250 * SECOND
        assert started[2] == gateway.began + 5 * MINUTE
        ledger = await gateway.ledger()
        assert ledger.skipped == {"busy": 2}
        assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (6, 4, [])
        assert await gateway.pending() == []

    async def test_sessions_beat_beside_each_other(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        for number in range(3):
            await gateway.session(f"s{number}")
        beats.hold()
        await clock.advance(60)
        assert {request.job_id for request in beats.running.values()} == {"s0", "s1", "s2"}

    @pytest.mark.parametrize(
        "reason", ["quiet_hours", "empty_checklist", "no_file", "unchanged_inputs", "budget"]
    )
    async def test_a_beat_with_nothing_to_do_is_an_outcome_with_its_reason(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock, reason: str
    ) -> None:
        job = await gateway.session()
        beats.answer(RunResult(status=RunStatus.SKIPPED, reason=reason))
        await clock.advance(60)
        (run,) = await gateway.runs(job)
        assert (run.status, run.reason) == (RunStatus.SKIPPED, reason)
        assert (await gateway.ledger()).skipped == {reason: 1}
        slot = SlotKey(Source.HEARTBEAT, "s1", gateway.began + MINUTE)
        explained = await gateway.runtime.ledger.explain(slot, now=clock.now())
        assert explained["outcome"] == "skipped"
        assert reason not in explained["sentences"][-1]  # it is said in words
        assert (await gateway.kinds())["heartbeat_skipped"] == 1

    async def test_beats_that_fail_on_and_on_are_skipped_until_a_probe_runs_well(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        """An endpoint was away for four hours, and hearts stood still for good."""
        job = await gateway.session()
        beats.usual = FAILURE
        await clock.advance(4 * 3600)
        assert (await gateway.job(job)).spec.off_label is OffLabel.AUTO_PAUSED
        held = await gateway.ledger()
        assert held.ran["error"] == len(beats.requests) == 14
        assert held.skipped == {"breaker": 4 * 60 - 14}
        beats.usual = SUCCESS
        await clock.advance(4 * 3600)
        assert (await gateway.job(job)).spec.off_label is None
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.unaccounted) == (8 * 60, [])
        assert ledger.ran["success"] > 1

    async def test_a_removed_session_has_no_beats(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        await gateway.runtime.heartbeats.remove("s1")
        await gateway.runtime.heartbeats.remove("s1")
        await clock.advance(300)
        assert beats.requests == []
        with pytest.raises(SessionNotFound):
            await gateway.runtime.heartbeats.wake("s1", WakeMode.NOW, reason=None, by="me")


class TestWake:
    async def test_a_wake_starts_a_beat_at_once_that_is_told_why(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        heartbeats = gateway.runtime.heartbeats
        run = await heartbeats.wake("s1", WakeMode.NOW, reason="door bell", by="me")
        await clock.settle()
        (request,) = beats.requests
        assert run is not None
        assert (request.run_id, request.trigger) == (run.run_id, Trigger.WAKE)
        (note,) = request.notes
        assert (note.event_type, note.payload) == (WAKE, {"mode": "now", "reason": "door bell"})
        assert await gateway.store.read(verbs.beats.system_events, "s1") == []
        assert (await gateway.kinds())["heartbeat_wake_requested"] == 1

    async def test_a_busy_session_is_woken_once_however_often_it_is_asked(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        beats.hold()
        await clock.advance(60)
        runs = [
            await gateway.runtime.heartbeats.wake("s1", WakeMode.NOW, reason=str(n), by="me")
            for n in range(5)
        ]
        assert len({run.run_id for run in runs if run}) == 1
        beats.release()
        await clock.settle()
        assert len(beats.requests) == 2
        assert [note.payload["reason"] for note in beats.requests[1].notes] == ["4"]

    async def test_a_due_beat_that_waits_is_the_one_that_is_woken(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        beats.hold()
        await clock.advance(130)
        run = await gateway.runtime.heartbeats.wake("s1", WakeMode.NOW, reason=None, by="me")
        assert run is not None
        assert run.has_slot
        beats.release()
        await clock.settle()
        # It is asked for, so it does not mind the hour.
        assert [request.trigger for request in beats.requests] == [Trigger.SCHEDULE, Trigger.WAKE]

    async def test_a_wake_for_the_next_beat_starts_none_and_waits_for_one_that_runs(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        wake = gateway.runtime.heartbeats.wake
        assert await wake("s1", WakeMode.NEXT, reason="mail", by="me") is None
        assert beats.requests == []
        beats.answer(QUIET)
        await clock.advance(120)
        assert [request.trigger for request in beats.requests] == [Trigger.SCHEDULE] * 2
        assert [len(request.notes) for request in beats.requests] == [1, 1]
        assert await gateway.store.read(verbs.beats.system_events, "s1") == []

    @pytest.mark.parametrize(
        ("metadata", "started", "told"),
        [
            ({"session_id": "s1"}, 0, True),
            ({"target_session": "s1", "wake_heartbeat": True}, 0, True),
            ({"target_session_id": "s1", "wake_heartbeat": "now"}, 1, True),
            ({"session_id": "s1", "wake_mode": "now"}, 1, True),
            ({"session_id": "other", "wake_session_id": "s1", "wake_heartbeat": "now"}, 1, True),
            ({"session_id": "s1", "wake_heartbeat": False}, 0, False),
            ({"session_id": "s1", "wake_heartbeat": "off"}, 0, False),
            ({"session_id": "nobody", "wake_heartbeat": "now"}, 0, False),
            ({}, 0, False),
        ],
    )
    async def test_the_end_of_a_sessions_job_wakes_it_as_the_job_says(
        self,
        gateway: Gateway,
        beats: RecordingRunner,
        clock: ManualClock,
        metadata: dict[str, object],
        started: int,
        told: bool,
    ) -> None:
        await gateway.session(every="1h")
        await gateway.create(run_at="10s", user_id="somebody", metadata=metadata)
        await clock.advance(20)
        assert len(beats.requests) == started
        waiting = await gateway.store.read(verbs.beats.system_events, "s1")
        assert bool(waiting or beats.requests) is told

    @pytest.mark.parametrize("key", ["session_id", "target_session", "wake_session_id"])
    async def test_the_end_of_another_users_job_does_not_wake_a_session(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock, key: str
    ) -> None:
        await gateway.session(every="1h")
        metadata = {key: "s1", "wake_heartbeat": "now"}
        await gateway.create(run_at="10s", user_id="somebody_else", metadata=metadata)
        await clock.advance(20)
        assert beats.requests == []
        assert await gateway.store.read(verbs.beats.system_events, "s1") == []

    @pytest.mark.parametrize("key", ["session_id", "wake_session_id"])
    async def test_a_job_that_names_no_owner_belongs_to_the_owner_of_its_session(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock, key: str
    ) -> None:
        session = await gateway.runtime.sessions.create(
            user_id="ada", workspace_dir=None, source="test", metadata={}
        )
        metadata = {key: session.session_id, "wake_heartbeat": "now"}
        job = await gateway.create(run_at="10s", metadata=metadata)
        assert job.spec.user_id == "ada"
        await clock.advance(20)
        assert len(beats.requests) == 1


class TestSystemEvents:
    async def test_they_are_let_go_only_when_a_beat_that_had_them_ran_well(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        tell = gateway.runtime.heartbeats.tell
        told = await tell("s1", "mail", {"from": "a"}, by="me", wake=None)
        assert told.session_ids == ("s1",)
        beats.answer(FAILURE, QUIET)
        await clock.advance(120)
        await tell("s1", "mail", {"from": "b"}, by="me", wake=None)
        await clock.advance(60)
        heard = [[note.payload["from"] for note in request.notes] for request in beats.requests]
        assert heard == [["a"], ["a"], ["a", "b"]]
        assert await gateway.store.read(verbs.beats.system_events, "s1") == []

    async def test_what_comes_while_a_beat_runs_is_for_the_next_one(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        beats.hold()
        await clock.advance(60)
        await gateway.runtime.heartbeats.tell("s1", "mail", {}, by="me", wake=WakeMode.NOW)
        beats.release()
        await clock.settle()
        assert [len(request.notes) for request in beats.requests] == [0, 2]

    async def test_they_outlast_the_gateway_and_the_beat_that_died_with_it(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        await gateway.runtime.heartbeats.tell("s1", "mail", {}, by="me", wake=None)
        beats.hold()
        await clock.advance(60)
        await gateway.kill()
        beats.release()
        await gateway.start()
        await clock.advance(60)
        assert [len(request.notes) for request in beats.requests] == [1, 1]

    async def test_the_oldest_go_where_there_are_too_many(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.stop()
        await gateway.start(system_events_max=3)
        await gateway.session()
        for number in range(5):
            await gateway.runtime.heartbeats.tell("s1", "n", {"n": number}, by="me", wake=None)
        kept = await gateway.store.read(verbs.beats.system_events, "s1")
        assert [event.payload["n"] for event in kept] == [2, 3, 4]

    async def test_without_a_session_they_are_for_every_one(self, gateway: Gateway) -> None:
        await gateway.session("s1")
        await gateway.session("s2")
        told = await gateway.runtime.heartbeats.tell(None, "mail", {}, by="me", wake=None)
        assert told.session_ids == ("s1", "s2")
        with pytest.raises(SessionNotFound):
            await gateway.runtime.heartbeats.tell("s3", "mail", {}, by="me", wake=None)


class TestMissed:
    async def test_beats_of_a_night_off_wait_in_stasis_until_they_are_of_no_use(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await gateway.stop()
        clock.step(8 * 3600 + 600)
        await gateway.start()
        (missed,) = await gateway.pending()
        assert (missed.cause, missed.span.count) == (Cause.PROCESS_DOWN, 16)
        assert missed.event_id.startswith("heartbeat|s1|")
        await clock.advance(1200)
        assert await gateway.pending() == []
        ledger = await gateway.ledger()
        assert (ledger.missed["expired"], ledger.unaccounted) == (16, [])
        assert len(beats.requests) == 1

    async def test_an_approved_beat_runs_late_and_wakes_nobody_twice(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await gateway.stop()
        clock.step(3 * 3600 + 300)
        await gateway.start()
        (missed,) = await gateway.pending()
        slot = SlotKey.parse(missed.event_id)
        await gateway.runtime.stasis.resolve(slot, StasisAction.APPROVE, by="me")
        await clock.settle()
        (request,) = beats.requests
        assert (request.trigger, request.late_seconds) == (Trigger.APPROVED, 300)
        assert request.event_id == missed.event_id
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_missed_beat_that_is_rescheduled_is_told_to_the_next_one(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session(every="30m")
        await gateway.stop()
        clock.step(3600 + 300)
        await gateway.start()
        slot = SlotKey.parse((await gateway.pending())[0].event_id)
        stasis = gateway.runtime.stasis
        with pytest.raises(InvalidInput):
            await stasis.resolve(slot, StasisAction.RESCHEDULE, by="me", run_at="in 1h")
        resolved = await stasis.resolve(slot, StasisAction.RESCHEDULE, by="me")
        assert (resolved.record.span.status, resolved.job) == (MissedStatus.RESCHEDULED, None)
        await clock.advance(1500)
        (note,) = beats.requests[0].notes
        assert slot.event_id in note.payload["reason"]

    async def test_a_beat_that_waits_at_a_restart_is_missed_not_started_late(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session(every="10m", exec_timeout_seconds=3600)
        beats.hold()
        await clock.advance(1205)
        await gateway.kill()
        beats.release()
        clock.step(120)
        await gateway.start()
        (waiting,) = await gateway.pending()
        assert waiting.cause is Cause.PROCESS_DOWN
        assert len(beats.requests) == 1
        ledger = await gateway.ledger()
        # The one that was cut off is of no use any more: the interval it was for is over.
        assert (ledger.missed["expired"], ledger.unaccounted) == (1, [])


class TestConfiguration:
    async def test_the_cadence_is_that_of_the_file_from_when_it_is_noticed(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.session()
        await clock.advance(90)
        gateway.overrides("s1", {"every": "10s"})
        gateway.runtime.heartbeats.read_soon("s1")
        await clock.settle()
        await clock.advance(30)
        seconds = [(slot - gateway.began) // SECOND for slot in beats.slots]
        assert seconds == [60, 100, 110, 120]
        assert (await gateway.job(job)).version == 2
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_beat_notices_its_file_by_itself(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        gateway.overrides("s1", {"every": "10s"})
        await clock.advance(60)
        await clock.advance(20)
        assert len(beats.requests) == 3

    @pytest.mark.parametrize("bad", ["{", '{"every": "99999999999 days"}', '{"evry": "1m"}'])
    async def test_a_bad_file_harms_its_own_session_alone_and_the_last_good_one_stays(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock, bad: str
    ) -> None:
        job = await gateway.session("s1", prompt="look around")
        other = await gateway.session("s2")
        gateway.overrides("s1", bad)
        await clock.advance(120)
        now = await gateway.job(job)
        assert now.spec.schedule == job.spec.schedule
        assert "look around" in now.spec.metadata["overrides"]
        assert "config_error" in now.spec.metadata
        assert await gateway.job(other) is not None
        assert len(beats.requests) == 4
        (told,) = await gateway.store.read(verbs.notifications.list_notifications, limit=10)
        assert (told.kind, told.session_id, told.is_open) == (Kind.CONFIG_REFUSED, "s1", True)
        gateway.overrides("s1", {"every": "1m"})
        await clock.advance(61)
        assert "config_error" not in (await gateway.job(job)).spec.metadata
        (told,) = await gateway.store.read(verbs.notifications.list_notifications, limit=10)
        assert not told.is_open

    async def test_settings_that_changed_while_it_was_down_are_in_force_at_the_start(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.runtime.heartbeats.ensure("s1", workspace_dir="s1", owner_id="me")
        assert job is not None
        await gateway.stop()
        await gateway.start(heartbeat_every="2m")
        await clock.advance(240)
        assert len(beats.requests) == 2

    async def test_a_session_that_was_half_deleted_when_it_died_is_started_with_and_deleted(
        self, gateway: Gateway
    ) -> None:
        session = await gateway.runtime.sessions.create(
            user_id="me", workspace_dir=None, source="test", metadata={}
        )
        await gateway.runtime.heartbeats.remove(session.session_id)
        await gateway.kill()
        await gateway.start()
        sessions = gateway.runtime.sessions
        assert await sessions.get(session.session_id) == session
        await sessions.delete(session.session_id, by="me")
        assert await gateway.store.read(verbs.sessions.get_session, session.session_id) is None

    async def test_a_session_is_deleted_whole_or_not_at_all(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        """The gateway dies after the first commit of the deletion, whatever that has in it."""
        session = await gateway.runtime.sessions.create(
            user_id="me", workspace_dir=None, source="test", metadata={}
        )
        session_id = session.session_id
        beats.hold()
        wake = gateway.runtime.heartbeats.wake
        await wake(session_id, WakeMode.NOW, reason=None, by="me")
        await clock.settle()
        waiting = await wake(session_id, WakeMode.NOW, reason=None, by="me")
        assert waiting is not None
        database = gateway.store.database
        write = database.write

        async def die_afterwards(fn: Any, *rest: Any) -> Any:
            await write(fn, *rest)
            raise Killed

        class Killed(BaseException):
            pass

        database.write = die_afterwards  # type: ignore[method-assign]
        with pytest.raises(Killed):
            await gateway.runtime.sessions.delete(session_id, by="me")
        database.write = write  # type: ignore[method-assign]
        await gateway.kill()
        beats.release()
        await gateway.start()
        await clock.advance(3600)
        assert await gateway.store.read(verbs.sessions.get_session, session_id) is None
        assert await gateway.store.read(verbs.beats.list_beats) == []
        assert {run.run_id: run.status for run in await gateway.runs()} == {
            beats.requests[0].run_id: RunStatus.CANCELLED,
            waiting.run_id: RunStatus.CANCELLED,
        }
        assert len(beats.requests) == 1

    async def test_two_at_once_give_a_session_its_beats_once(self, gateway: Gateway) -> None:
        one, other = await asyncio.gather(gateway.session(), gateway.session())
        assert one.job_id == other.job_id
        assert [beats.job_id for beats in await gateway.store.read(verbs.beats.list_beats)] == [
            "s1"
        ]

    async def test_what_a_person_set_stays_until_the_files_say_something_new(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.session(every="10m")
        edited = await gateway.runtime.commands(Source.HEARTBEAT).edit(
            job.job_id, JobDraft(every="1m")
        )
        assert edited.spec.policy.useful_for_seconds == 60
        await gateway.stop()
        await gateway.start()
        await clock.advance(180)
        assert len(beats.requests) == 3


class TestSwitches:
    async def test_a_paused_heartbeat_expects_nothing_and_tells_nobody(
        self, gateway: Gateway, beats: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.session()
        paused = await gateway.runtime.commands(Source.HEARTBEAT).edit(JobId("s1"), PAUSED)
        assert paused.spec.metadata["delivery_mode"] == "none"
        await clock.advance(300)
        assert (beats.requests, (await gateway.ledger()).expected) == ([], 0)
        resumed = await gateway.runtime.commands(Source.HEARTBEAT).edit(JobId("s1"), RESUMED)
        assert "delivery_mode" not in resumed.spec.metadata
        await clock.advance(60)
        assert len(beats.requests) == 1

    async def test_with_heartbeats_off_cron_goes_on_and_beats_are_missed(
        self,
        gateway: Gateway,
        beats: RecordingRunner,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        await gateway.session(every="10m")
        await gateway.create(every="10m")
        await gateway.stop()
        await gateway.start(enable_heartbeat=False)
        await clock.advance(3700)
        assert (len(runner.requests), beats.requests) == (6, [])
        assert {(one.source, one.cause) for one in await gateway.pending()} == {
            (Source.HEARTBEAT, Cause.ENGINE_OFF)
        }
        assert (await gateway.ledger()).unaccounted == []
        with pytest.raises(EngineOff, match=r"Heartbeat service not available\."):
            gateway.runtime.heartbeats  # noqa: B018 - the access is what is refused

    async def test_with_cron_off_hearts_beat_on_and_jobs_are_missed(
        self,
        gateway: Gateway,
        beats: RecordingRunner,
        runner: RecordingRunner,
        clock: ManualClock,
    ) -> None:
        await gateway.session(every="10m")
        await gateway.create(every="10m")
        await gateway.stop()
        await gateway.start(enable_cron=False)
        await clock.advance(3600)
        assert (len(beats.requests), runner.requests) == (6, [])
        assert {(one.source, one.cause) for one in await gateway.pending()} == {
            (Source.CRON, Cause.ENGINE_OFF)
        }
        assert (await gateway.ledger()).unaccounted == []

    async def test_a_jobs_commands_do_not_know_sessions(self, gateway: Gateway) -> None:
        job = await gateway.session()
        with pytest.raises(JobNotFound):
            await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="x"))
        assert (await gateway.store.read(verbs.jobs.list_jobs, limit=10)).jobs == ()
        assert await gateway.store.read(verbs.jobs.count_jobs) == 0


async def test_a_restart_goes_on_at_the_sessions_own_cadence(
    gateway: Gateway, beats: RecordingRunner, clock: ManualClock
) -> None:
    await gateway.session(every="1h")
    await clock.advance(3600)
    await gateway.kill()
    clock.step(1800)
    await gateway.start()
    await clock.advance(1800)
    assert beats.slots == [gateway.began + HOUR, gateway.began + 2 * HOUR]
    assert (await gateway.ledger()).unaccounted == []
