"""Missed slots, from the engine that finds them to the operator who decides: pitfalls 9 to 15."""

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway, slots_after
from universal_agent.domain.job import Job
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.judge import Cause, MissedStatus
from universal_agent.domain.run import JobId
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.domain.stasis import StasisAction
from universal_agent.errors import AlreadyResolved, Conflict, SlotNotFound
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, ManualClock, RecordingRunner


async def down(gateway: Gateway, clock: ManualClock, seconds: float) -> None:
    """The gateway is killed, and started after so long."""
    await gateway.kill()
    clock.step(seconds)
    await gateway.start()


def key_of(job: Job, slot_number: int, gateway: Gateway) -> SlotKey:
    """The id of the n-th slot of a job of every minute."""
    at = gateway.began + slot_number * MINUTE
    return SlotKey(source=Source.CRON, source_ref=job.job_id, scheduled_at=at)


async def explained(gateway: Gateway, job: Job, slot_number: int) -> tuple[str, str]:
    """What `explain` says of a slot: the outcome, and its sentences as one text."""
    document = await gateway.runtime.ledger.explain(
        key_of(job, slot_number, gateway), now=gateway.clock.now()
    )
    assert document["sentences"]
    return document["outcome"], " ".join(document["sentences"])


class TestFinding:
    async def test_misses_are_found_and_told_though_nobody_looks(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 9: they were found when somebody opened the calendar."""
        await gateway.create(every="1m")
        await down(gateway, clock, 3600)
        assert (await gateway.kinds())["cron_run_missed"] == 1
        await clock.advance(1)
        (told,) = await gateway.store.read(verbs.notifications.list_notifications, limit=100)
        assert told.kind == "missed"

    async def test_reading_finds_nothing_and_tells_nobody(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 9: a GET raised 71 notifications for a job that had just been made."""
        await gateway.create(every="1m")
        await clock.advance(1)
        before = len(await gateway.events())
        now = clock.now()
        calendar = gateway.runtime.calendar
        assert await calendar.stasis_items(now=now) == []
        assert await gateway.runtime.stasis.pending() == []
        await gateway.ledger(start=now - 30 * 24 * HOUR)
        await clock.advance(1)
        assert len(await gateway.events()) == before
        assert await gateway.store.read(verbs.notifications.list_notifications, limit=100) == []

    async def test_a_run_beside_a_missed_slot_does_not_hide_it(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 11: a run within 90 s matched its neighbour's slot."""
        job = await gateway.create(every="1m")
        await clock.advance(61)
        await down(gateway, clock, 150)
        await clock.advance(1)
        ran = set(runner.slots)
        (missed,) = await gateway.pending()
        held = [slot for slot in slots_after(gateway.began, 3) if missed.holds(slot)]
        assert held == [gateway.began + 2 * MINUTE]
        assert not ran & set(held)
        assert gateway.began + MINUTE in ran
        assert (await gateway.ledger(job)).unaccounted == []

    async def test_thousands_of_runs_hide_no_miss_before_them(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 12: the newest 2,000 runs were looked at, and 400 slots."""
        job = await gateway.create(every="1s", overlap="allow", misfire_grace_seconds=5)
        await down(gateway, clock, 60)
        for _ in range(25):
            await clock.advance(100)
        ledger = await gateway.ledger(job)
        assert ledger.ran["success"] > 2000
        assert ledger.missed["pending"] == 60 - 6
        assert ledger.unaccounted == []


class TestDecidedOnce:
    async def test_what_was_decided_stays_decided_over_a_restart(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 10: after a restart a dismissed miss came back."""
        job = await gateway.create(every="1m")
        await down(gateway, clock, 600)
        (missed,) = await gateway.pending()
        slot = SlotKey.parse(missed.event_id)
        await gateway.runtime.stasis.resolve(slot, StasisAction.DELETE, by="kim")
        await down(gateway, clock, 1)
        assert await gateway.pending() == []
        with pytest.raises(AlreadyResolved):
            await gateway.runtime.stasis.resolve(slot, StasisAction.APPROVE, by="kim")
        assert (await gateway.ledger(job)).missed["deleted"] == missed.span.count

    async def test_notifications_outlive_a_restart_and_are_not_told_again(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 10, its other half."""
        await gateway.create(every="1m")
        await down(gateway, clock, 600)
        await clock.advance(1)
        before = await gateway.store.read(verbs.notifications.list_notifications, limit=100)
        await down(gateway, clock, 1)
        await clock.advance(1)
        assert await gateway.store.read(verbs.notifications.list_notifications, limit=100) == before
        assert len(before) == 1

    async def test_approving_twice_runs_once(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 13: it ran twice."""
        await gateway.create(every="1h")
        await down(gateway, clock, 3600 + 1800)
        (missed,) = await gateway.pending()
        slot = SlotKey.parse(missed.event_id)
        await gateway.runtime.stasis.resolve(slot, StasisAction.APPROVE, by="kim")
        with pytest.raises(AlreadyResolved):
            await gateway.runtime.stasis.resolve(slot, StasisAction.APPROVE, by="lee")
        await clock.advance(1)
        (request,) = runner.requests
        assert (request.approved_by, request.late_seconds) == ("kim", 1800)

    async def test_an_event_id_that_somebody_made_up_runs_nothing(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 13: a fabricated id could be approved."""
        job = await gateway.create(every="1m")
        await down(gateway, clock, 600)
        for made_up in (
            key_of(job, 0, gateway),
            SlotKey(Source.CRON, job.job_id, gateway.began + 90 * SECOND),
            SlotKey(Source.CRON, JobId("cron_job_nobody"), gateway.began + MINUTE),
        ):
            with pytest.raises(SlotNotFound):
                await gateway.runtime.stasis.resolve(made_up, StasisAction.APPROVE, by="kim")
        assert len(await gateway.pending()) == 1
        assert [run for run in await gateway.runs() if run.approved_by] == []

    async def test_deleting_a_job_closes_what_it_has_missed(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        """Pitfall 13: the misses of a deleted job could not be cleared."""
        job = await gateway.create(every="1m")
        await down(gateway, clock, 600)
        assert len(await gateway.pending()) == 1
        await gateway.runtime.jobs.delete(job.job_id)
        assert await gateway.pending() == []
        assert (await gateway.ledger(job)).unaccounted == []

    async def test_a_deletion_can_be_taken_back_within_a_minute_and_no_later(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        await gateway.create(every="1h")
        await down(gateway, clock, 3600 + 1800)
        (missed,) = await gateway.pending()
        slot, stasis = SlotKey.parse(missed.event_id), gateway.runtime.stasis
        await stasis.resolve(slot, StasisAction.DELETE, by="kim")
        await clock.advance(59)
        await stasis.undo_delete(slot, by="kim")
        assert [one.span for one in await gateway.pending()] == [missed.span]
        await stasis.resolve(slot, StasisAction.DELETE, by="kim")
        await clock.advance(61)
        with pytest.raises(Conflict):
            await stasis.undo_delete(slot, by="kim")


class TestStaleWork:
    async def test_a_missed_slot_that_is_no_longer_useful_expires_for_all_to_see(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        """Pitfall 15: stale work was run hours late."""
        job = await gateway.create(every="1h", useful_for_seconds=1800)
        await down(gateway, clock, 3600 + 600)
        (missed,) = await gateway.pending()
        assert missed.useful_until == gateway.began + HOUR + 30 * MINUTE
        await clock.advance(1200)
        assert await gateway.pending() == []
        resolved = [e for e in await gateway.events() if e.type == "calendar_missed_resolved"]
        assert [event.status for event in resolved] == ["expire"]
        assert (await gateway.ledger(job)).missed["expired"] == 1
        assert runner.requests == []

    @pytest.mark.parametrize("on_miss", ["run_latest", "run_all"])
    async def test_a_policy_that_runs_misses_runs_none_that_is_no_longer_useful(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock, on_miss: str
    ) -> None:
        """Pitfall 15, for jobs that catch up by themselves."""
        job = await gateway.create(every="1h", on_miss=on_miss, useful_for_seconds=600)
        await down(gateway, clock, 3 * 3600 + 1800)
        await clock.advance(1)
        assert runner.requests == []
        ledger = await gateway.ledger(job)
        assert (ledger.missed["expired"], ledger.unaccounted) == (3, [])

    async def test_of_the_misses_that_run_all_runs_only_those_that_are_useful_are_run(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h", on_miss="run_all", useful_for_seconds=2 * 3600)
        await down(gateway, clock, 4 * 3600 + 1800)
        await clock.advance(1)
        assert runner.slots == [gateway.began + 3 * HOUR, gateway.began + 4 * HOUR]
        ledger = await gateway.ledger(job)
        assert ledger.missed == {"expired": 2, "approved_and_run": 2}
        assert ledger.unaccounted == []


class TestExplain:
    """Every outcome is told in sentences."""

    async def test_slots_that_ran_and_that_come(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", title="tidy")
        runner.answer(FAILURE)
        await clock.advance(121)
        assert "exit code 1" in (await explained(gateway, job, 1))[1]
        outcome, text = await explained(gateway, job, 2)
        assert outcome == "success"
        assert "tidy" in text
        assert "on time" in text
        assert (await explained(gateway, job, 3))[0] == "scheduled"
        before = await explained(gateway, job, -5)
        assert before[0] == "not_expected"
        assert "the job was made at" in before[1]

    async def test_slots_that_were_skipped_or_cut_short(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        runner.hold()
        await clock.advance(121)
        assert (await explained(gateway, job, 1))[1].endswith("and is running.")
        assert "an earlier run of the job was still going" in (await explained(gateway, job, 2))[1]
        await down(gateway, clock, 1)
        outcome, text = await explained(gateway, job, 1)
        assert outcome == "missed:pending"
        assert "what became of it is unknown" in text

    async def test_slots_that_were_missed_and_what_was_decided_of_them(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", overlap="allow")
        await down(gateway, clock, 600)
        outcome, text = await explained(gateway, job, 5)
        assert outcome == "missed:pending"
        assert "the gateway was not running" in text
        assert "It waits for a decision in stasis." in text
        (missed,) = await gateway.pending()
        slot = SlotKey.parse(missed.event_id)
        await gateway.runtime.stasis.resolve(slot, StasisAction.APPROVE, by="kim", note="go")
        await clock.advance(1)
        last = missed.span.count
        outcome, text = await explained(gateway, job, last)
        assert outcome == "missed:approved_and_run"
        assert "approved by kim" in text
        assert (await explained(gateway, job, 1))[0] == "missed:superseded"

    @pytest.mark.parametrize(
        ("action", "outcome"),
        [
            (StasisAction.RESCHEDULE, MissedStatus.RESCHEDULED),
            (StasisAction.DELETE, MissedStatus.DELETED),
        ],
    )
    async def test_slots_that_an_operator_closed(
        self,
        gateway: Gateway,
        clock: ManualClock,
        action: StasisAction,
        outcome: MissedStatus,
    ) -> None:
        job = await gateway.create(run_at="1m")
        await down(gateway, clock, 600)
        await gateway.runtime.stasis.resolve(key_of(job, 1, gateway), action, by="kim", note="ok")
        found, text = await explained(gateway, job, 1)
        assert found == f"missed:{outcome}"
        assert "by kim" in text
        assert "ok" in text

    async def test_slots_of_a_job_that_was_off_or_is_gone(
        self, gateway: Gateway, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m")
        await gateway.runtime.jobs.edit(job.job_id, JobDraft(enabled=False))
        await clock.advance(121)
        assert "a person switched it off" in (await explained(gateway, job, 1))[1]
        await gateway.runtime.jobs.delete(job.job_id)
        assert "the job was deleted before" in (await explained(gateway, job, 10))[1]

    async def test_a_slot_for_which_no_worker_was_free(
        self, gateway: Gateway, runner: RecordingRunner, clock: ManualClock
    ) -> None:
        runner.hold()
        for _ in range(8):
            await gateway.create(run_at="1s", timeout_seconds=86_400)
        job = await gateway.create(run_at="1m", queue_limit_seconds=300)
        await clock.advance(120)
        assert "waits for a free worker" in (await explained(gateway, job, 1))[1]
        await clock.advance(300)
        outcome, text = await explained(gateway, job, 1)
        assert outcome == "missed:pending"
        assert "It was missed: the pool default (size 8) was held by work (run_" in text
        assert "and 5 more." in text
        (missed,) = [one for one in await gateway.pending() if one.source_ref == job.job_id]
        assert missed.cause is Cause.CAPACITY
