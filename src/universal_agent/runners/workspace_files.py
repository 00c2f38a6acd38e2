"""Files in a session's workspace: those that configure its beats, and those that a beat changed.

An agent may write anything there, so links are not followed and reads do not block. A link, a pipe
or an endless file instead of a checklist is refused by name, and so is a link instead of the
workspace or of a folder in its path.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from universal_agent.errors import InvalidInput
from universal_agent.files import NotRegular, folder, open_below, open_regular, read_regular
from universal_agent.runners.output import one_line

#: The most files and folders of a workspace that are scanned for changes; a larger workspace is not
#: scanned.
_MOST_ENTRIES = 5_000

#: The most changed files that are listed.
_MOST_WRITES = 200

_WORK_PRODUCTS = "work_products"


@contextmanager
def open_workspace(root: Path, workspace: str | Path, *, create: bool = False) -> Iterator[int]:
    """A descriptor of a workspace under the workspaces folder `root`; no part may be a link.

    Raises OSError that names the part which is not a folder.
    """
    inside = (root / workspace).relative_to(root.parent)
    with folder(root.parent, inside, create=create) as descriptor:
        yield descriptor


def read_workspace_file(root: Path, workspace: str | Path, name: str, *, limit: int) -> str | None:
    """The text of a file in the top folder of a workspace; None if either does not exist.

    Raises InvalidInput unless it is a regular file of UTF-8 text of at most `limit` bytes, or if
    the workspace cannot be reached without following a link.
    """
    try:
        with open_workspace(root, workspace) as descriptor:
            data = read_regular(name, limit=limit + 1, dir_fd=descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotRegular as error:
        expected = "a file that can be read" if "link" in error.kind else "a regular file"
        raise InvalidInput(f"{name}: expected {expected}, got {error.kind}", field=name) from None
    except OSError as error:
        raise InvalidInput(
            f"{name}: expected a file that can be read, got: {error.filename} {error.strerror}",
            field=name,
        ) from None
    if len(data) > limit:
        raise InvalidInput(f"{name}: expected at most {limit} bytes, got more", field=name)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{name}: expected UTF-8, got something else at byte {error.start}", field=name
        ) from None


def write_workspace_file(root: Path, workspace: str | Path, name: str, text: str | None) -> None:
    """Replace a file in the top folder of a workspace atomically; None removes it.

    A link of that name is itself replaced, not followed. Raises InvalidInput if the workspace
    cannot be reached without following a link, or the file cannot be replaced.
    """
    try:
        with open_workspace(root, workspace, create=True) as descriptor:
            if text is None:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=descriptor)
            else:
                _replace(name, text.encode(), descriptor)
            os.fsync(descriptor)
    except OSError as error:
        raise InvalidInput(
            f"{name}: expected a file that can be written, got: {error.filename} {error.strerror}",
            field=name,
        ) from None


def _replace(name: str, data: bytes, descriptor: int) -> None:
    draft = f".{name}.{os.urandom(8).hex()}"
    opened = open_regular(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=descriptor)
    try:
        try:
            while data:
                data = data[os.write(opened, data) :]
            os.fsync(opened)
        finally:
            os.close(opened)
        os.replace(draft, name, src_dir_fd=descriptor, dst_dir_fd=descriptor)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=descriptor)
        raise


Snapshot = Mapping[str, tuple[int, int, int]]


def snapshot(root: Path, workspace: str | Path) -> Snapshot | None:
    """Inode, mtime and size of each file of a workspace; None if there are too many.

    Links and hidden folders are ignored. Reads many directories: call it in a thread.
    """
    found: dict[str, tuple[int, int, int]] = {}
    folders = [""]
    seen = 0
    with suppress(OSError), open_workspace(root, workspace) as top:
        while folders:
            prefix = folders.pop()
            for entry in _entries(top, prefix):
                seen += 1
                if seen > _MOST_ENTRIES:
                    return None
                path = prefix + entry.name
                with suppress(OSError):  # removed during the scan
                    if entry.is_dir(follow_symlinks=False):
                        if not entry.name.startswith("."):
                            folders.append(f"{path}/")
                    elif entry.is_file(follow_symlinks=False):
                        facts = entry.stat(follow_symlinks=False)
                        found[path] = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return found


def _entries(top: int, inside: str) -> Iterator["os.DirEntry[str]"]:
    """The entries of a folder of the workspace; empty if it was removed or is a link by now."""
    with suppress(OSError):
        descriptor = open_below(top, inside)
        try:
            with os.scandir(descriptor) as entries:
                yield from entries
        finally:
            os.close(descriptor)


def written(before: Snapshot | None, after: Snapshot | None) -> tuple[str, ...]:
    """The files that were created or changed between two snapshots, as plain text."""
    if before is None or after is None:
        return ()
    changed = sorted(path for path, facts in after.items() if before.get(path) != facts)
    return tuple(_shown(path) for path in changed[:_MOST_WRITES])


def _shown(path: str) -> str:
    """A file name, which may be any bytes, as plain text."""
    return one_line(os.fsencode(path).decode("utf-8", "replace"), 500)


def work_products(paths: Sequence[str]) -> tuple[str, ...]:
    """The paths in the folder for work products."""
    return tuple(path for path in paths if path.startswith(f"{_WORK_PRODUCTS}/"))
