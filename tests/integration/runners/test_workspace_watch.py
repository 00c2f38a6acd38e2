"""A file that steers a session is told of when it has changed, and no other is."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from universal_agent.runners.workspace_watch import InotifyWatch, Unwatched

NAME = "HEARTBEAT.json"


@pytest.fixture
def watch() -> Iterator[InotifyWatch]:
    watch = InotifyWatch([NAME])
    yield watch
    watch.close()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    workspace = tmp_path / "a"
    workspace.mkdir()
    return workspace


async def test_a_file_is_told_when_it_is_written_replaced_and_removed(
    watch: InotifyWatch, workspace: Path
) -> None:
    watch.follow("s1", workspace)
    (workspace / NAME).write_text("{}", encoding="utf-8")
    assert await watch.changed() == {"s1"}
    (workspace / "new").write_text("{}", encoding="utf-8")
    (workspace / "new").rename(workspace / NAME)
    assert await watch.changed() == {"s1"}
    (workspace / NAME).unlink()
    assert await watch.changed() == {"s1"}


async def test_of_other_files_and_forgotten_sessions_nothing_is_told(
    watch: InotifyWatch, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "b").mkdir()
    for session_id, folder in (("s1", workspace), ("s2", tmp_path / "b")):
        watch.follow(session_id, folder)
    (workspace / "notes.md").write_text("x", encoding="utf-8")
    (workspace / "deeper").mkdir()
    (workspace / "deeper" / NAME).write_text("{}", encoding="utf-8")
    watch.forget("s1")
    (workspace / NAME).write_text("{}", encoding="utf-8")
    (tmp_path / "b" / NAME).write_text("{}", encoding="utf-8")
    assert await watch.changed() == {"s2"}


async def test_a_folder_that_is_made_anew_is_followed_again(
    watch: InotifyWatch, workspace: Path
) -> None:
    watch.follow("s1", workspace)
    await asyncio.to_thread(workspace.rmdir)
    watch.follow("s1", workspace)  # not there: no error
    await asyncio.to_thread(workspace.mkdir)
    watch.follow("s1", workspace)
    watch.follow("s1", workspace)
    (workspace / NAME).write_text("{}", encoding="utf-8")
    assert await watch.changed() == {"s1"}


async def test_a_link_in_the_place_of_a_workspace_is_not_followed(
    watch: InotifyWatch, tmp_path: Path, workspace: Path
) -> None:
    (tmp_path / "link").symlink_to(workspace)
    watch.follow("s1", tmp_path / "link")
    watch.follow("s2", workspace)
    (workspace / NAME).write_text("{}", encoding="utf-8")
    assert await watch.changed() == {"s2"}


async def test_where_nothing_is_told_nothing_ends(tmp_path: Path) -> None:
    watch = Unwatched()
    watch.follow("s1", tmp_path)
    waiting = asyncio.ensure_future(watch.changed())
    await asyncio.gather(asyncio.to_thread((tmp_path / NAME).touch))
    assert not waiting.done()
    waiting.cancel()
