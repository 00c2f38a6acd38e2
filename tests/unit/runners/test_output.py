"""What is kept and shown of a run's output."""

import os
import resource
import signal
import stat
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.run import PREVIEW_CHARS
from universal_agent.runners.output import RunOutput, one_line, plain_text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "2026-01-14" / "run.log"


def test_a_silent_run_leaves_no_file(path: Path) -> None:
    output = RunOutput(path)
    output.write(b"")
    output.close()
    assert not path.parent.exists()
    assert (output.preview, output.last_line) == ("", "")


def test_output_can_be_read_while_it_grows_and_only_by_its_owner(path: Path) -> None:
    output = RunOutput(path)
    output.write(b"one\n")
    assert path.read_bytes() == b"one\n"
    output.write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    output.close()


def test_a_path_may_be_worked_out_at_the_first_byte(path: Path) -> None:
    output = RunOutput(lambda: path)
    output.write(b"one")
    output.close()
    assert path.read_bytes() == b"one"


@given(
    pieces=st.lists(st.binary(max_size=40), max_size=12),
    cap=st.integers(1, 100),
    end=st.integers(0, 50),
)
def test_the_first_and_the_last_bytes_are_kept_and_those_between_counted(
    pieces: list[bytes], cap: int, end: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("run") / "run.log"
    output = RunOutput(path, kept_bytes=cap, end_bytes=end)
    for piece in pieces:
        output.write(piece)
    whole = b"".join(pieces)
    assert (path.read_bytes() if path.exists() else b"") == whole[:cap]
    assert output.total_bytes == len(whole)
    left_out = max(0, len(whole) - cap - end)
    assert output.dropped_bytes == left_out
    output.close()
    mark = b"\n[%d bytes were left out here]\n" % left_out if left_out else b""
    last = whole[cap + left_out :]
    assert (path.read_bytes() if path.exists() else b"") == whole[:cap] + mark + last


def test_the_last_error_of_a_long_output_is_in_its_log(path: Path) -> None:
    output = RunOutput(path, kept_bytes=3, end_bytes=5)
    output.write(b"abcdef" * 100)
    output.write(b"error")
    output.close()
    output.close()
    assert path.read_bytes() == b"abc\n[597 bytes were left out here]\nerror"


@given(text=st.text(alphabet="aß€😀", max_size=30), cuts=st.lists(st.integers(0, 120), max_size=8))
def test_a_listener_hears_characters_whole_however_the_bytes_are_cut(
    text: str, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    heard: list[str] = []
    output = RunOutput(tmp_path_factory.mktemp("run") / "run.log", listen=heard.append)
    data = text.encode()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(edges):
        output.write(data[start:end])
    output.close()
    assert "".join(heard) == text


def test_a_listener_hears_what_is_kept_and_no_more(path: Path) -> None:
    heard: list[str] = []
    output = RunOutput(path, kept_bytes=4, listen=heard.append)
    output.write("ab€".encode())
    output.write(b"cd")
    output.close()
    assert "".join(heard) == "ab\ufffd"


def test_a_full_disk_loses_output_and_not_the_run(path: Path) -> None:
    output = RunOutput(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        output.write(b"lost")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    output.write(b" too")
    output.close()
    assert output.failure == "File too large"
    assert (output.total_bytes, output.dropped_bytes, output.preview) == (8, 8, "lost too")


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    output = RunOutput(path)
    output.write(b"text")
    output.close()
    assert output.failure is not None
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("where", ["file", "day", "runs"])
def test_a_log_is_written_to_no_other_place_and_to_no_other_kind_of_file(
    path: Path, tmp_path: Path, kind: str, where: str
) -> None:
    path = tmp_path / "runs" / "2026-01-14" / "run.log"
    target = {"file": path, "day": path.parent, "runs": path.parents[1]}[where]
    target.parent.mkdir(parents=True, exist_ok=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    if kind == "link":
        target.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target.mkdir()
    output = RunOutput(path)
    output.write(b"text")
    output.close()
    assert (output.failure is None) == (kind == "folder" and where != "file")
    assert list(outside.iterdir()) == []


def test_the_preview_is_the_first_characters_as_plain_text(path: Path) -> None:
    output = RunOutput(path)
    output.write(b"\x1b[1;32mok\x1b[0m \x00" + "😀".encode() * 1000)
    output.close()
    assert output.preview.startswith("ok \ufffd😀")
    assert len(output.preview) <= PREVIEW_CHARS
    assert set(output.preview[4:]) <= {"😀", "\ufffd"}


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"one\ntwo\n", "two"),
        (b"one\ntwo\n\n \t\n", "two"),
        (b"10%\r50%\r100%", "100%"),
        (b"a\x1b]0;title\x07b\n", "ab"),
        (b"\n\n", ""),
        (b"x" * 5000, "x" * 199 + "…"),
        ("a\u2028b\u202ec".encode(), "b\ufffdc"),
    ],
)
def test_the_last_line_is_the_last_one_that_says_something(
    printed: bytes, line: str, path: Path
) -> None:
    output = RunOutput(path)
    for start in range(0, len(printed), 700):
        output.write(printed[start : start + 700])
    output.close()
    assert output.last_line == line


@given(text=st.text())
def test_plain_text_holds_nothing_that_moves_a_terminal_or_turns_the_text(text: str) -> None:
    plain = plain_text(text)
    assert not {c for c in plain if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"}
    assert not set(plain) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(text=st.text(), limit=st.integers(1, 50))
def test_one_line_is_one_line_of_a_bounded_length(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
