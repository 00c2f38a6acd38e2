"""Files and folders, opened without following links and without waiting.

Programs of the same user can replace any file that the gateway reads or writes by a link, a pipe or
a device. Every such file is opened through this module.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY

_LINK = "a symbolic link"

#: What an open file is called under its number; a folder can be entered by this name.
_BY_NUMBER = Path("/proc/self/fd")


class NotRegular(OSError):
    """Something other than a regular file has this name."""

    def __init__(self, path: str | PurePath, kind: str) -> None:
        super().__init__(errno.EINVAL, f"is {kind}, expected a regular file", str(path))
        #: What it is: "a pipe".
        self.kind = kind


def open_regular(
    path: str | PurePath, flags: int = os.O_RDONLY, *, dir_fd: int | None = None, mode: int = 0o600
) -> int:
    """A descriptor of a regular file.

    Raises NotRegular for a link, pipe, device or folder, and OSError as `os.open` does. A pipe is
    never waited for.
    """
    try:
        descriptor = os.open(path, flags | _FLAGS, mode, dir_fd=dir_fd)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR, errno.ENODEV):
            raise NotRegular(path, _kind_of(path, dir_fd)) from None
        raise
    mode_found = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode_found):
        os.close(descriptor)
        raise NotRegular(path, _kind(mode_found))
    return descriptor


def read_regular(path: str | PurePath, *, limit: int, dir_fd: int | None = None) -> bytes:
    """The first `limit` bytes of a regular file. Raises as `open_regular`."""
    descriptor = open_regular(path, dir_fd=dir_fd)
    try:
        return read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)


def read_up_to(descriptor: int, limit: int) -> bytes:
    """What an open file still has, `limit` bytes at most."""
    data = b""
    while len(data) < limit and (piece := os.read(descriptor, limit - len(data))):
        data += piece
    return data


def open_folder(top: Path, inside: str | PurePath = "", *, create: bool = False) -> int:
    """A descriptor of the folder `inside` under `top`, opened one part at a time from the root.

    No part may be a link; with `create`, those missing under `top` are made. Raises OSError, with
    the part that is at fault as its `filename`.
    """
    descriptor = os.open("/", _FOLDER)
    try:
        at = Path("/")
        for part in top.absolute().parts[1:]:
            at /= part
            descriptor = _enter(descriptor, part, at, create=False)
        for part in PurePath(inside).parts:
            at /= part
            if part in ("/", ".."):
                raise OSError(errno.EINVAL, "leads out of its folder", str(at))
            descriptor = _enter(descriptor, part, at, create=create)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_below(descriptor: int, inside: str | PurePath) -> int:
    """A descriptor of a folder below an open one, which stays open. Raises as `open_folder`."""
    below = os.dup(descriptor)
    try:
        at = Path()
        for part in PurePath(inside).parts:
            at /= part
            below = _enter(below, part, at, create=False)
    except BaseException:
        os.close(below)
        raise
    return below


@contextmanager
def folder(top: Path, inside: str | PurePath = "", *, create: bool = False) -> Iterator[int]:
    """`open_folder` for the length of a block."""
    descriptor = open_folder(top, inside, create=create)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def path_of(descriptor: int, otherwise: Path) -> Path:
    """A path that names an open folder itself, wherever it is moved and whatever takes its place.

    Valid while the descriptor is open; `otherwise` where the system has no such paths.
    """
    return _BY_NUMBER / str(descriptor) if _BY_NUMBER.is_dir() else otherwise


def _enter(parent: int, name: str, at: Path, *, create: bool) -> int:
    """Open a folder of an open folder, which is closed once that has worked."""
    try:
        if create:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            kind = _kind_of(name, parent)
            number = errno.ELOOP if kind == _LINK else errno.ENOTDIR
            raise OSError(number, f"is {kind}, expected a folder", str(at)) from None
        raise OSError(error.errno, error.strerror, str(at)) from None
    os.close(parent)
    return descriptor


def _kind_of(path: str | PurePath, dir_fd: int | None) -> str:
    try:
        return _kind(os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_mode)
    except OSError:
        return "something else"


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return _LINK
    if stat.S_ISFIFO(mode):
        return "a pipe"
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "a device"
    return "a file"
