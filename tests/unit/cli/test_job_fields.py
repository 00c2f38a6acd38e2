"""What the options of a job become."""

import pytest

from universal_agent.cli.failure import CommandFailed
from universal_agent.cli.job_fields import command_line, job_fields, seconds
from universal_agent.errors import InvalidInput


def test_nothing_given_is_nothing_sent() -> None:
    assert job_fields() == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("90", 90), ("90s", 90), ("1h30m", 5400), ("2 days", 172_800), ("none", None)],
)
def test_a_length_of_time_is_seconds_a_phrase_or_none(text: str, value: int | None) -> None:
    assert seconds(text, "--grace") == value


def test_a_length_of_time_that_is_not_understood_names_its_option() -> None:
    with pytest.raises(InvalidInput) as refused:
        job_fields(useful_for="for ever")
    assert refused.value.field == "--useful-for"


def test_session_and_priority_are_metadata() -> None:
    fields = job_fields(metadata='{"a": 1, "priority": "low"}', session="s1", priority="critical")
    assert fields == {"metadata": {"a": 1, "session_id": "s1", "priority": "critical"}}


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"text"'])
def test_metadata_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(CommandFailed, match="--metadata: expected"):
        job_fields(metadata=text)


@pytest.mark.parametrize(
    ("words", "runner", "line"),
    [
        (["date >> out; echo $HOME"], None, "date >> out; echo $HOME"),
        (["echo", "two words", "$HOME"], "shell", "echo 'two words' '$HOME'"),
        (["What's", "new?"], "agent", "What's new?"),
    ],
)
def test_one_word_is_the_command_itself_and_several_are_kept_apart(
    words: list[str], runner: str | None, line: str
) -> None:
    assert command_line(words, runner) == line
