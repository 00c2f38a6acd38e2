"""The rules of the house that no linter holds: sizes, names, and who may read time or speak SQL."""

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from universal_agent.store import verbs
from universal_agent.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "universal_agent"

LONGEST_FILE = 600
FEWEST_WORDS = 4

#: Words that say nothing about what a module is for.
EMPTY_WORDS = {"utils", "util", "common", "helper", "helpers", "manager", "service", "misc", "base"}
SEAMS = {PACKAGE / "runners" / "base.py"}

#: Other systems' words for a slot, a miss, and a late run of one. docs/glossary.md has ours.
SYNONYMS = re.compile("occurrence|misfire|backfill|trigger_time", re.IGNORECASE)
WIRE_NAMES = {"misfire_grace_seconds", "approve_backfill_run", "backfill_for_job_id"}

WALL_CLOCK = {
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "datetime.datetime.today",
    "datetime.date.today",
    "asyncio.sleep",
}
TIME_READERS = [PACKAGE / "clock.py", PACKAGE / "testing" / "clock.py", PACKAGE / "scripts"]

SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s"
    r"|(CREATE|ALTER|DROP)\s+(TABLE|INDEX|VIEW|TRIGGER)\s|PRAGMA\s|BEGIN\s+IMMEDIATE)",
    re.DOTALL,
)
DATABASES = {"sqlite3", "psycopg"}

#: In pieces, so that this file does not hold the names itself.
REGISTRIES = re.compile(
    "|".join(
        rf"\b{name}\.{end}\b"
        for name, end in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("registry\\.npmjs", "org"),
            ("registry\\.yarnpkg", "com"),
            ("npmmirror", "com"),
            ("jsr", "io"),
        ]
    )
)
NOT_OURS = {"node_modules", "dist", "web_dist", "out", "__pycache__"}


def files_under(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """The files that belong to the repository, without what tools leave in it."""
    found: list[Path] = []
    for folder in folders:
        for parent, inner, names in os.walk(ROOT / folder):
            inner[:] = [n for n in inner if n not in NOT_OURS and (n == ".ci" or n[0] != ".")]
            found += [Path(parent, name) for name in names if name.endswith(suffixes)]
    return sorted(found)


@cache
def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file; not to be changed."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def at(path: Path, node: ast.AST, what: str) -> str:
    """An offence as it is shown: `src/x.py:12 what`."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {what}"


def imports(tree: ast.Module) -> Iterator[tuple[ast.stmt, str, str]]:
    """Every imported thing: where, its full dotted name, and the name it goes by here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name, alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}", alias.asname or alias.name


def dotted(node: ast.expr, known: dict[str, str]) -> str:
    """`dt.now` as `datetime.datetime.now`, where `known` says what `dt` is; "" for other things."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, known)
        return owner and f"{owner}.{node.attr}"
    return ""


def wall_clock_uses(path: Path) -> Iterator[str]:
    """The places in a file that ask anything but a Clock for the time."""
    tree = syntax(path)
    known: dict[str, str] = {}
    for statement, name, local in imports(tree):
        known[local] = name
        if f"{name}.".startswith("time."):
            yield at(path, statement, f"import of {name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if (name := dotted(node, known)) in WALL_CLOCK:
                yield at(path, node, name)
            elif node.attr in {"call_later", "call_at"}:
                owner = ast.unparse(node.value)
                if not owner.endswith("clock"):
                    yield at(path, node, f"{owner}.{node.attr} is the event loop's own timer")


def docstrings(tree: ast.Module) -> set[ast.Constant]:
    """The strings that are there to be read."""
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def identifiers(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every name that this module gives to something or uses."""
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield node, name


def test_no_source_file_is_too_long_to_be_read_at_once() -> None:
    code = files_under("src", "tests", "bench", "chaos", "tools") + files_under(
        "web/src", suffixes=(".ts", ".tsx")
    )
    lengths = {
        path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines())
        for path in code
        if ".gen." not in path.name
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_only_the_clock_reads_time() -> None:
    offences = [
        offence
        for path in files_under("src")
        if not any(path.is_relative_to(reader) for reader in TIME_READERS)
        for offence in wall_clock_uses(path)
    ]
    assert offences == []


