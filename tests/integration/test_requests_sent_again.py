"""A client that got no answer sends its request again, and must get the answer to the first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from universal_agent.errors import Conflict, LimitReached
from universal_agent.runtime import Runtime
from universal_agent.settings import Settings
from universal_agent.store.base import Once
from universal_agent.testing import ManualClock

TIDY = {"command": "true", "run_at": "in 5 minutes", "runner": "shell"}


@pytest.fixture
async def runtime(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Runtime]:
    """A running product with room for two jobs."""
    runtime = Runtime(Settings(data_dir=tmp_path / "data", max_jobs=2), clock=clock)
    await runtime.start()
    yield runtime
    await runtime.stop()


def once(key: str, fingerprint: str = "the request") -> Once:
    return Once(key=key, fingerprint=fingerprint)


async def test_a_one_shot_whose_time_has_passed_meanwhile_is_answered_with_its_job(
    runtime: Runtime, clock: ManualClock
) -> None:
    run_at = int(clock.now().timestamp()) + 60
    fields = TIDY | {"run_at": run_at}
    made = await runtime.jobs.create(fields, once=once("k"))
    clock.step(3600)
    again = await runtime.jobs.create(fields, once=once("k"))
    assert again.job_id == made.job_id


async def test_a_request_that_made_the_last_job_is_not_refused_for_lack_of_room(
    runtime: Runtime,
) -> None:
    await runtime.jobs.create(TIDY)
    made = await runtime.jobs.create(TIDY, once=once("k"))
    with pytest.raises(LimitReached):
        await runtime.jobs.create(TIDY)
    again = await runtime.jobs.create(TIDY, once=once("k"))
    assert again.job_id == made.job_id


async def test_a_deleted_job_makes_room_for_another(runtime: Runtime) -> None:
    first = await runtime.jobs.create(TIDY)
    await runtime.jobs.create(TIDY)
    await runtime.jobs.delete(first.job_id)
    await runtime.jobs.create(TIDY)
    with pytest.raises(LimitReached):
        await runtime.jobs.create(TIDY)


async def test_a_key_belongs_to_one_request_alone(runtime: Runtime) -> None:
    await runtime.jobs.create(TIDY, once=once("k"))
    with pytest.raises(Conflict, match="another request"):
        await runtime.jobs.create(TIDY, once=once("k", "another"))


async def test_a_key_whose_job_was_deleted_makes_no_second_one(runtime: Runtime) -> None:
    made = await runtime.jobs.create(TIDY, once=once("k"))
    await runtime.jobs.delete(made.job_id)
    with pytest.raises(Conflict, match="deleted since"):
        await runtime.jobs.create(TIDY, once=once("k"))
