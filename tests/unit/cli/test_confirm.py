"""The question before a deletion."""

import io

import pytest
import typer

from universal_agent.cli.confirm import confirm
from universal_agent.cli.failure import CommandFailed, ExitCode


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("typed", ["n\n", "\n", "no\n"])
def test_on_a_terminal_all_but_yes_is_no(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    with pytest.raises(typer.Abort):
        confirm("Delete it?", yes=False)


def test_on_a_terminal_yes_is_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    confirm("Delete it?", yes=False)


def test_a_pipe_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO("y\n")
    monkeypatch.setattr("sys.stdin", pipe)
    with pytest.raises(CommandFailed, match=r"Delete it\?.* --yes") as refused:
        confirm("Delete it?", yes=False)
    assert refused.value.code is ExitCode.USAGE
    assert pipe.read() == "y\n"


def test_yes_in_advance_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    confirm("Delete it?", yes=True)
