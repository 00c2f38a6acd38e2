"""One Idempotency-Key makes one thing."""

import asyncio

import pytest

from tests.store.conftest import OpenAgain
from tests.store.making import (
    MINUTE,
    NOON,
    SECOND,
    a_job,
    delete,
    kinds,
    new_job,
    run_id,
)
from universal_agent.errors import Conflict
from universal_agent.store import verbs
from universal_agent.store.store import Store
from universal_agent.store.values import Once


class TestIdempotencyKey:
    KEY = Once(key="k1", fingerprint="f1")

    async def test_the_same_request_again_makes_nothing_and_answers_the_same(
        self, store: Store
    ) -> None:
        first = await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        again = await store.write(verbs.jobs.create_job, new_job("job_b"), now=NOON, once=self.KEY)
        assert again == first
        assert (await store.read(verbs.jobs.count_jobs), await kinds(store)) == (1, ["job_created"])

    async def test_many_at_once_make_one_job(self, store: Store) -> None:
        made = await asyncio.gather(
            *(
                store.write(verbs.jobs.create_job, new_job(f"job_{n}"), now=NOON, once=self.KEY)
                for n in range(20)
            )
        )
        assert len({job.job_id for job in made}) == 1
        assert await store.read(verbs.jobs.count_jobs) == 1

    async def test_it_is_remembered_over_a_restart(
        self, store: Store, store_again: OpenAgain
    ) -> None:
        await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        await store.close()
        again = store_again()
        await again.open()
        made = await again.write(verbs.jobs.create_job, new_job("job_b"), now=NOON, once=self.KEY)
        await again.close()
        assert made.job_id == "job_a"

    async def test_it_cannot_be_used_for_another_request(self, store: Store) -> None:
        await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        other = Once(key="k1", fingerprint="f2")
        with pytest.raises(Conflict, match="another request"):
            await store.write(verbs.jobs.create_job, new_job("job_b"), now=NOON, once=other)
        assert await store.read(verbs.jobs.count_jobs) == 1

    async def test_a_request_that_failed_does_not_use_it_up(self, store: Store) -> None:
        await a_job(store, "job_a")
        with pytest.raises(Exception, match="UNIQUE"):
            await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        made = await store.write(verbs.jobs.create_job, new_job("job_b"), now=NOON, once=self.KEY)
        assert made.job_id == "job_b"

    async def test_what_it_made_is_told_without_making_it(self, store: Store) -> None:
        assert await store.read(verbs.jobs.job_made, self.KEY) is None
        job = await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        assert await store.read(verbs.jobs.job_made, self.KEY) == job

    async def test_it_does_not_bring_back_a_deleted_job(self, store: Store) -> None:
        job = await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        assert await delete(store, job)
        with pytest.raises(Conflict, match="deleted"):
            await store.write(verbs.jobs.create_job, new_job("job_b"), now=NOON, once=self.KEY)

    async def test_it_is_forgotten_after_a_day(self, store: Store) -> None:
        await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=self.KEY)
        a_day = 24 * 60 * MINUTE
        made = await store.write(
            verbs.jobs.create_job, new_job("job_b"), now=NOON + a_day, once=self.KEY
        )
        assert made.job_id == "job_a"
        made = await store.write(
            verbs.jobs.create_job, new_job("job_c"), now=NOON + a_day + SECOND, once=self.KEY
        )
        assert made.job_id == "job_c"

    async def test_it_holds_for_an_extra_run_too(self, store: Store) -> None:
        job = await a_job(store)
        first = await store.write(verbs.admission.add_run, job, run_id(), now=NOON, once=self.KEY)
        again = await store.write(verbs.admission.add_run, job, run_id(), now=NOON, once=self.KEY)
        assert again == first
        assert len(await store.read(verbs.runs.list_runs, limit=10)) == 1
