"""How are the documents read? As Markdown tables, links and fences, and no more than that."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_CODE = re.compile(r"`([^`]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def documents() -> list[Path]:
    """Every document that people read."""
    return [
        *(ROOT / name for name in ("README.md", "AGENTS.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *sorted(DOCS.rglob("*.md")),
    ]


def rows(document: str, first_column: str) -> Iterator[list[str]]:
    """The cells of every row in the tables whose first column has that name."""
    inside = False
    for line in (DOCS / document).read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells[0] == first_column:
            inside = True
        elif inside and not set(cells[0]) <= set("- "):
            yield cells


def words(document: str, first_column: str) -> dict[str, list[str]]:
    """The code in the first cell of each such row, with the row."""
    return {code(row[0])[0]: row for row in rows(document, first_column)}


def code(cell: str) -> list[str]:
    """What stands between backticks."""
    return _CODE.findall(cell)


def fences(text: str, language: str) -> list[str]:
    """The fenced blocks in that language."""
    return [body for kind, body in _FENCE.findall(text) if kind == language]


def links(text: str) -> list[str]:
    """The targets of all links, but for those in fences."""
    return _LINK.findall(_FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """What a link to a heading may name."""
    titles = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
