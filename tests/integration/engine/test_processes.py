"""Two gateways on one database that no lock keeps to one of them."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine.gateway import MINUTE, SECOND, Gateway
from tests.shared_file import SharedFile
from universal_agent.domain.judge import Cause
from universal_agent.domain.run import RunStatus
from universal_agent.engine import reconciler
from universal_agent.runners.orphans import kill_orphans
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.testing import ManualClock


class Sharing(Gateway):
    """A gateway with a directory of its own, on a database that it shares."""

    def __init__(self, data_dir: Path, database: Path, clock: ManualClock) -> None:
        super().__init__(data_dir, clock)
        self._path = database

    def make_store(self) -> Any:
        self.database = SharedFile(self._path)
        return Store(self.database, self.database.tail)

    @property
    def process_id(self) -> str:
        return self.runtime.own_process.id


@pytest.fixture(autouse=True)
def _time_waits_while_children_are_looked_for(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked for in a thread, which the clock cannot see."""
    pending = 0

    async def counted(run_ids: Sequence[str], *, clock: ManualClock) -> int:
        nonlocal pending
        pending += 1
        try:
            return await kill_orphans(run_ids, clock=clock)
        finally:
            pending -= 1

    monkeypatch.setattr(reconciler, "kill_orphans", counted)
    clock.wait_while(lambda: pending > 0)


@pytest.fixture
async def first(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Sharing]:
    """The gateway whose runs are tried: the only one with a worker for them at first."""
    gateway = Sharing(tmp_path / "first", tmp_path / "ua.db", clock)
    await gateway.start()
    yield gateway
    gateway.database.failure = None
    gateway.runner.release()
    await gateway.stop()


async def join(tmp_path: Path, clock: ManualClock) -> Sharing:
    """A further gateway, after the first one has claimed its runs."""
    gateway = Sharing(tmp_path / "second", tmp_path / "ua.db", clock)
    await gateway.start()
    return gateway


@pytest.fixture
async def second(first: Sharing, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Sharing]:
    """A gateway that joins while a run of the first one is in execution."""
    await first.create(run_at="1m")
    first.runner.hold()
    await clock.advance(60)
    assert await first.statuses() == [RunStatus.RUNNING]
    gateway = await join(tmp_path, clock)
    yield gateway
    await gateway.stop()


async def test_a_gateway_that_starts_leaves_the_runs_of_one_that_beats_alone(
    first: Sharing, second: Sharing, clock: ManualClock
) -> None:
    await clock.advance(300)
    assert await second.statuses() == [RunStatus.RUNNING]
    first.runner.release()
    await clock.advance(1)
    assert await second.statuses() == [RunStatus.SUCCESS]


async def test_the_runs_of_one_that_is_killed_are_closed_after_thirty_seconds(
    first: Sharing, second: Sharing, clock: ManualClock
) -> None:
    await first.kill()
    await clock.advance(24)
    assert await second.statuses() == [RunStatus.RUNNING]
    await clock.advance(12)
    assert await second.statuses() == [RunStatus.INTERRUPTED]
    (missed,) = await second.pending()
    assert missed.cause is Cause.INTERRUPTED
    await first.start()  # what its fixture stops


class TestOneThatCannotReachTheDatabase:
    async def test_it_ends_its_children_and_claims_nothing_after_twenty_seconds(
        self, first: Sharing, second: Sharing, clock: ManualClock
    ) -> None:
        first.database.failure = "the network is down"
        await clock.advance(14)
        assert len(first.runtime.running) == 1
        assert first.runtime.capacity.free > 0
        await clock.advance(6)
        assert len(first.runtime.running) == 0
        assert first.runtime.capacity.free == 0
        assert await second.statuses() == [RunStatus.RUNNING]  # not silent for long enough

    async def test_another_one_closes_its_runs_and_it_goes_on_under_a_new_id(
        self, first: Sharing, second: Sharing, clock: ManualClock
    ) -> None:
        before = first.process_id
        first.database.failure = "the network is down"
        await clock.advance(40)
        (run,) = await second.runs()
        assert (run.status, run.process_id) == (RunStatus.INTERRUPTED, before)
        first.database.failure = None
        await clock.advance(10)
        assert first.process_id != before
        assert first.runtime.capacity.free > 0
        assert len(await second.pending()) == 1
        ledger = await first.ledger()
        assert (ledger.interrupted, ledger.in_flight, ledger.unaccounted) == (1, 0, [])

        first.runner.release()
        await second.stop()
        job = await first.create(run_at="1m")
        await clock.advance(61)
        (run,) = await first.runs(job)
        assert (run.status, run.process_id) == (RunStatus.SUCCESS, first.process_id)

    async def test_it_closes_what_it_cut_if_no_other_one_has(
        self, first: Sharing, clock: ManualClock
    ) -> None:
        await first.create(run_at="1m")
        first.runner.hold()
        await clock.advance(60)
        first.database.failure = "the network is down"
        await clock.advance(40)
        first.database.failure = None
        await clock.advance(10)
        assert await first.statuses() == [RunStatus.INTERRUPTED]
        ledger = await first.ledger()
        assert (ledger.interrupted, ledger.in_flight, ledger.unaccounted) == (1, 0, [])

    async def test_an_end_that_it_knew_before_counts_while_its_claim_stands(
        self, first: Sharing, clock: ManualClock
    ) -> None:
        await first.create(run_at="1m")
        first.runner.seconds = 10
        await clock.advance(60)
        first.database.failure = "the network is down"
        await clock.advance(40)
        first.database.failure = None
        await clock.advance(10)
        (run,) = await first.runs()
        assert (run.status, run.finished_at) == (
            RunStatus.SUCCESS,
            first.began + MINUTE + 10 * SECOND,
        )


async def test_one_that_was_given_up_stops_at_its_next_beat(
    first: Sharing, second: Sharing, clock: ManualClock
) -> None:
    """A host that slept: its monotonic clock stood still, and the others' went on."""
    before = first.process_id
    await second.store.write(
        verbs.processes.close_process,
        before,
        silent_for=None,
        now=clock.now(),
        outage_id="out_1",
        missed_ids=["mis_1"],
    )
    await clock.advance(5)
    assert len(first.runtime.running) == 0
    await clock.advance(5)
    assert first.process_id != before
    assert await second.statuses() == [RunStatus.INTERRUPTED]


async def test_what_waits_is_run_by_the_one_that_is_left(
    first: Sharing, second: Sharing, clock: ManualClock
) -> None:
    await first.kill()
    job = await second.create(run_at="1m")
    await clock.advance(61)
    (run,) = await second.runs(job)
    assert (run.status, run.process_id) == (RunStatus.SUCCESS, second.process_id)
    await first.start()
