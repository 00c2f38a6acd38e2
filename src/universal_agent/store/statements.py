"""The named SQL statements of `store/sql/*.sql`."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files


@cache
def queries(dialect: str) -> Mapping[str, str]:
    """The statements by name; `-- name [dialect] --` is a variant of `-- name --`."""
    found: dict[str, str] = {}
    variants: dict[str, str] = {}
    for file in sorted(files("universal_agent.store").joinpath("sql").iterdir(), key=str):
        for name, variant, body in _blocks(file.read_text(encoding="utf-8")):
            if not variant:
                found[name] = body
            elif variant == dialect:
                variants[name] = body
    return found | variants


def _blocks(text: str) -> Iterator[tuple[str, str, str]]:
    parts = re.split(r"^-- ([a-z_]+)(?: \[(\w+)\])? --$", text, flags=re.MULTILINE)
    for i in range(1, len(parts), 3):
        yield parts[i], parts[i + 1] or "", parts[i + 2].strip().rstrip(";")
