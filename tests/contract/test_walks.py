"""The walks of docs/architecture.md name files and functions that exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "universal_agent"

#: `engine/timer.py:Timer.wait`, or a file alone.
STEP = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)(?::([A-Za-z_.]+))?`")


def walks() -> list[tuple[str, str]]:
    """The files and functions of the two walks."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    sections = [part for part in page.split("\n## ") if part.startswith(("A slot,", "A job,"))]
    assert len(sections) == 2
    return [(found[1], found[2] or "") for part in sections for found in STEP.finditer(part)]


def names_in(path: Path) -> set[str]:
    """The functions and classes of a module, methods as `Class.method`."""
    found: set[str] = set()

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{node.name}.")

    visit(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


@pytest.mark.parametrize(("file", "name"), walks())
def test_each_step_of_a_walk_exists(file: str, name: str) -> None:
    path = PACKAGE / file
    assert path.is_file()
    assert not name or name in names_in(path)


def test_the_walks_go_through_every_layer() -> None:
    layers = {file.partition("/")[0] for file, _ in walks()}
    assert layers >= {"api", "engine", "domain", "store", "runners", "views"}
    assert sum(bool(name) for _, name in walks()) >= 30
