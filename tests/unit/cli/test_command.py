"""How functions become commands, and how commands end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command

from universal_agent import __version__
from universal_agent.cli.command import Provided, command
from universal_agent.cli.failure import EXIT_CODES, CommandFailed, ExitCode, RequestRefused
from universal_agent.cli.main import GROUPS, application, run


def call(app: typer.Typer, *arguments: str) -> object:
    """Run an application that has one command."""
    return get_command(app).main(list(arguments), prog_name="test", standalone_mode=False)


def leaves(node: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    node = node or get_command(application())
    if not hasattr(node, "commands"):
        yield path
        return
    for name, inner in node.commands.items():
        yield from leaves(inner, (*path, name))


def page(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The help page of a command."""
    assert run([*arguments, "--help"]) == 0
    return capsys.readouterr().out


def test_a_provided_parameter_takes_the_options_of_what_makes_it() -> None:
    seen = []

    def make(*, left: int = 1, right: int = 2) -> str:
        return f"{left}/{right}"

    app = typer.Typer()

    @command(app, "go")
    def go(
        pair: Annotated[str, Provided(make)],
        name: Annotated[str, typer.Argument(metavar="NAME")],
        loud: Annotated[bool, typer.Option("--loud")] = False,
    ) -> None:
        seen.append((pair, name, loud))

    call(app, "ada", "--right", "7", "--loud")
    assert seen == [("1/7", "ada", True)]


def test_what_is_provided_is_left_when_the_command_fails() -> None:
    events = []

    @contextmanager
    def opened() -> Iterator[None]:
        events.append("opened")
        try:
            yield
        finally:
            events.append("closed")

    def make() -> object:
        return opened()

    app = typer.Typer()

    @command(app, "go")
    def go(thing: Annotated[object, Provided(make)]) -> None:
        raise CommandFailed("no", ExitCode.NO)

    with pytest.raises(CommandFailed):
        call(app)
    assert events == ["opened", "closed"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.USAGE),
        (401, ExitCode.REFUSED),
        (403, ExitCode.REFUSED),
        (404, ExitCode.CONFLICT),
        (409, ExitCode.CONFLICT),
        (413, ExitCode.USAGE),
        (422, ExitCode.USAGE),
        (429, ExitCode.UNAVAILABLE),
        (500, ExitCode.UNAVAILABLE),
        (503, ExitCode.UNAVAILABLE),
    ],
)
def test_each_kind_of_refusal_has_its_exit_code(status: int, code: ExitCode) -> None:
    assert RequestRefused("no", status).code is code


def test_the_first_page_shows_every_command_and_every_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = page(capsys)
    for words in leaves():
        assert re.search(rf"^  {words[0]} ", text, re.MULTILINE), words
    assert list(EXIT_CODES) == list(ExitCode)
    for code, meaning in EXIT_CODES.items():
        assert f"  {code:d}  {meaning}\n" in text


@pytest.mark.parametrize("words", list(leaves()), ids=" ".join)
def test_every_command_says_what_it_does_and_takes_the_common_options(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(capsys, *words)
    assert text.lstrip().split("\n")[0].rstrip().endswith(".")
    assert f"  ua {' '.join(words)} [OPTIONS]" in text
    for option in ("--json", "--url URL", "--ops-token TOKEN", "--data-dir DIR"):
        assert option in text
    assert "VALUE" not in text, "an option without a metavar"


def test_pages_written_to_a_file_hold_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b" not in page(capsys) + page(capsys, "job", "add")


def test_each_group_of_commands_is_one_module() -> None:
    assert len({group.__name__ for group in GROUPS}) == len(GROUPS)
    assert all(isinstance(group.app, typer.Typer) for group in GROUPS)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"universal-agent {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["job"]])
def test_naming_no_command_shows_the_page_and_is_bad_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert "Usage\n" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serv"], "ua: No such command 'serv'. Did you mean 'serve'? See `ua --help`.\n"),
        (["job", "show"], "ua: Missing argument 'JOB'. See `ua job show --help`.\n"),
        (
            ["job", "add", "every 2s", "ls", "-l"],
            "ua: No such option: -l. See `ua job add --help`.\n",
        ),
    ],
)
def test_bad_usage_is_one_sentence_that_says_where_to_look(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == ExitCode.USAGE
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", sentence)
