import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.conftest import OpenAgain
from tests.store.making import (
    FIRST,
    MINUTE,
    NOON,
    a_job,
    admit,
    decide,
    events,
    finish,
    fresh,
    new_job,
    newest,
    run_id,
    running,
)
from universal_agent.store import verbs
from universal_agent.store.encoding import to_json
from universal_agent.store.store import Store, sqlite_store
from universal_agent.store.values import LogBounds, Once, ProjectionPage


async def seqs(store: Store, after_seq: int = 0) -> list[int]:
    return [event.seq for event in await events(store, after_seq)]


class TestOrder:
    async def test_the_log_begins_with_one_and_has_no_holes(self, store: Store) -> None:
        jobs = await asyncio.gather(*(a_job(store, f"job_{n}") for n in range(20)))
        await admit(store, *map(decide, jobs))
        assert await seqs(store) == list(range(1, 41))

    async def test_a_verb_that_fails_among_others_leaves_no_hole(self, store: Store) -> None:
        await a_job(store, "job_taken")
        made = await asyncio.gather(
            *(a_job(store, f"job_{n}" if n % 3 else "job_taken") for n in range(12)),
            return_exceptions=True,
        )
        assert sum(isinstance(one, Exception) for one in made) == 4
        assert await seqs(store) == list(range(1, 10))

    async def test_a_restart_goes_on_where_the_log_ended(
        self, store: Store, store_again: OpenAgain
    ) -> None:
        await a_job(store, "job_a")
        stream = (await store.read(verbs.event_log.log_bounds)).stream_id
        await store.close()
        again = store_again()
        await again.open()
        await a_job(again, "job_b")
        assert await seqs(again) == [1, 2]
        assert (await again.read(verbs.event_log.log_bounds)).stream_id == stream
        await again.close()


class TestReading:
    async def test_readers_get_the_first_events_after_theirs(self, store: Store) -> None:
        for n in range(5):
            await a_job(store, f"job_{n}")
        page = await store.read_events(after_seq=1, limit=2)
        assert [event.seq for event in page] == [2, 3]
        assert await store.read_events(after_seq=5, limit=2) == []
        assert await store.read_events(after_seq=99, limit=2) == []

    async def test_the_bounds_of_an_empty_log_are_none_yet(self, store: Store) -> None:
        bounds = await store.read(verbs.event_log.log_bounds)
        assert bounds == LogBounds(stream_id=bounds.stream_id, oldest_seq=1, newest_seq=0)
        assert bounds.stream_id

    async def test_the_bounds_are_the_first_and_the_last_event(self, store: Store) -> None:
        for n in range(3):
            await a_job(store, f"job_{n}")
        bounds = await store.read(verbs.event_log.log_bounds)
        assert (bounds.oldest_seq, bounds.newest_seq) == (1, 3)

    async def test_an_event_reads_the_same_from_memory_and_from_the_disk(
        self, store: Store, store_again: OpenAgain
    ) -> None:
        now = NOON + timedelta(microseconds=123_457)
        job = new_job(
            now=now, metadata={"ü": [1, 2.5, None, {"a": True}]}, retry_backoff=(1, 2), retries=1
        )
        await store.write(verbs.jobs.create_job, job, now=now)
        await finish(store, await running(store, await fresh(store)))
        from_memory = [to_json(event.envelope()) for event in await events(store)]
        await store.close()
        again = store_again()
        await again.open()
        assert [to_json(event.envelope()) for event in await events(again)] == from_memory
        await again.close()

    async def test_nobody_sees_an_event_before_every_earlier_one(self, store: Store) -> None:
        """Read while many write: each answer is a prefix of the log."""
        seen: list[int] = []

        async def follow() -> None:
            while len(seen) < 60:
                seen.extend(await seqs(store, seen[-1] if seen else 0))
                await asyncio.gather(asyncio.to_thread(int))

        follower = asyncio.create_task(follow())
        await asyncio.gather(*(a_job(store, f"job_{n}") for n in range(60)))
        await follower
        assert seen == list(range(1, 61))


