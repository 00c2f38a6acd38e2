"""A wall clock that can be set while the gateway runs, and its monotonic clock left alone."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos import shifted
from chaos.gateway import SERVE

_LIBRARIES = sorted(Path("/usr").glob("lib*/**/faketime/libfaketimeMT.so.1"))


class Shift:
    """What the gateway's clock is ahead by; `argv` and `environment` start one that follows.

    With `faked`, by libfaketime where that is installed, which slows everything down; else by
    replacing what reads the clock in the gateway.
    """

    def __init__(self, folder: Path, *, faked: bool = False) -> None:
        self._file = folder / "offset"
        self.faked = faked and bool(_LIBRARIES)
        self.set(0)

    def set(self, seconds: float) -> None:
        """Set the clock; a gateway that runs has seen it within a second."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+.3f}\n")
        new.replace(self._file)

    @property
    def argv(self) -> Sequence[str]:
        if self.faked:
            return SERVE
        return (sys.executable, "-P", shifted.__file__, str(self._file))

    @property
    def environment(self) -> Mapping[str, str]:
        if not self.faked:
            return {}
        return {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }
