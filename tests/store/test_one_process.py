"""One process on one database."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.databases import opened
from tests.store.making import a_job, events
from universal_agent.errors import DataDirLocked
from universal_agent.store import verbs

WRITES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from tests.store.making import NOON, new_job
from universal_agent.store import verbs
from universal_agent.store.store import sqlite_store

async def main():
    store = sqlite_store(Path(sys.argv[1]))
    await store.open()
    for n in range(1_000_000):
        job = await store.write(verbs.jobs.create_job, new_job(f"job_{n:06}"), now=NOON)
        print(job.job_id, flush=True)

asyncio.run(main())
"""


OPENS = """
import asyncio, sys
from pathlib import Path
from universal_agent.errors import StartupError
from universal_agent.store.store import sqlite_store

async def main():
    try:
        await sqlite_store(Path(sys.argv[1])).open()
    except StartupError as error:
        print(type(error).__name__, error.message)

asyncio.run(main())
"""


def python(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True
    )


class TestOneProcess:
    async def test_a_second_process_is_refused_and_told_who_has_it(self, path: Path) -> None:
        store = await opened(path)
        with python(OPENS, str(path)) as second:
            answer, _ = second.communicate(timeout=60)
        assert answer.startswith("DataDirLocked")
        assert f"pid {os.getpid()}" in answer
        assert str(path.parent) in answer
        await store.close()

    async def test_so_is_a_second_store_of_this_process(self, path: Path) -> None:
        store = await opened(path)
        with pytest.raises(DataDirLocked):
            await opened(path)
        await a_job(store)
        await store.close()
        again = await opened(path)
        await again.close()

    async def test_what_was_acknowledged_outlives_a_kill(self, path: Path) -> None:
        acknowledged: list[str] = []
        with python(WRITES_UNTIL_KILLED, str(path)) as writer:
            assert writer.stdout is not None
            while len(acknowledged) < 40:
                acknowledged.append(writer.stdout.readline().strip())
            writer.kill()
            acknowledged += writer.stdout.read().split()
        store = await opened(path)  # the lock went with the process
        page = await store.read(verbs.jobs.list_jobs, limit=100_000)
        kept = [job.job_id for job in page.jobs]
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) - len(acknowledged) <= 1
        assert [event.seq for event in await events(store)] == list(range(1, len(kept) + 1))
        await store.close()
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
