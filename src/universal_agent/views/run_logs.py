"""What has a run printed, from where the reader left off?"""

import os
from pathlib import Path
from typing import Any

from universal_agent.domain.run import Run
from universal_agent.errors import InvalidInput
from universal_agent.runners.output import plain_text, run_log_path


def tail(path: Path, *, cursor: int | None, limit: int, max_bytes: int) -> dict[str, Any]:
    """Lines from byte `cursor` on; without a cursor, the last `limit` lines.

    `cursor` of the answer is where to go on, and `partial` says that the last line is not
    finished yet. `truncated`: lines before the first one were left out. `reset`: the file is
    shorter than the cursor, so it was read anew.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return _answer(path, 0, 0, [], truncated=False, reset=bool(cursor))
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        reset = cursor is not None and cursor > size
        from_end = cursor is None or reset
        start = max(0, size - max_bytes) if cursor is None or reset else cursor
        file.seek(start)
        lines = [line for line in _keep_ends(file.read(max_bytes)) if line]
    truncated = False
    if from_end:
        if start > 0:
            start, lines, truncated = start + len(lines[0]), lines[1:], True
        left_out = lines[:-limit]
        start, lines, truncated = (
            start + sum(map(len, left_out)),
            lines[-limit:],
            truncated or bool(left_out),
        )
    else:
        lines = lines[:limit]
    end = start + sum(map(len, lines))
    return _answer(path, end, size, lines, truncated=truncated, reset=reset)


def _keep_ends(data: bytes) -> list[bytes]:
    """Lines with their newline; only a newline ends one."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + [rest]


def _answer(
    path: Path, cursor: int, size: int, lines: list[bytes], *, truncated: bool, reset: bool
) -> dict[str, Any]:
    return {
        "file": path.name,
        "cursor": cursor,
        "size": size,
        "lines": [
            plain_text(line.removesuffix(b"\n").decode("utf-8", "replace")) for line in lines
        ],
        "partial": bool(lines) and not lines[-1].endswith(b"\n"),
        "truncated": truncated,
        "reset": reset,
    }


class RunLogs:
    """Tails the logs of runs, and nothing else."""

    def __init__(self, root: Path, data_dir: Path) -> None:
        self._root = root
        self._data_dir = data_dir

    def of_run(
        self, run: Run | None, *, cursor: int | None, limit: int, max_bytes: int
    ) -> dict[str, Any]:
        """The tail of a run's log; no lines while it has printed nothing, or there is no run."""
        if run is None:
            return _answer(Path(), 0, 0, [], truncated=False, reset=bool(cursor))
        path = run_log_path(self._root, run.run_id, run.queued_at)
        return tail(path, cursor=cursor, limit=limit, max_bytes=max_bytes)

    def of_path(
        self, given: str, *, cursor: int | None, limit: int, max_bytes: int
    ) -> dict[str, Any]:
        """The tail of a log file by its path in the data dir. Raises InvalidInput otherwise."""
        problem = InvalidInput(
            f"expected a .log file inside the data directory, got {given[:200]!r}", field="path"
        )
        if "\x00" in given:
            raise problem
        top = self._data_dir.resolve()
        try:
            path = (top / given).resolve()
            path.relative_to(top)
        except (ValueError, OSError, RuntimeError):
            raise problem from None
        if path.suffix != ".log" or not path.is_file():
            raise problem
        return tail(path, cursor=cursor, limit=limit, max_bytes=max_bytes)
