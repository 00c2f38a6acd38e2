"""An outage of a service is not a failure of the jobs that use it: their runs wait for its end."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.engine.gateway import HOUR, MINUTE, SECOND, Gateway
from universal_agent.domain.cooldown import Cooldown
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.domain.job import OffLabel
from universal_agent.domain.run import RunStatus
from universal_agent.domain.slot import SlotKey, Source
from universal_agent.runners.base import RunRequest, RunResult
from universal_agent.store import verbs
from universal_agent.testing import FAILURE, SUCCESS, ManualClock, RecordingRunner


class Service:
    """A service that the runs of a gateway call: away for some time, and counting its calls."""

    def __init__(self, clock: ManualClock, kind: EndClass = EndClass.RATE_LIMITED) -> None:
        self.clock = clock
        self.kind = kind
        self.away_until = clock.now()
        #: Whether it names the time of its return.
        self.names = True
        self.calls: list[datetime] = []
        self.refused = 0

    def away_for(self, **length: float) -> None:
        self.away_until = self.clock.now() + timedelta(**length)

    def answer(self, usual: RunResult | Exception) -> RunResult | Exception:
        self.calls.append(self.clock.now())
        if self.clock.now() >= self.away_until:
            return usual
        self.refused += 1
        until = self.away_until if self.names else None
        return replace(FAILURE, ending=Ending(kind=self.kind, until=until), error="HTTP 429")


class Calling(RecordingRunner):
    """A runner whose runs call the service."""

    service: Service

    async def run(self, request: RunRequest) -> RunResult:
        if request.command.startswith("work"):
            self._answers.append(self.service.answer(self.usual))
        return await super().run(request)


@pytest.fixture
async def gateway(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path / "data", clock)
    gateway.runner = Calling(clock)
    gateway.runner.service = Service(clock)
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
def service(gateway: Gateway) -> Service:
    assert isinstance(gateway.runner, Calling)
    return gateway.runner.service


async def cooldowns(gateway: Gateway) -> list[Cooldown]:
    return list(await gateway.store.read(verbs.cooldowns.open_cooldowns))


async def told(gateway: Gateway) -> list[str]:
    """The kinds of the notifications, oldest first."""
    found = await gateway.runtime.notifications.page(now=gateway.clock.now(), limit=100)
    return [one["kind"] for one in reversed(found)]


class TestOpening:
    async def test_a_service_that_says_retry_after_is_called_once_until_then(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        jobs = [await gateway.create(every="10s", retries=3, retry_backoff=[1]) for _ in range(3)]
        await clock.advance(5)
        service.away_for(seconds=125)
        await clock.advance(124)
        # Three were under way together when the first was refused; none after them.
        assert len(service.calls) == 3
        assert [cooldown.until for cooldown in await cooldowns(gateway)] == [service.away_until]
        await clock.advance(60)
        assert len(service.calls) > 3
        assert service.calls[3] == service.away_until
        assert await cooldowns(gateway) == []
        for job in jobs:
            assert (await gateway.job(job)).consecutive_failures == 0

    async def test_one_job_calls_once_in_two_minutes_whatever_its_retries(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="5s", retries=3, retry_backoff=[1])
        service.away_for(seconds=125)
        await clock.advance(120)
        assert len(service.calls) == 1
        ledger = await gateway.ledger()
        assert (ledger.expected, ledger.unaccounted) == (24, [])
        assert ledger.skipped["cooldown"] == 22

    async def test_jobs_of_other_resources_go_on(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s", command="work a")
        other = await gateway.create(every="10s", command="play")
        own = await gateway.create(every="10s", command="work b", resources=["mine"])
        service.away_for(hours=1)
        await clock.advance(60)
        assert await gateway.statuses(other) == [RunStatus.SUCCESS] * 6
        # One call for each resource.
        assert len(service.calls) == 2
        assert [c.resource for c in await cooldowns(gateway)] == ["mine", "work"]
        assert (await gateway.runs(own))[0].end_class is EndClass.RATE_LIMITED

    async def test_a_run_without_resources_opens_none(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s", resources=[])
        service.away_for(hours=1)
        await clock.advance(60)
        assert (len(service.calls), await cooldowns(gateway)) == (6, [])

    async def test_it_is_told_once_when_it_opens_and_once_when_it_is_over(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        for _ in range(5):
            await gateway.create(every="1m", on_miss="ask")
        service.names = False
        service.away_for(hours=1)
        await clock.advance(2 * 3600)
        assert await told(gateway) == ["resource_down", "recovered"]
        kinds = await gateway.kinds()
        assert (kinds["resource_cooldown_opened"], kinds["resource_cooldown_closed"]) == (1, 1)

    async def test_nothing_counts_towards_a_pause_while_it_is_open(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="10s", auto_pause_after=2)
        service.names = False
        service.away_for(hours=2)
        await clock.advance(3 * 3600)
        after = await gateway.job(job)
        assert (after.spec.off_label, after.consecutive_failures) == (None, 0)
        ledger = await gateway.ledger()
        assert ledger.unaccounted == []
        assert ledger.expected == 3 * 360


class TestProbing:
    async def test_the_waits_grow_to_a_bound_where_the_service_names_no_time(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="10s")
        service.kind, service.names = EndClass.UNREACHABLE, False
        service.away_for(hours=1)
        await clock.advance(3600)
        gaps = [b - a for a, b in zip(service.calls, service.calls[1:], strict=False)]
        assert [gap // SECOND for gap in gaps[:8]] == [10, 20, 40, 80, 160, 320, 600, 600]
        assert max(gaps) == 600 * SECOND

    async def test_a_service_that_is_back_after_28_s_is_used_again_without_a_person(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        """Nights E5: it was never called again, and expected stood still."""
        job = await gateway.create(every="3s")
        beats = await gateway.session(every="3s")
        service.kind, service.names = EndClass.UNREACHABLE, False
        service.away_for(seconds=28)
        await clock.advance(28)
        before = await gateway.ledger(job)
        assert before.expected == 9
        await clock.advance(40)
        after = await gateway.ledger(job)
        assert after.expected == 22
        assert after.ran["success"] >= 8
        assert (await gateway.job(job)).spec.off_label is None
        assert (await gateway.ledger(beats)).unaccounted == []

    async def test_a_quota_with_a_date_is_resumed_at_that_date(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        """Nights E4b."""
        job = await gateway.create(every="3s", on_miss="run_latest")
        service.kind = EndClass.QUOTA
        service.away_for(hours=1)
        await clock.advance(3600 - 10)
        assert len(service.calls) == 1
        await clock.advance(10)
        assert service.calls[1] == service.away_until
        await clock.advance(9)
        assert len(service.calls) >= 4
        assert (await gateway.job(job)).spec.off_label is None

    async def test_one_probe_runs_at_a_time_however_many_wait(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        for _ in range(6):
            await gateway.create(every="1h", on_miss="run_latest", misfire_grace_seconds=7200)
        service.away_for(seconds=3600 + 120)
        await clock.advance(3600)
        refused = len(service.calls)
        runner.hold()
        await clock.advance(3600)
        assert len(runner.running) == 1
        assert len(service.calls) == refused + 1
        runner.release()
        await clock.advance(1)
        assert len(service.calls) == refused + 6

    async def test_a_failure_of_the_work_itself_closes_it(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        job = await gateway.create(every="1m")
        service.away_for(seconds=90)
        await clock.advance(60)
        runner.usual = FAILURE
        await clock.advance(60)
        assert await cooldowns(gateway) == []
        assert (await gateway.job(job)).consecutive_failures == 1

    async def test_a_probe_that_hangs_does_not_hold_it_open_without_a_wait(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        await gateway.create(every="10s", timeout_seconds=30)
        service.away_for(seconds=25)
        await clock.advance(20)
        runner.hold()
        await clock.advance(60)
        (cooldown,) = await cooldowns(gateway)
        assert (cooldown.cause, cooldown.ends) == (EndClass.UNREACHABLE, 2)

    async def test_after_a_restart_it_is_still_open_and_its_probe_is_free(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        await gateway.create(every="10s")
        service.away_for(seconds=35)
        await clock.advance(30)
        (before,) = await cooldowns(gateway)
        await gateway.kill()
        await gateway.start()
        assert await cooldowns(gateway) == [before]
        runner.hold()
        await clock.advance(20)
        assert len(runner.running) == 1
        await gateway.kill()
        runner.release()
        await gateway.start()
        await clock.advance(30)
        assert await cooldowns(gateway) == []
        assert (await gateway.ledger()).unaccounted == []


class TestHeldSlots:
    async def test_the_slot_of_a_rare_job_waits_and_runs_when_it_is_over(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m", command="work often")
        rare = await gateway.create(run_at="5m", command="work rarely")
        service.away_for(minutes=10)
        await clock.advance(9 * 60)
        assert await gateway.statuses(rare) == [RunStatus.QUEUED]
        slot = SlotKey(Source.CRON, rare.job_id, gateway.began + 5 * MINUTE)
        explained = await gateway.runtime.ledger.explain(slot, now=clock.now())
        assert any("which limits the rate" in words for words in explained["sentences"])
        await clock.advance(3 * 60)
        assert await gateway.statuses(rare) == [RunStatus.SUCCESS]

    @pytest.mark.parametrize(
        ("on_miss", "outcome"),
        [("ask", "missed"), ("skip", "skipped"), ("run_latest", "ran"), ("run_all", "ran")],
    )
    async def test_a_slot_that_waited_too_long_ends_by_its_miss_policy(
        self, on_miss: str, outcome: str, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m", command="work often")
        rare = await gateway.create(run_at="5m", command="work rarely", on_miss=on_miss)
        service.away_for(hours=2)
        await clock.advance(3 * 3600)
        ledger = await gateway.ledger(rare)
        found = {
            "missed": ledger.missed.get("pending", 0),
            "skipped": ledger.skipped.get("cooldown", 0),
            "ran": ledger.ran["success"],
        }
        assert found == {"missed": 0, "skipped": 0, "ran": 0, outcome: 1}
        assert (ledger.expected, ledger.unaccounted) == (1, [])
        if outcome == "missed":
            assert [missed.cause for missed in await gateway.pending()] == ["cooldown"]

    async def test_the_latest_slot_of_a_job_is_the_one_that_waits(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1m", on_miss="run_latest")
        service.away_for(minutes=10, seconds=30)
        await clock.advance(11 * 60)
        runs = [run for run in await gateway.runs(job) if run.status is RunStatus.SUCCESS]
        assert [run.scheduled_at for run in runs] == [gateway.began + n * MINUTE for n in (10, 11)]
        assert (await gateway.ledger(job)).skipped == {"cooldown": 8}

    async def test_attempts_are_not_spent_while_it_is_open(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        job = await gateway.create(run_at="1m", retries=2, retry_backoff=[1])
        service.names = False
        service.away_for(hours=2)
        await clock.advance(2 * 3600)
        refused = service.refused
        assert refused > 3
        runner.usual = FAILURE
        await clock.advance(2 * 3600)
        # The first attempt and two retries fail on their own account.
        assert len(service.calls) == refused + 3
        assert (await gateway.job(job)).consecutive_failures == 1

    async def test_beats_and_turns_of_the_agent_obey_it(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.stop()
        await gateway.start(agent_command="work -- {prompt}")
        beats = await gateway.session(every="1m")
        await gateway.create(every="10s")
        service.away_for(minutes=10)
        await clock.advance(10 * 60 - 1)
        assert gateway.beats.requests == []
        ledger = await gateway.ledger(beats)
        assert ledger.unaccounted == []
        assert ledger.skipped == {"cooldown": 8}
        await clock.advance(65)
        assert len(gateway.beats.requests) >= 1

    async def test_a_person_clears_it(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        await gateway.create(every="1m")
        service.away_for(hours=5)
        await clock.advance(90)
        service.away_for(seconds=0)
        cleared = await gateway.runtime.resources.clear("work", by="ann")
        assert cleared is not None
        await clock.advance(60)
        assert len(service.calls) == 2
        assert await gateway.runtime.resources.clear("work", by="ann") is None
        assert await told(gateway) == ["resource_down", "recovered"]

    async def test_an_extra_run_waits_like_any_other(
        self, gateway: Gateway, service: Service, clock: ManualClock
    ) -> None:
        job = await gateway.create(every="1h")
        service.away_for(hours=1, minutes=5)
        await clock.advance(3600)
        await gateway.runtime.jobs.run_now(job.job_id)
        await clock.advance(120)
        assert len(service.calls) == 1
        await clock.advance(300)
        assert len(service.calls) == 2


class TestHeldJobs:
    async def test_a_probe_of_a_paused_job_that_meets_an_outage_found_out_nothing(
        self, gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
    ) -> None:
        job = await gateway.create(every="1m", auto_pause_after=2)
        runner.usual = FAILURE
        await clock.advance(10 * 60)
        assert (await gateway.job(job)).spec.off_label is OffLabel.AUTO_PAUSED
        service.names = False
        service.away_for(minutes=30)
        await clock.advance(20 * 60)
        assert service.refused >= 1
        service.away_for(seconds=0)
        runner.usual = SUCCESS
        await clock.advance(60 * 60)
        assert (await gateway.job(job)).spec.off_label is None
        assert (await gateway.ledger()).unaccounted == []


async def test_a_retry_of_another_job_is_postponed_and_not_counted(
    gateway: Gateway, service: Service, clock: ManualClock, runner: RecordingRunner
) -> None:
    runner.usual = FAILURE
    failing = await gateway.create(run_at="1m", command="work once", retries=1, retry_backoff=[600])
    await clock.advance(61)
    runner.usual = SUCCESS
    calls = len(service.calls)
    await gateway.create(every="1m", command="work often")
    service.away_for(hours=3)
    await clock.advance(2 * 3600)
    assert len(service.calls) == calls + 1
    await clock.advance(1 * 3600 + 60)
    assert [run.attempt for run in await gateway.runs(failing)][-1] == 2
    assert (await gateway.statuses(failing))[-1] is RunStatus.SUCCESS
    started_at = (await gateway.runs(failing))[-1].started_at
    assert started_at is not None
    assert started_at > gateway.began + 3 * HOUR