def test_only_the_store_imports_a_database() -> None:
    offences = [
        at(path, node, name)
        for path in files_under("src")
        if not path.is_relative_to(PACKAGE / "store")
        for node, name, _ in imports(syntax(path))
        if name.partition(".")[0] in DATABASES
    ]
    assert offences == []


def test_only_the_store_holds_sql_statements() -> None:
    offences = [
        at(path, node, node.value[:60])
        for path in files_under("src")
        if not path.is_relative_to(PACKAGE / "store")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if SQL.match(node.value) and node not in docstrings(syntax(path))
    ]
    assert offences == []


def test_the_store_has_no_method_for_a_verb() -> None:
    public = {name for name in vars(Store) if not name.startswith("_")}
    assert public == {
        *("open", "close", "set_aside", "last_error", "is_exclusive"),
        *("write", "read"),
        *("appended", "read_events", "forget_events"),
    }


def test_every_duty_of_the_store_is_reached_through_its_verbs() -> None:
    files = {path.stem for path in files_under("src/universal_agent/store/verbs")}
    assert set(verbs.__all__) == files - {"__init__"}


def test_module_names_say_what_is_inside() -> None:
    offences = [
        str(path.relative_to(ROOT))
        for path in files_under("src")
        if EMPTY_WORDS & set(path.stem.split("_")) and path not in SEAMS
    ]
    assert offences == []


def test_each_thing_goes_by_the_one_word_of_the_glossary() -> None:
    offences = [
        at(path, node, name)
        for path in files_under("src")
        for node, name in identifiers(syntax(path))
        if SYNONYMS.search(name) and name.lower() not in WIRE_NAMES
    ]
    assert offences == []


def test_only_the_demo_imports_the_test_kit() -> None:
    offences = [
        at(path, node, name)
        for path in files_under("src")
        if not path.is_relative_to(PACKAGE / "testing")
        and not path.is_relative_to(PACKAGE / "demo")
        for node, name, _ in imports(syntax(path))
        if f"{name}.".startswith("universal_agent.testing.")
    ]
    assert offences == []


def test_no_file_names_a_package_registry() -> None:
    text = (".py", ".toml", ".md", ".sh", ".json", ".ts", ".tsx", ".yml", ".yaml", ".npmrc", ".mjs")
    offences = [
        str(path.relative_to(ROOT))
        for path in [*files_under(".", suffixes=text), ROOT / "ua", ROOT / ".ci" / "run"]
        if REGISTRIES.search(path.read_text(encoding="utf-8"))
    ]
    assert offences == []


def test_every_test_is_named_by_a_sentence() -> None:
    offences = [
        at(path, node, node.name)
        for path in files_under("tests")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and len(node.name.split("_")) <= FEWEST_WORDS
    ]
    assert offences == []


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in files_under("tests")}
    assert [f for f in sorted(folders) if not (f / "__init__.py").exists()] == []


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("import time\n", "import of time"),
        ("from time import monotonic\n", "import of time.monotonic"),
        ("from datetime import datetime as dt\ndt.now()\n", "datetime.datetime.now"),
        ("import datetime\ndatetime.date.today()\n", "datetime.date.today"),
        ("import asyncio as aio\nawait aio.sleep(1)\n", "asyncio.sleep"),
        ("loop.call_later(1, print)\n", "loop.call_later is the event loop's own timer"),
    ],
)
def test_every_way_of_reading_time_is_recognised(
    source: str, offence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    assert [found.partition(" ")[2] for found in wall_clock_uses(path)] == [offence]


def test_a_log_call_names_its_event_once() -> None:
    offences = [
        at(path, node, ast.unparse(node.func))
        for path in files_under("src")
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log.")
        for keyword in node.keywords
        if keyword.arg == "action" and ast.unparse(keyword.value) == ast.unparse(node.args[0])
    ]
    assert offences == []
