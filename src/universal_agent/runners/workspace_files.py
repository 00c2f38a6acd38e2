"""What is in a session's workspace: the files that steer its beats, and what a beat changed.

An agent may write there whatever it likes, so nothing is followed and nothing is waited for: a
link, a pipe or a file without end in the place of a checklist is refused by name.
"""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from universal_agent.errors import InvalidInput
from universal_agent.runners.output import one_line

#: How many files and folders are looked at to say what a beat changed; a workspace with more is
#: not searched.
_MOST_ENTRIES = 5_000

#: How many of the changed files are named.
_MOST_WRITES = 200

_WORK_PRODUCTS = "work_products"


def read_workspace_file(workspace: Path, name: str, *, limit: int) -> str | None:
    """The text of a file right in the workspace; None when there is none.

    Raises InvalidInput when it is no regular file of UTF-8 text of at most `limit` bytes.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(workspace / name, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InvalidInput(
            f"{name}: expected a file that can be read, got: {error.strerror}", field=name
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InvalidInput(f"{name}: expected a regular file", field=name)
        data = _read(descriptor, limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise InvalidInput(f"{name}: expected at most {limit} bytes, got more", field=name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name}: expected UTF-8, got something else at byte {error.start}", field=name
        ) from None


def _read(descriptor: int, limit: int) -> bytes:
    data = b""
    while len(data) < limit and (piece := os.read(descriptor, limit - len(data))):
        data += piece
    return data


Snapshot = Mapping[str, tuple[int, int, int]]


def snapshot(workspace: Path) -> Snapshot | None:
    """What tells a file that was changed from one that was not; None where there is too much.

    Links and hidden folders are passed over. Reads many directories: call it in a thread.
    """
    found: dict[str, tuple[int, int, int]] = {}
    folders = [""]
    seen = 0
    while folders:
        prefix = folders.pop()
        for entry in _entries(workspace / prefix):
            seen += 1
            if seen > _MOST_ENTRIES:
                return None
            path = prefix + entry.name
            with suppress(OSError):  # gone meanwhile
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(f"{path}/")
                elif entry.is_file(follow_symlinks=False):
                    facts = entry.stat(follow_symlinks=False)
                    found[path] = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return found


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries


def written(before: Snapshot | None, after: Snapshot | None) -> tuple[str, ...]:
    """The files that were made or changed between two snapshots, as plain text."""
    if before is None or after is None:
        return ()
    changed = sorted(path for path, facts in after.items() if before.get(path) != facts)
    return tuple(_shown(path) for path in changed[:_MOST_WRITES])


def _shown(path: str) -> str:
    """A name may be any bytes."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"), 500)


def work_products(paths: Sequence[str]) -> tuple[str, ...]:
    """Those of the paths that are products of work."""
    return tuple(path for path in paths if path.startswith(f"{_WORK_PRODUCTS}/"))
