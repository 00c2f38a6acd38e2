"""What the gateway itself lacks when a run cannot be started: no fault of the job."""

import errno

#: No descriptor left in this process or on this machine, no memory, no further process.
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

#: Causes of an error that are looked at.
_MOST_CAUSES = 10


class ResourceShortage(Exception):
    """The gateway lacks a resource, so the run has not begun; it is tried again."""


def raise_shortage(error: BaseException) -> None:
    """Raise ResourceShortage when `error`, or what it was raised for, is a shortage.

    For errors of a start: while a run goes on, a child's EAGAIN is its own.
    """
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        if isinstance(cause, OSError) and cause.errno in _SHORTAGES:
            raise ResourceShortage(cause.strerror or str(cause)) from error
        cause = cause.__cause__ or cause.__context__
