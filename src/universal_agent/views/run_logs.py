"""Tails of run logs, continued at a cursor.

The functions read files: call them in a thread.
"""

import os
from pathlib import Path, PurePath
from typing import Any

from universal_agent.domain.run import Run
from universal_agent.errors import InvalidInput, Unavailable
from universal_agent.files import folder, open_regular
from universal_agent.runners.output import plain_text, run_log_path


def tail(
    top: Path,
    inside: PurePath,
    *,
    cursor: int | None,
    limit: int,
    max_bytes: int,
    file_id: str | None = None,
) -> dict[str, Any]:
    """Lines of the file `inside` a folder, from byte `cursor`; without one, the last `limit` lines.

    In the answer, `cursor` is the position to continue at, `partial` says that the last line is
    incomplete, `truncated` that lines before the first one were omitted, and `reset` that the file
    is shorter than the cursor or not the one of `file_id`, so that its last lines are returned.
    Raises OSError for anything but a regular file, or if the path contains a link.
    """
    path = top / inside
    try:
        with folder(top, inside.parent) as parent:
            descriptor = open_regular(inside.name, dir_fd=parent)
    except FileNotFoundError:
        return _answer(path, "", 0, 0, [], truncated=False, reset=bool(cursor))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        size, identity = facts.st_size, f"{facts.st_dev:x}-{facts.st_ino:x}"
        is_other = file_id is not None and file_id != identity
        reset = cursor is not None and (cursor > size or is_other)
        from_end = cursor is None or reset
        start = max(0, size - max_bytes) if cursor is None or reset else cursor
        file.seek(start)
        lines = [line for line in _keep_ends(file.read(max_bytes)) if line]
    truncated = False
    if from_end:
        if start > 0:
            # The first line is cut, and dropped unless it is the only one.
            if len(lines) > 1:
                start, lines = start + len(lines[0]), lines[1:]
            truncated = True
        omitted = lines[:-limit]
        start, lines, truncated = (
            start + sum(map(len, omitted)),
            lines[-limit:],
            truncated or bool(omitted),
        )
    else:
        lines = lines[:limit]
    end = start + sum(map(len, lines))
    return _answer(path, identity, end, size, lines, truncated=truncated, reset=reset)


def _keep_ends(data: bytes) -> list[bytes]:
    """Lines including the newline, the only line end."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + [rest]


def _answer(
    path: Path,
    file_id: str,
    cursor: int,
    size: int,
    lines: list[bytes],
    *,
    truncated: bool,
    reset: bool,
) -> dict[str, Any]:
    return {
        "file": path.name,
        "file_id": file_id,
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
        self,
        run: Run | None,
        *,
        cursor: int | None,
        limit: int,
        max_bytes: int,
        file_id: str | None = None,
    ) -> dict[str, Any]:
        """The tail of a run's log; no lines if there is no run or it printed nothing."""
        if run is None:
            return _answer(Path(), "", 0, 0, [], truncated=False, reset=bool(cursor))
        path = run_log_path(self._root, run.run_id, run.queued_at)
        try:
            return tail(
                self._root.parent,
                path.relative_to(self._root.parent),
                cursor=cursor,
                limit=limit,
                max_bytes=max_bytes,
                file_id=file_id,
            )
        except OSError as error:
            raise Unavailable(
                f"The log of run {run.run_id} cannot be read: {error.filename} {error.strerror}."
            ) from None

    def of_path(
        self,
        given: str,
        *,
        cursor: int | None,
        limit: int,
        max_bytes: int,
        file_id: str | None = None,
    ) -> dict[str, Any]:
        """The tail of a log file by its path in the data dir. Raises InvalidInput otherwise."""
        problem = InvalidInput(
            f"expected a .log file inside the data directory, got {given[:200]!r}", field="path"
        )
        top = self._data_dir.resolve()
        try:
            inside = (top / given).relative_to(top)
            with folder(top, inside.parent) as parent:
                os.close(open_regular(inside.name, dir_fd=parent))
            if inside.suffix == ".log":
                return tail(
                    top,
                    inside,
                    cursor=cursor,
                    limit=limit,
                    max_bytes=max_bytes,
                    file_id=file_id,
                )
        except (ValueError, OSError):
            raise problem from None
        raise problem
