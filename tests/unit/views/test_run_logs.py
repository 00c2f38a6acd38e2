"""The tail of a log shows something, however long its lines are."""

from pathlib import Path, PurePath

import pytest

from universal_agent.views.run_logs import tail

LOG = PurePath("run.log")


@pytest.mark.parametrize(
    ("content", "partial"), [(b"x" * 5000, True), (b"x" * 5000 + b"\n", False)]
)
def test_the_end_of_a_line_that_is_longer_than_what_is_read_is_shown(
    tmp_path: Path, content: bytes, partial: bool
) -> None:
    (tmp_path / LOG).write_bytes(content)
    answer = tail(tmp_path, LOG, cursor=None, limit=10, max_bytes=1000)
    (line,) = answer["lines"]
    assert len(line) == 1000 - content.count(b"\n")
    assert (answer["truncated"], answer["partial"]) == (True, partial)
    assert answer["cursor"] == len(content)
    again = tail(tmp_path, LOG, cursor=answer["cursor"], limit=10, max_bytes=1000)
    assert again["lines"] == []


def test_of_several_lines_the_first_is_left_out_when_it_is_cut(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b"x" * 5000 + b"\nlast\n")
    answer = tail(tmp_path, LOG, cursor=None, limit=10, max_bytes=1000)
    assert (answer["lines"], answer["truncated"]) == (["last"], True)


def test_a_log_that_was_replaced_is_read_as_another_one_however_long_it_is(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b"one\ntwo\n")
    first = tail(tmp_path, LOG, cursor=None, limit=10, max_bytes=1000)
    (tmp_path / LOG).rename(tmp_path / "run.log.1")
    (tmp_path / LOG).write_bytes(b"three\nfour\nfive\n")
    place = {"cursor": first["cursor"], "file_id": first["file_id"]}
    second = tail(tmp_path, LOG, **place, limit=10, max_bytes=1000)
    assert (second["reset"], second["lines"]) == (True, ["three", "four", "five"])
    assert second["file_id"] != first["file_id"]


def test_a_log_that_grows_is_continued_from_its_cursor(tmp_path: Path) -> None:
    (tmp_path / LOG).write_bytes(b"one\ntwo\n")
    first = tail(tmp_path, LOG, cursor=None, limit=10, max_bytes=1000)
    with (tmp_path / LOG).open("ab") as file:
        file.write(b"three\n")
    place = {"cursor": first["cursor"], "file_id": first["file_id"]}
    second = tail(tmp_path, LOG, **place, limit=10, max_bytes=1000)
    assert (second["reset"], second["lines"]) == (False, ["three"])
