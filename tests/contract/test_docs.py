"""Do the documents agree with each other, and with what can be typed?"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.contract.document import (
    DOCS,
    ROOT,
    anchors,
    documents,
    fences,
    links,
    rows,
    words,
)
from universal_agent.cli.failure import EXIT_CODES
from universal_agent.cli.main import application
from universal_agent.domain.flags import FLAGS
from universal_agent.settings import Settings, variable_name

#: Commands of the `ua` script in a checkout, which are not the product's.
_SCRIPT = (
    "setup",
    "test",
    "check",
    "fmt",
    "relock",
    "bench",
    "chaos",
    "path",
    "web",
    "web-soak",
    "openapi",
    "recipes",
    "help",
)

#: What the glossary's words replace; wire names in code spans may have them.
_SYNONYMS = re.compile(r"\b(misfires?|occurrences?|backfills?|cronjobs?)\b", re.IGNORECASE)


def _commands() -> dict[str, Any]:
    """Every command by its full name."""

    def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield name, command
        else:
            for child, found in children.items():
                yield from walk(found, f"{name} {child}")

    return dict(walk(get_command(application()), "ua"))


def _options(command: Any) -> set[str]:
    return {
        spelling
        for parameter in command.params
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("-")
    }


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert set(words("cli.md", "command")) == set(_commands())


def test_every_exit_code_is_documented_as_it_is_on_the_help_page() -> None:
    documented = {int(row[0]): row[1] for row in rows("cli.md", "code")}
    assert documented == {int(code): text for code, text in EXIT_CODES.items()}


def test_the_options_of_every_command_exist() -> None:
    assert set(words("cli.md", "option")) <= _options(_commands()["ua next"])


@pytest.mark.parametrize("path", documents(), ids=_name)
def test_every_link_leads_to_something(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lost = []
    for link in links(text):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name) if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("path", documents(), ids=_name)
def test_commands_in_fences_exist_with_the_options_they_are_given(path: Path) -> None:
    wrong = []
    for script in fences(path.read_text(encoding="utf-8"), "sh"):
        for line in script.replace("\\\n", " ").splitlines():
            wrong += [line for arguments in _calls(line) if not _makes_sense(arguments)]
    assert wrong == []


def _calls(line: str) -> Iterator[list[str]]:
    """The arguments of each `ua` in a line of a script."""
    for part in re.split(r"\s(?:\||&&|;)\s|\$\(|\)", line.partition(" #")[0]):
        try:
            given = shlex.split(part, comments=True)
        except ValueError:
            given = part.split()
        while given and "=" in given[0]:
            given = given[1:]
        if given and given[0] in ("ua", "./ua"):
            yield given[1:]


def _makes_sense(arguments: list[str]) -> bool:
    if not arguments or arguments[0] in _SCRIPT or arguments[0].startswith("-"):
        return True
    commands = _commands()
    for length in (2, 1):
        command = commands.get(" ".join(["ua", *arguments[:length]]))
        if command is not None:
            given = {a.partition("=")[0] for a in arguments[length:] if a.startswith("-")}
            return given <= _options(command) | {"--help", "-h"}
    return False


@pytest.mark.parametrize("path", documents(), ids=_name)
def test_every_variable_that_a_document_names_is_a_setting(path: Path) -> None:
    runs_facts = {"UA_JOB_ID", "UA_RUN_ID", "UA_EVENT_ID", "UA_SCHEDULED_AT", "UA_ATTEMPT"}
    runs_facts |= {"UA_PREVIOUS_RUN_ID", "UA_STATE_DIR", "UA_DEADLINE", "UA_PROGRESS"}
    runs_facts |= {"UA_TRIGGER", "UA_LATE_SECONDS", "UA_APPROVED_BY", "UA_MODEL", "UA_OUTCOME_FILE"}
    # Lines of an outcome file.
    runs_facts |= {"UA_OUTCOME", "UA_RETRY_AFTER", "UA_RESOURCE"}
    said_to_tests = {"UA_KILLS"}
    known = {variable_name(field) for field in Settings.model_fields} | set(FLAGS)
    known |= runs_facts | said_to_tests
    known |= {"UA_HEARTBEAT_INTERVAL", "UA_HEARTBEAT_OK"}  # a second name; a word of a reply
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:NEXT_PUBLIC_)?UA_[A-Z_]+[A-Z]\b", text))
    assert named <= known


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=_name)
def test_one_word_for_each_thing(path: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert _SYNONYMS.findall(prose) == []


def test_the_index_leads_to_every_document() -> None:
    index = links((DOCS / "index.md").read_text(encoding="utf-8"))
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert there - {"index.md"} <= set(index)


@pytest.mark.parametrize("path", documents(), ids=_name)
def test_every_source_file_that_a_document_names_exists(path: Path) -> None:
    places = ("src", "tests", "web/src", "tools", "docs", "bench", "chaos")
    files = {f"/{_name(file)}" for place in places for file in (ROOT / place).rglob("*.*")}
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    named = re.findall(r"`([\w./-]+\.(?:py|sql|tsx?))(?:::(\w+))?`", text)
    lost = []
    for name, function in named:
        found = [file for file in files if file.endswith(f"/{name.removeprefix('./')}")]
        texts = [(ROOT / file[1:]).read_text("utf-8") for file in found]
        if not found or (function and not any(f"def {function}(" in one for one in texts)):
            lost.append(name)
    assert lost == []
