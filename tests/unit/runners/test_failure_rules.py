"""A job's own rules about what its output means."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_agent.domain.fail_on import read_fail_on
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunResult
from universal_agent.runners.failure_rules import WatchedOutput
from universal_agent.runners.output import RunOutput

FINE = RunResult(status=RunStatus.SUCCESS, exit_code=0)
OTHER = RunResult(status=RunStatus.ERROR, error="exit code 1", exit_code=1)


def judged(folder: Path, rules: Any, *printed: bytes, stderr: bytes = b"") -> str | None:
    """The error that a success becomes; None when it stays one."""
    read = read_fail_on(rules)
    assert read is not None
    output = RunOutput(folder / "run.log")
    watched = WatchedOutput(output, read)
    for piece in printed:
        watched.write(piece)
    watched.write_stderr(stderr)
    result = watched.judge(FINE)
    assert watched.judge(OTHER) == OTHER
    output.close()
    assert (folder / "run.log").read_bytes() == b"".join(printed) + stderr
    assert result.exit_code == 0
    return result.error


@pytest.mark.parametrize(
    ("rules", "printed", "error"),
    [
        (
            {"output": "limit reached"},
            b"ok\nUsage LIMIT reached\x1b[0m, sorry\nbye\n",
            "fail_on.output 'limit reached' was printed: Usage LIMIT reached, sorry",
        ),
        ({"output": "limit reached"}, b"limit\nreached", None),
        (
            {"output": ["x", "last"]},
            b"the last line",
            "fail_on.output 'last' was printed: the last line",
        ),
        ({"missing": "done"}, b"half\n", "fail_on.missing 'done' was not printed; last line: half"),
        ({"missing": ["done", "sent"]}, b"sent\nall done\n", None),
        ({"missing": "done"}, b"x", "fail_on.missing 'done' was not printed; last line: x"),
        ({"json": {"ok": False}}, b'{"ok": false}', "fail_on.json ok is false"),
        ({"json": {"ok": False}}, b'{"ok": true}', None),
        ({"json": {"ok": False}}, b'{"ok": 0}', None),
        (
            {"json": {"error": "*"}},
            b'{\n "error": {"message": "no"}\n}',
            'fail_on.json error is {"message": "no"}',
        ),
        ({"json": {"error": "*"}}, b'{"error": null}', None),
        ({"json": {"a.0.b": ["x", "y"]}}, b'{"a": [{"b": "y"}]}', 'fail_on.json a.0.b is "y"'),
        (
            {"json": {"type": "failed"}},
            b'start\n{"type": "a"}\n{"type": "failed"}\n',
            'fail_on.json type is "failed"',
        ),
        (
            {"json": {"ok": False}},
            b"Please log in\n",
            "fail_on.json expects JSON in the output; last line: Please log in",
        ),
    ],
)
def test_a_success_that_breaks_a_rule_is_a_failure(
    tmp_path: Path, rules: Any, printed: bytes, error: str | None
) -> None:
    assert judged(tmp_path, rules, printed) == error


def test_what_goes_to_stderr_is_judged_apart(tmp_path: Path) -> None:
    rules = {"stderr": "warning: quota", "output": "quota"}
    error = "fail_on.stderr 'warning: quota' was printed: Warning: quota low"
    assert judged(tmp_path, rules, b"fine\n", stderr=b"Warning: quota low\n") == error
    assert judged(tmp_path / "b", {"output": "quota"}, b"fine\n", stderr=b"quota\n") is None


def test_a_reply_that_begins_again_is_judged_again(tmp_path: Path) -> None:
    read = read_fail_on({"output": "limit", "missing": "done"})
    assert read is not None
    output = RunOutput(tmp_path / "run.log")
    watched = WatchedOutput(output, read)
    watched.write(b"about the limit, done\n")
    watched.restart()
    watched.write(b"fine")
    error = watched.judge(FINE).error
    assert error == "fail_on.missing 'done' was not printed; last line: fine"
    output.close()


def test_an_answer_that_was_only_shown_breaks_no_rule(tmp_path: Path) -> None:
    read = read_fail_on({"missing": "done"})
    assert read is not None
    watched = WatchedOutput(RunOutput(tmp_path / "run.log"), read)
    watched.show("CRON_OK")
    assert watched.judge(FINE) == FINE


@given(cuts=st.lists(st.integers(1, 60), max_size=8))
def test_lines_may_be_cut_anywhere(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    whole = "erste Zeile\r\nGrüße, 5-hour limit reached 😀\nEnde".encode()
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    pieces = [whole[a:b] for a, b in itertools.pairwise(places)]
    error = judged(tmp_path_factory.mktemp("run"), {"output": "limit reached 😀"}, *pieces)
    assert error is not None
    assert error.endswith("was printed: Grüße, 5-hour limit reached 😀")
