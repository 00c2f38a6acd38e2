"""The demo's week is a real one: complete, with something of everything in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from universal_agent.demo import live
from universal_agent.domain.judge import MissedStatus
from universal_agent.domain.run import RunStatus
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs
from universal_agent.testing import ManualClock, RecordingRunner

NOW = datetime(2026, 11, 24, 12, 20, tzinfo=UTC)

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """A gateway that is started on the demo's data once the week is over."""
    settings = Settings(data_dir=tmp_path / "demo")
    settings.data_dir.mkdir()
    await live(settings, now=NOW)
    clock = ManualClock(NOW + timedelta(seconds=2))
    runtime = Runtime(settings, clock=clock, runners={"shell": RecordingRunner(clock)})
    await runtime.start()
    yield runtime
    await runtime.stop()


async def test_a_week_was_lived_in_which_every_slot_has_an_outcome(runtime: Runtime) -> None:
    ledger = await runtime.ledger.ledger(start=NOW - timedelta(days=8), end=NOW, now=NOW)
    assert ledger["unaccounted"] == []
    assert ledger["expected"] > 500

    runs = await runtime.store.read(verbs.runs.list_runs, limit=10_000)
    assert {run.status for run in runs} >= {
        RunStatus.SUCCESS,
        RunStatus.ERROR,
        RunStatus.TIMEOUT,
        RunStatus.INTERRUPTED,
    }
    for status in (MissedStatus.PENDING, MissedStatus.DELETED, MissedStatus.APPROVED_AND_RUN):
        assert await runtime.store.read(verbs.stasis.missed_spans, status=status, limit=1)

    verdict = await runtime.projector.verify()
    assert verdict.hash == verdict.expected_hash
