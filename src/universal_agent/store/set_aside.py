"""Rows that cannot be read: they are skipped, logged once, and named until they can be read again.

Such a row holds a value that no release of the product wrote, or only a later one: broken JSON, an
unknown word, an impossible time.
"""

from collections.abc import Mapping
from datetime import timedelta
from threading import Lock

import structlog

_log = structlog.get_logger(__name__)

#: How long the engine leaves such a row alone before it tries the row again.
LEFT_ALONE = timedelta(minutes=1)

#: The most rows that are named.
_NAMED = 1000


class SetAside:
    """The rows that could not be read, by table and key, and why."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._lock = Lock()

    def __bool__(self) -> bool:
        return bool(self._reasons)

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why each of them could not be read."""
        with self._lock:
            return dict(self._reasons)

    def add(self, table: str, key: object, error: BaseException) -> None:
        """Name a row. It is logged when it was not named before."""
        name, reason = f"{table} {key}", f"{type(error).__name__}: {error}"[:300]
        with self._lock:
            if name in self._reasons or len(self._reasons) >= _NAMED:
                return
            self._reasons[name] = reason
        _log.error("row_unreadable", table=table, key=key, error=reason)

    def discard(self, table: str, key: object) -> None:
        """Drop the name of a row that can be read again."""
        with self._lock:
            self._reasons.pop(f"{table} {key}", None)
