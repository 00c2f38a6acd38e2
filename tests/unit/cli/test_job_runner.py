"""Who runs a job whose runner nobody named, where prompts are the default."""

import sys

import pytest
import typer

from tests.unit.cli.gateways import invocation_with
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Invocation
from universal_agent.cli.jobs import runner_for


def gateway(agent: str = "program") -> Invocation:
    return invocation_with({"/api/v1/health": {"deployment_profile": {"agent": agent}}})


def test_a_line_for_a_shell_is_asked_about_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    for answer, runner in ((True, "shell"), (False, "agent")):
        monkeypatch.setattr(typer, "confirm", lambda *_, answer=answer, **__: answer)
        assert runner_for(gateway(), "date >> dates.txt") == runner
    assert "'date >> dates.txt' looks like a shell line" in capsys.readouterr().err


def test_without_a_terminal_it_is_refused_with_both_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(CommandFailed, match="say --runner shell or --runner agent") as refused:
        runner_for(gateway(), "date >> dates.txt")
    assert refused.value.code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("agent", "line"), [("none", "date >> dates.txt"), ("endpoint", "Look for unread mail.")]
)
def test_nobody_is_asked_where_there_is_one_reading(
    monkeypatch: pytest.MonkeyPatch, agent: str, line: str
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert runner_for(gateway(agent), line) is None


def test_an_older_or_ailing_gateway_is_asked_nothing_more() -> None:
    assert runner_for(invocation_with({}), "date >> dates.txt") is None
    assert runner_for(invocation_with({"/api/v1/health": {}}), "date >> dates.txt") is None
