"""The named SQL statements of `store/sql/*.sql`.

A file has blocks: `-- name --` begins a statement, `-- name [dialect] --` its variant for one
database. `-- {run_columns} --` begins a column list, which a statement of any file uses as
`{run_columns}`, or as `{r.run_columns}` with the columns of `r`. A condition that statements share
is written in the same way.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

_HEADING = re.compile(r"^-- (\{?[a-z_]+\}?)(?: \[(\w+)\])? --$", flags=re.MULTILINE)
_USE = re.compile(r"\{(?:([a-z])\.)?([a-z_]+)\}")


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """The statements by name, with their column lists written out."""
    blocks = list(_blocks())
    columns = {name.strip("{}"): body for name, _, body in blocks if name.startswith("{")}
    statements = [block for block in blocks if not block[0].startswith("{")]
    found = {name: body for name, variant, body in statements if not variant}
    found |= {name: body for name, variant, body in statements if variant == dialect}
    return {
        name: _USE.sub(lambda use: _written_out(columns[use[2]], use[1]), body)
        for name, body in found.items()
    }


def _written_out(columns: str, alias: str | None) -> str:
    """A column list, each of its columns as one of `alias`."""
    return columns if alias is None else re.sub(r"(\w+)", rf"{alias}.\1", columns)


def _blocks() -> Iterator[tuple[str, str, str]]:
    """(name, dialect, text) of every block."""
    for file in sorted(files("universal_agent.store").joinpath("sql").iterdir(), key=str):
        parts = _HEADING.split(file.read_text(encoding="utf-8"))
        for i in range(1, len(parts), 3):
            yield parts[i], parts[i + 1] or "", parts[i + 2].strip().rstrip(";")
