"""A workspace, or a folder on the way to it, that was swapped for a link is not followed."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.runners.conftest import Asked
from universal_agent.domain.run import RunStatus
from universal_agent.runners.heartbeat import HeartbeatRunner
from universal_agent.runners.shell import ShellRunner
from universal_agent.runners.workspace_files import snapshot
from universal_agent.settings import Settings

SWAPPED = pytest.mark.parametrize(
    "swapped", ["workspaces", "workspaces/team", "workspaces/team/ada"]
)


def swap(tmp_path: Path, swapped: str) -> Path:
    """Move a folder outside and put a link to it in its place; where the workspace is now."""
    place, outside = tmp_path / swapped, tmp_path / "outside"
    (tmp_path / "workspaces" / "team" / "ada").mkdir(parents=True)
    place.rename(outside)
    place.symlink_to(outside)
    return outside / Path("workspaces/team/ada").relative_to(swapped)


def facts(tmp_path: Path) -> dict[str, Any]:
    root = tmp_path / "workspaces"
    return {"workspaces_root": root, "workspace_dir": root / "team" / "ada"}


@SWAPPED
async def test_no_command_runs_outside(
    settings: Settings, asked: Asked, tmp_path: Path, swapped: str
) -> None:
    outside = swap(tmp_path, swapped)
    request, _ = asked("touch ran", **facts(tmp_path))
    result = await ShellRunner(settings).run(request)
    assert result.status is RunStatus.ERROR
    assert result.error is not None
    assert f"is a symbolic link, expected a folder: '{tmp_path / swapped}'" in result.error
    assert list(outside.iterdir()) == []


@SWAPPED
async def test_no_checklist_is_read_outside(
    settings: Settings, asked: Asked, tmp_path: Path, swapped: str
) -> None:
    outside = swap(tmp_path, swapped)
    (outside / "HEARTBEAT.md").write_text("- [ ] a: `touch ran`")
    request, _ = asked("HEARTBEAT.md", **facts(tmp_path))
    result = await HeartbeatRunner(settings).run(request)
    assert result.status is RunStatus.ERROR
    assert "is a symbolic link" in (result.error or "")
    assert snapshot(*request.workspace) == {}


async def test_a_command_stays_in_the_folder_that_it_was_started_in(
    settings: Settings, asked: Asked, tmp_path: Path
) -> None:
    request, output = asked("pwd; ls -d /proc/self/fd/3 2>/dev/null; echo done", **facts(tmp_path))
    (tmp_path / "workspaces").mkdir()
    result = await ShellRunner(settings).run(request)
    assert result.status is RunStatus.SUCCESS
    assert output.lines[0] == str(tmp_path / "workspaces" / "team" / "ada")


async def test_the_workspaces_folder_may_be_a_link_that_the_operator_named(
    asked: Asked, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    settings = Settings(data_dir=tmp_path, workspaces_dir=tmp_path / "link")
    root = settings.workspaces_root
    request, _ = asked("touch ran", workspaces_root=root, workspace_dir=root / "ada")
    assert (await ShellRunner(settings).run(request)).status is RunStatus.SUCCESS
    assert (tmp_path / "disk" / "ada" / "ran").exists()
