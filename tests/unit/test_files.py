"""Files and folders are opened without following links and without waiting."""

import os
import socket
import sys
from pathlib import Path

import pytest

from universal_agent.files import (
    NotRegular,
    folder,
    open_below,
    open_regular,
    path_of,
    read_regular,
)


def test_a_regular_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_regular(tmp_path / "file", limit=100) == b"0123456789"
    assert read_regular(tmp_path / "file", limit=4) == b"0123"


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT])
@pytest.mark.parametrize("kind", ["a pipe", "a symbolic link", "a folder", "a socket", "a device"])
def test_anything_else_is_refused_by_what_it_is(
    tmp_path: Path, kind: str, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    match kind:
        case "a pipe":
            os.mkfifo(path)
        case "a symbolic link":
            (tmp_path / "target").touch()
            path.symlink_to(tmp_path / "target")
        case "a folder":
            path.mkdir()
        case "a socket":
            monkeypatch.chdir(tmp_path)  # the path of a socket is short
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind("file")
        case _:
            path = Path("/dev/null")
    with pytest.raises(NotRegular) as caught:
        open_regular(path, flags)
    assert caught.value.kind == kind
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_just_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "file", limit=1)


def test_missing_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    with folder(tmp_path, "a/b", create=True) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), (tmp_path / "a" / "b").stat())
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("link", ["top", "top/a", "top/a/b"])
@pytest.mark.parametrize("create", [True, False])
def test_no_part_of_a_path_may_be_a_link(tmp_path: Path, link: str, create: bool) -> None:
    (tmp_path / "top" / "a" / "b").mkdir(parents=True)
    outside = tmp_path / "outside"
    (tmp_path / link).rename(outside)
    (tmp_path / link).symlink_to(outside)
    with (
        pytest.raises(OSError, match="is a symbolic link") as caught,
        folder(tmp_path / "top", "a/b", create=create),
    ):
        pass
    assert caught.value.filename == str(tmp_path / link)


@pytest.mark.parametrize("inside", ["../a", "a/../../a", "/etc"])
def test_no_part_may_lead_out(tmp_path: Path, inside: str) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError, match="leads out"), folder(tmp_path, inside):
        pass


def test_an_open_folder_keeps_its_name_when_another_takes_its_place(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    with folder(place) as descriptor:
        place.rename(tmp_path / "moved")
        place.mkdir()
        (path_of(descriptor, place) / "file").touch()
    assert (tmp_path / "moved" / "file").exists()


def test_below_an_open_folder_no_link_is_followed_either(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "out").symlink_to(tmp_path)
    with folder(tmp_path, "in") as top:
        os.close(open_below(top, "deep"))
        with pytest.raises(OSError, match="symbolic link"):
            open_below(top, "out/in")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    before = descriptors()
    for inside in ("a/b", "missing", ".."):
        with pytest.raises(OSError), folder(tmp_path, inside):
            pass
    with pytest.raises(NotRegular):
        read_regular("/dev/null", limit=1)
    assert descriptors() == before


def descriptors() -> int:
    """How many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else 0
