"""A run that is stopped ends once, and its end is recorded, whenever the stop comes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.run import RunId, RunStatus
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store import verbs


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """A running product whose runs end at once, on the real clock."""
    runtime = Runtime(Settings(data_dir=tmp_path / "data", cron_mock_response=True))
    await runtime.start()
    yield runtime
    await runtime.stop()


async def test_a_run_that_is_cancelled_before_it_has_begun_has_an_end_all_the_same(
    runtime: Runtime,
) -> None:
    store, now = runtime.store, runtime.clock.now()
    job = await runtime.jobs.create(JobDraft(command="true", every="1h", runner="shell"))
    run = await store.write(verbs.admission.add_run, job, RunId("run_1"), now=now)
    settled = await store.write(
        verbs.execution.claim, free_workers=1, process=runtime.own_process.process, now=now
    )
    runtime.running.start(settled.claimed[0])
    assert runtime.running.stop(run.run_id, RunStatus.CANCELLED, "another came")
    ended = await runtime.jobs.wait_for(run, seconds=30)
    assert (ended.status, ended.error) == (RunStatus.CANCELLED, "another came")
    assert len(runtime.running) == 0
