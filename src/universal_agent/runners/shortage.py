"""Resource shortages of the gateway that prevent the start of a run; not the job's fault."""

import errno

#: No file descriptor left in this process or on this machine, no memory, no more processes.
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})

#: How many causes of an error are examined.
_MOST_CAUSES = 10


class ResourceShortage(Exception):
    """The gateway lacks a resource, so the run did not start; the start is retried."""


def raise_shortage(error: BaseException) -> None:
    """Raise ResourceShortage if `error`, or one of its causes, is a shortage.

    Only for errors of a start: during a run, EAGAIN of a child is the child's own failure.
    """
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None:
            return
        if isinstance(cause, OSError) and cause.errno in _SHORTAGES:
            raise ResourceShortage(cause.strerror or str(cause)) from error
        cause = cause.__cause__ or cause.__context__
