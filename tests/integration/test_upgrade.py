"""A start on the database that the killed gateway of an earlier version left."""

import lzma
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.engine.gateway import Gateway
from universal_agent.domain.run import RunStatus
from universal_agent.store.databases.migrate import newest_schema
from universal_agent.testing import ManualClock

STORE = Path(__file__).parents[1] / "fixtures/stores/schema-11.sqlite3.xz"

#: Before its first job was made, and a moment after its last event.
BEGAN = datetime(2026, 12, 1, 4, 11, tzinfo=UTC)
KILLED = datetime(2026, 12, 1, 4, 11, 54, tzinfo=UTC)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "ua.db").write_bytes(lzma.decompress(STORE.read_bytes()))
    return folder


def schema_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
        return int(schema)


def runs_in(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT status, count(*) FROM runs GROUP BY status"))


@pytest.mark.parametrize("away", [timedelta(seconds=2), timedelta(hours=3)])
async def test_every_slot_of_an_earlier_version_has_one_outcome_after_the_upgrade(
    data_dir: Path, away: timedelta
) -> None:
    before = runs_in(data_dir / "ua.db")
    clock = ManualClock(KILLED + away)
    gateway = Gateway(data_dir, clock)
    gateway.began = BEGAN
    await gateway.start()
    try:
        statuses = await gateway.statuses()
        assert statuses.count(RunStatus.INTERRUPTED) == before["interrupted"] + before["running"]
        await clock.advance(120)
        ledger = await gateway.ledger()
        assert ledger.unaccounted == []
        assert not {RunStatus.QUEUED, RunStatus.RUNNING} & set(await gateway.statuses())
        attempts = [
            (run.source_ref, run.scheduled_at, run.attempt)
            for run in await gateway.runs()
            if run.has_slot
        ]
        assert len(attempts) == len(set(attempts)), "nothing ran twice"
        assert await gateway.runtime.projector.is_caught_up()
    finally:
        await gateway.stop()


async def test_the_database_of_an_earlier_version_is_kept_beside_the_upgraded_one(
    data_dir: Path,
) -> None:
    gateway = Gateway(data_dir, ManualClock(KILLED))
    await gateway.start()
    await gateway.stop()
    copy = data_dir / "ua.db.schema-11"
    assert (schema_of(copy), schema_of(data_dir / "ua.db")) == (11, newest_schema("sqlite"))
    assert runs_in(copy) == {
        "cancelled": 1,
        "error": 4,
        "interrupted": 1,
        "queued": 6,
        "running": 3,
        "success": 19,
        "timeout": 1,
    }