class TestAppended:
    async def waiting(self, store: Store) -> asyncio.Task[int]:
        """Somebody who has read all there is, and waits for more."""
        watch = store.appended(after_seq=await newest(store))

        async def next_seq() -> int:
            return await anext(watch)

        task = asyncio.create_task(next_seq())
        await asyncio.gather(asyncio.to_thread(int))
        return task

    async def test_a_watcher_is_told_the_newest_seq_once_it_can_be_read(self, store: Store) -> None:
        told = await self.waiting(store)
        await a_job(store)
        assert await told == 1
        assert await seqs(store) == [1]

    async def test_what_came_before_it_began_to_wait_is_told_too(self, store: Store) -> None:
        watch = store.appended(after_seq=0)
        await a_job(store)
        assert await anext(watch) == 1

    async def test_a_watcher_that_was_away_is_told_the_latest_alone(self, store: Store) -> None:
        watch = store.appended(after_seq=0)
        await a_job(store, "job_a")
        assert await anext(watch) == 1
        for n in range(5):
            await a_job(store, f"job_{n}")
        assert await anext(watch) == 6

    async def test_every_watcher_is_told(self, store: Store) -> None:
        watchers = [await self.waiting(store) for _ in range(5)]
        await a_job(store)
        assert [await told for told in watchers] == [1] * 5

    async def test_a_verb_without_an_event_wakes_nobody(self, store: Store) -> None:
        job = await a_job(store)
        told = await self.waiting(store)
        await store.write(verbs.admission.postpone, job, due_at=FIRST + MINUTE)
        assert not told.done()
        await store.write(verbs.admission.add_run, job, run_id(), now=NOON)
        assert await told == 2

    async def test_a_verb_that_failed_wakes_nobody(self, store: Store) -> None:
        await a_job(store)
        told = await self.waiting(store)
        with pytest.raises(Exception, match="UNIQUE"):
            await a_job(store)
        assert not told.done()
        await a_job(store, "job_b")
        assert await told == 2

    async def test_the_watch_ends_as_the_store_closes(self, store: Store) -> None:
        told = await self.waiting(store)
        await store.close()
        with pytest.raises(StopAsyncIteration):
            await told

    async def test_a_watcher_that_is_cancelled_leaves_the_others_alone(self, store: Store) -> None:
        gone = await self.waiting(store)
        told = await self.waiting(store)
        gone.cancel()
        await a_job(store)
        assert await told == 1


class TestClosed:
    async def test_a_closed_store_says_so(self, store: Store) -> None:
        await store.close()
        with pytest.raises(Exception, match="closed"):
            await a_job(store)
        with pytest.raises(Exception, match="closed"):
            await store.read(verbs.jobs.count_jobs)

    async def test_closing_twice_is_harmless(self, store: Store) -> None:
        await store.close()
        await store.close()

    async def test_what_was_asked_for_before_the_close_is_kept(
        self, store: Store, store_again: OpenAgain
    ) -> None:
        writes = [asyncio.create_task(a_job(store, f"job_{n}")) for n in range(50)]
        await asyncio.gather(asyncio.to_thread(int))
        await store.close()
        made = {job.job_id for job in await asyncio.gather(*writes)}
        again = store_again()
        await again.open()
        page = await again.read(verbs.jobs.list_jobs, limit=99)
        await again.close()
        assert {job.job_id for job in page.jobs} == made
        assert len(made) == 50


async def test_every_acknowledged_write_is_there_after_a_restart(
    store: Store, store_again: OpenAgain
) -> None:
    once = Once(key="k", fingerprint="f")
    job = await store.write(verbs.jobs.create_job, new_job("job_a"), now=NOON, once=once)
    claimed = await running(store, job)
    await finish(store, claimed)
    extra = await store.write(verbs.admission.add_run, await fresh(store), run_id(), now=FIRST)
    log = await events(store)
    bounds = await store.read(verbs.event_log.log_bounds)
    job = await fresh(store)
    await store.close()

    again = store_again()
    await again.open()
    assert await fresh(again) == job
    assert await again.read(verbs.runs.get_run, extra.run_id) == extra
    assert await again.read(verbs.event_log.log_bounds) == bounds
    assert await newest(again) == len(log)
    assert (await again.read(verbs.runs.list_runs, limit=9))[-1].run_id == claimed.run.run_id
    await again.close()


class TestForgetting:
    async def test_the_oldest_events_go_and_the_others_keep_their_numbers(
        self, store: Store, store_again: OpenAgain
    ) -> None:
        for n in range(5):
            await a_job(store, f"job_{n}")
        await store.forget_events(until=2)
        assert await seqs(store) == [3, 4, 5]
        await store.close()
        again = store_again()
        await again.open()
        await a_job(again, "job_5")
        assert await seqs(again) == [3, 4, 5, 6]
        bounds = await again.read(verbs.event_log.log_bounds)
        assert (bounds.oldest_seq, bounds.newest_seq) == (3, 6)
        await again.close()

    async def test_the_newest_event_stays(self, store: Store, store_again: OpenAgain) -> None:
        for n in range(3):
            await a_job(store, f"job_{n}")
        await store.forget_events(until=99)
        assert await seqs(store) == [3]
        await store.close()
        again = store_again()
        await again.open()
        assert await seqs(again) == [3]
        await again.close()


class TestCopying:
    async def test_a_projection_that_is_copied_page_by_page_is_the_same(
        self, store: Store, tmp_path: Path
    ) -> None:
        jobs = [await a_job(store, f"job_{n}") for n in range(5)]
        await admit(store, *map(decide, jobs))
        await store.write(verbs.projection.project, await events(store))
        copy = sqlite_store(tmp_path / "copy.db", synchronous="OFF")
        await copy.open()
        page: ProjectionPage | None = None
        while page := await store.read(verbs.projection.read_projection, after=page, limit=2):
            assert len(page.rows) <= 2
            await copy.write(verbs.projection.write_projection, page)
        assert await copy.read(verbs.projection.projection_digest) == await store.read(
            verbs.projection.projection_digest
        )
        await copy.close()
