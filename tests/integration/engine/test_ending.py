"""How runs end, and what follows from it."""

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from structlog.testing import capture_logs

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway
from universal_agent.domain.calendar_facts import Window
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.fail_on import FailOn
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import PAUSED, JobDraft
from universal_agent.domain.run import Run, RunId, RunStatus, Trigger
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.errors import Conflict, InvalidInput, JobNotFound, RunNotFound
from universal_agent.runners.shortage import ResourceShortage
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, SUCCESS, ManualClock, RecordingRunner
from universal_agent.views.calendar_provider import both_calendars


class TestTimeLimit:
    async def test_a_run_that_takes_too_long_is_stopped_and_called_a_timeout(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", timeout_seconds=30)
        runner.hold()
        await clock.advance(60 + 29.9)
        assert await gateway.statuses() == [RunStatus.RUNNING]
        await clock.advance(0.1)
        (run,) = await gateway.runs()
        assert (run.status, run.error) == (RunStatus.TIMEOUT, "stopped after its limit of 30 s")
        assert (run.finished_at, runner.stopped) == (gateway.began + 90 * SECOND, [run.run_id])
        assert (await gateway.ledger()).ran["timeout"] == 1

    async def test_a_run_that_takes_too_long_tells_what_it_printed_last(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", timeout_seconds=30)
        runner.hold()
        await clock.advance(60)
        runner.requests[0].output.write(b"hello\nReconnecting... 3/5\n")
        await clock.advance(30)
        (run,) = await gateway.runs()
        assert run.error == "stopped after its limit of 30 s; last line: Reconnecting... 3/5"

    async def test_the_limit_is_of_the_run_and_not_of_the_wall_clock(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", timeout_seconds=600)
        runner.hold()
        await clock.advance(60)
        clock.step(86_400)
        await clock.advance(300)
        assert await gateway.statuses() == [RunStatus.RUNNING]
        clock.step(-2 * 86_400)
        await clock.advance(300)
        assert await gateway.statuses() == [RunStatus.TIMEOUT]
        (run,) = await gateway.runs()
        assert run.duration is not None and run.duration >= 0 * SECOND


async def test_a_run_whose_output_finds_no_room_goes_on_and_the_loss_is_told(
    gateway: Gateway, runner: RecordingRunner, clock: ManualClock
) -> None:
    gateway.runtime.settings.run_logs_dir.write_text("in the way", encoding="utf-8")
    runner.hold()
    await gateway.create(run_at="1m")
    await clock.advance(60)
    (request,) = runner.running.values()
    with capture_logs() as logs:
        request.output.write(b"four")
        runner.release()
        await clock.advance(1)
    assert await gateway.statuses() == [RunStatus.SUCCESS]
    (told,) = [line for line in logs if line["event"] == "run_log_cut"]
    assert (told["run_id"], told["dropped_bytes"]) == (request.run_id, 4)


class TestShortage:
    """The gateway lacks what it takes to start a run: no fault of the job."""

    async def test_the_run_is_tried_again_and_succeeds_as_its_first_attempt(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="1m", timeout_seconds=2)
        runner.answer(*[ResourceShortage("Too many open files")] * 5)
        with capture_logs() as logs:
            await clock.advance(60)
            assert await gateway.statuses() == [RunStatus.RUNNING]
            await clock.advance(5)
        (run,) = await gateway.runs()
        assert (run.status, run.attempt, run.error) == (RunStatus.SUCCESS, 1, None)
        assert (await gateway.runtime.jobs.get(job.job_id)).consecutive_failures == 0
        assert [line["event"] for line in logs].count("run_waits_for_resources") == 1

    async def test_a_run_that_waits_for_resources_can_be_cancelled(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.usual = ResourceShortage("Too many open files")
        await clock.advance(60)
        (run,) = await gateway.runs()
        cancelling = asyncio.create_task(gateway.runtime.jobs.cancel_run(run.run_id))
        await clock.advance(2)
        assert (await cancelling).status is RunStatus.CANCELLED

    async def test_a_stop_puts_it_back_into_the_queue(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.usual = ResourceShortage("Too many open files")
        await clock.advance(60)
        await gateway.stop()
        runner.usual = SUCCESS
        await gateway.start()
        await clock.advance(2)
        assert await gateway.statuses() == [RunStatus.SUCCESS]


class TestCancel:
    async def test_a_run_in_execution_is_stopped_and_its_end_is_recorded(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.hold()
        await clock.advance(60)
        (run,) = await gateway.runs()
        cancelled = await gateway.runtime.jobs.cancel_run(run.run_id)
        assert (cancelled.status, cancelled.error) == (
            RunStatus.CANCELLED,
            "cancelled by an operator",
        )
        assert runner.stopped == [run.run_id]

    async def test_a_run_that_waits_never_starts(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        runner.hold()
        await gateway.runtime.jobs.run_now(job.job_id)
        waits = await gateway.runtime.jobs.run_now(job.job_id)
        await clock.settle()
        cancelled = await gateway.runtime.jobs.cancel_run(waits.run_id)
        runner.release()
        await clock.advance(1)
        assert cancelled.status is RunStatus.CANCELLED
        assert len(runner.requests) == 1

    async def test_a_run_that_has_ended_cannot_be_cancelled(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        await clock.advance(60)
        (run,) = await gateway.runs()
        with pytest.raises(Conflict, match="success"):
            await gateway.runtime.jobs.cancel_run(run.run_id)

    async def test_a_run_that_never_was_is_not_found(self, gateway: Gateway) -> None:
        with pytest.raises(RunNotFound):
            await gateway.runtime.jobs.cancel_run(RunId("run_x"))

    async def test_of_many_who_cancel_all_hear_how_it_ended(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m")
        runner.hold()
        await clock.advance(60)
        (run,) = await gateway.runs()
        jobs = gateway.runtime.jobs
        heard = await asyncio.gather(
            *(jobs.cancel_run(run.run_id) for _ in range(5)), return_exceptions=True
        )
        # Who comes when all is over is told so; nobody is told that it still runs.
        late = [str(one) for one in heard if isinstance(one, Conflict)]
        assert all("cancelled" in refusal for refusal in late)
        statuses = [one.status for one in heard if isinstance(one, Run)]
        assert statuses == [RunStatus.CANCELLED] * (5 - len(late)) != []
        assert (await gateway.kinds())["cron_run_failed"] == 1


class TestExtraRun:
    async def test_it_starts_at_once_and_takes_no_slot(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        await gateway.runtime.jobs.run_now(job.job_id)
        await clock.settle()
        (request,) = runner.requests
        assert (request.trigger, request.scheduled_at) == (Trigger.MANUAL, gateway.began)
        assert (await gateway.job(job)).next_run_at == gateway.began + HOUR
        assert (await gateway.ledger()).expected == 0

    async def test_whoever_waits_gets_the_finished_run(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        jobs = gateway.runtime.jobs
        run = await jobs.run_now(job.job_id)
        ended = await jobs.wait_for(run, seconds=30)
        assert ended.status is RunStatus.SUCCESS

    async def test_whoever_waited_long_enough_gets_it_as_it_is(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 29: the answer never waits for the run."""
        job = await gateway.create(every="1h")
        runner.hold()
        run = await gateway.runtime.jobs.run_now(job.job_id)
        waiting = asyncio.create_task(gateway.runtime.jobs.wait_for(run, seconds=30))
        await clock.advance(29)
        assert not waiting.done()
        await clock.advance(1)
        assert (await waiting).status is RunStatus.RUNNING

    async def waiter(
        self, gateway: Gateway, runner: RecordingRunner, **fields: Any
    ) -> tuple[Job, Run, asyncio.Task[Run]]:
        """A job whose run holds it, its run that is queued, and somebody who waits for that."""
        runner.hold()
        job = await gateway.create(
            every="1h", overlap="queue_one", timeout_seconds=86_400, **fields
        )
        await gateway.runtime.jobs.run_now(job.job_id)
        await gateway.clock.advance(3600)
        queued = (await gateway.runs(job))[-1]
        assert queued.status is RunStatus.QUEUED
        waiting = asyncio.create_task(gateway.runtime.jobs.wait_for(queued, seconds=300))
        await gateway.clock.settle()
        assert not waiting.done()
        return job, queued, waiting

    @pytest.mark.parametrize("end", ["cancelled", "deleted", "missed"])
    async def test_whoever_waits_for_a_run_that_never_starts_is_answered_immediately(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, end: str
    ) -> None:
        job, run, waiting = await self.waiter(gateway, runner, queue_limit_seconds=20)
        if end == "cancelled":
            await gateway.runtime.jobs.cancel_run(run.run_id)
        elif end == "deleted":
            await gateway.runtime.jobs.delete(job.job_id)
        else:
            await clock.advance(20)
        await clock.settle()
        assert waiting.done()
        never_started = RunStatus.SKIPPED if end == "missed" else RunStatus.CANCELLED
        assert (await waiting).status is never_started

    async def test_whoever_waits_for_a_run_that_a_later_slot_replaces_is_answered_immediately(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        runner.hold()
        first = await gateway.create(
            every="1h", overlap="cancel_previous", queue_limit_seconds=86_400
        )
        others = [await gateway.create(every="24h", timeout_seconds=86_400) for _ in range(8)]
        for other in others:  # every worker is taken
            await gateway.runtime.jobs.run_now(other.job_id)
        await clock.advance(3600)
        (queued,) = await gateway.runs(first)
        waiting = asyncio.create_task(gateway.runtime.jobs.wait_for(queued, seconds=7200))
        await clock.advance(3600 - 1)
        assert not waiting.done()
        await clock.advance(1)
        assert waiting.done()
        assert (await waiting).status is RunStatus.CANCELLED

    async def test_there_is_none_of_a_job_that_is_not(self, gateway: Gateway) -> None:
        job = await gateway.create()
        await gateway.runtime.jobs.delete(job.job_id)
        with pytest.raises(JobNotFound):
            await gateway.runtime.jobs.run_now(job.job_id)


class TestFailOn:
    async def test_a_run_whose_output_means_failure_has_failed(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="1m", fail_on={"output": "limit reached"})
        runner.hold()
        await clock.advance(60)
        runner.requests[0].output.write(b"5-hour limit reached\n")
        runner.release()
        await clock.settle()
        (run,) = await gateway.runs(job)
        assert (run.status, run.error) == (
            RunStatus.ERROR,
            "fail_on.output 'limit reached' was printed: 5-hour limit reached",
        )
        assert run.output_preview == "5-hour limit reached\n"
        assert (await gateway.ledger()).ran["error"] == 1

    async def test_the_rules_can_be_changed_and_taken_back(self, gateway: Gateway) -> None:
        job = await gateway.create(fail_on={"missing": ["done"]})
        assert job.spec.fail_on == FailOn(missing=("done",))
        job = await gateway.runtime.jobs.edit(job.job_id, JobDraft(title="other"))
        assert (await gateway.job(job)).spec.fail_on == FailOn(missing=("done",))
        with pytest.raises(InvalidInput, match="runner shell"):
            await gateway.runtime.jobs.edit(job.job_id, JobDraft(fail_on="claude"))
        assert (await gateway.job(job)).spec.fail_on == FailOn(missing=("done",))
        job = await gateway.runtime.jobs.edit(job.job_id, JobDraft(fail_on=None))
        assert (await gateway.job(job)).spec.fail_on is None


class TestRetry:
    async def test_a_run_that_failed_is_tried_again_after_each_wait(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retries=3, retry_backoff=[10, 60])
        runner.answer(FAILURE, FAILURE, FAILURE, SUCCESS)
        await clock.advance(600)
        starts = [run.started_at for run in await gateway.runs()]
        begun = gateway.began + MINUTE
        assert starts == [begun + n * SECOND for n in (0, 10, 70, 130)]
        assert [request.attempt for request in runner.requests] == [1, 2, 3, 4]
        assert [request.trigger for request in runner.requests][1:] == [Trigger.RETRY] * 3
        assert len(set(runner.slots)) == 1
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.ran["success"], ledger.unaccounted) == (1, 1, [])

    @pytest.mark.parametrize(("asked_for", "wait"), [(7, 10), (400, 400)])
    async def test_the_wait_that_a_server_asked_for_is_kept_to(
        self,
        gateway: Gateway,
        runner: RecordingRunner,
        clock: ManualClock,
        asked_for: int,
        wait: int,
    ) -> None:
        await gateway.create(run_at="1m", retries=1, retry_backoff=[10])
        said = Ending(kind=EndClass.RATE_LIMITED, until=gateway.began + MINUTE + asked_for * SECOND)
        runner.answer(replace(FAILURE, ending=said), SUCCESS)
        await clock.advance(600)
        starts = [run.started_at for run in await gateway.runs()]
        assert starts == [gateway.began + MINUTE + n * SECOND for n in (0, wait)]

    async def test_what_only_a_person_can_end_is_not_tried_again(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retries=3, retry_backoff=[10])
        runner.usual = replace(FAILURE, ending=Ending(kind=EndClass.QUOTA))
        await clock.advance(600)
        assert len(runner.requests) == 1
        assert (await gateway.ledger()).ran["error"] == 1

    async def test_the_last_attempt_is_how_the_slot_ended(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retries=1, retry_backoff=[10])
        runner.usual = FAILURE
        await clock.advance(600)
        assert len(runner.requests) == 2
        assert (await gateway.ledger()).ran["error"] == 1

    async def test_the_next_slot_cancels_a_pending_retry(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m", retries=5, retry_backoff=[90])
        runner.answer(FAILURE)
        await clock.advance(240)
        minutes = [(slot - gateway.began) // MINUTE for slot in runner.slots]
        assert minutes == [1, 2, 3, 4]
        assert [request.attempt for request in runner.requests] == [1] * 4
        ledger = await gateway.ledger()
        assert (ledger.ran["error"], ledger.ran["success"]) == (1, 3)

    async def test_a_slot_that_comes_while_the_retry_runs_overlaps(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m", retries=5, retry_backoff=[30])
        runner.answer(FAILURE)
        await clock.advance(61)
        runner.seconds = 45
        await clock.advance(60)
        assert [request.attempt for request in runner.requests] == [1, 2]
        assert (await gateway.ledger()).skipped["overlap"] == 1

    async def test_a_retry_outlives_a_restart(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", retries=1, retry_backoff=[300])
        runner.answer(FAILURE)
        await clock.advance(61)
        await gateway.kill()
        await gateway.start()
        await clock.advance(300)
        assert [request.attempt for request in runner.requests] == [1, 2]

    async def test_an_edit_takes_the_place_of_what_a_retry_would_run(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """A run has the spec it was admitted under, and so has each attempt at its slot."""
        job = await gateway.create(run_at="1m", retries=1, retry_backoff=[60])
        runner.answer(FAILURE)
        await clock.advance(61)
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(command="other"))
        await clock.advance(60)
        assert [request.command for request in runner.requests] == ["work", "work"]


class TestRetryThatIsNotMade:
    """A retry that was planned and dropped is told, and its slot says why."""

    async def dropped(self, gateway: Gateway, job: Job) -> tuple[str, str, str]:
        """The status and reason of the event, and what is said of the job's first slot."""
        (event,) = [e for e in await gateway.events() if e.type == "cron_retry_dropped"]
        slot = SlotKey(Source.CRON, job.job_id, gateway.began + MINUTE)
        told = await gateway.runtime.ledger.explain(slot, now=gateway.clock.now())
        assert told["outcome"] == "error"
        assert event.data["run"]["event_id"] == slot.event_id
        return event.status, event.data["reason"], told["sentences"][-1]

    async def test_because_the_next_slot_came_first(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", retries=5, retry_backoff=[90])
        runner.answer(FAILURE)
        await clock.advance(121)
        assert await self.dropped(gateway, job) == (
            "error",
            "retry_dropped:next_slot",
            "It was not tried again: the job's next slot came first.",
        )

    async def test_because_its_time_passed_while_the_gateway_was_down(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(run_at="1m", retries=1)
        runner.answer(FAILURE)
        await clock.advance(61)
        await gateway.kill()
        clock.step(3600)
        await gateway.start()
        assert (await self.dropped(gateway, job))[1] == "retry_dropped:late"

    @pytest.mark.parametrize("command", ["pause", "delete"])
    async def test_because_the_job_is_off_or_gone(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, command: str
    ) -> None:
        job = await gateway.create(every="1m", retries=1)
        runner.answer(FAILURE)
        await clock.advance(61)
        if command == "pause":
            await gateway.runtime.jobs.edit(job.job_id, PAUSED)
        else:
            await gateway.runtime.jobs.delete(job.job_id)
        word = {"pause": "job_off", "delete": "job_deleted"}[command]
        assert (await self.dropped(gateway, job))[1] == f"retry_dropped:{word}"

    async def test_the_projection_says_the_same_as_the_tables(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="10m", retries=5, retry_backoff=[900])
        runner.answer(FAILURE)
        await clock.advance(1201)
        now = clock.now()
        window = Window(start=now - HOUR, end=now + HOUR, zone=ZoneInfo("UTC"))
        scanned, projected = await both_calendars(gateway.store, window)
        assert scanned.slots == projected.slots
        assert "retry_dropped:next_slot" in {slot.reason for slot in scanned.slots}

    async def test_more_than_a_turn_takes_are_all_made_before_the_slots_that_come_then(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.stop()
        await gateway.start(cron_max_concurrency=400)
        for number in range(300):
            # The first jobs to come due are the last to be tried again.
            await gateway.create(every="1m", retries=1, retry_backoff=[40 if number < 50 else 30])
        runner.answer(*[FAILURE] * 300)
        await clock.advance(61)
        clock.freeze(60)  # the retries and the next slots are due together
        await clock.advance(1)
        attempts = Counter(request.attempt for request in runner.requests)
        assert attempts[2] == 300
        assert (await gateway.kinds())["cron_retry_dropped"] == 0
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.in_flight, ledger.unaccounted) == (600, 0, [])
        assert ledger.ran["success"] + ledger.skipped["overlap"] == 600


class TestBrokenRunner:
    async def test_a_runner_that_raises_ends_its_run_and_nothing_else(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        runner.answer(OSError("no more processes"), SUCCESS)
        await clock.advance(120)
        broken, after = await gateway.runs()
        assert (broken.status, broken.error) == (
            RunStatus.ERROR,
            "the runner failed: OSError: no more processes",
        )
        assert after.status is RunStatus.SUCCESS
        assert gateway.runtime.health().ok

    async def test_a_runner_that_is_not_installed_any_more_is_said_so(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        gateway.runtime.runners.pop("shell")
        await clock.advance(60)
        (run,) = await gateway.runs()
        assert run.status is RunStatus.ERROR
        assert "'shell' is not installed" in str(run.error)


class TestDeleteAfterRun:
    async def test_a_one_shot_goes_once_it_has_run_well(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", delete_after_run=True)
        await clock.advance(60)
        assert await gateway.store.read(verbs.jobs.count_jobs) == 0
        assert (await gateway.ledger()).ran["success"] == 1

    async def test_it_goes_after_the_attempt_that_ran_well(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        await gateway.create(run_at="1m", delete_after_run=True, retries=1, retry_backoff=[10])
        runner.answer(FAILURE)
        await clock.advance(65)
        assert await gateway.store.read(verbs.jobs.count_jobs) == 1
        await clock.advance(5)
        assert await gateway.store.read(verbs.jobs.count_jobs) == 0

    async def test_jobs_that_went_by_themselves_leave_room_for_others(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Their number is counted again at the limit, and not from memory."""
        await gateway.stop()
        await gateway.start(max_jobs=3)
        for _ in range(5):
            await gateway.create(run_at="1s", delete_after_run=True)
            await clock.advance(1)
        assert await gateway.store.read(verbs.jobs.count_jobs) == 0
