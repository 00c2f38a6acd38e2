"""A note outside the data directory that there was a database in it.

A directory that was emptied, or whose disk is not mounted, looks like a new one from inside. The
note is kept in the user's state folder (XDG_STATE_HOME), one small file for each database. Where
that folder cannot be written to, there is no note and nothing is checked.
"""

import hashlib
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson
import structlog

from universal_agent.errors import DataMissing
from universal_agent.files import read_regular
from universal_agent.store.databases.acknowledged import advice

_log = structlog.get_logger(__name__)

_NOTE_BYTES = 8192

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class _Note:
    """What was known when the database was last open."""

    database: str
    stream_id: str
    #: The device and the number of the folder that the database was in.
    device: int
    inode: int
    boot_id: str
    #: Whether a gateway saw its database vanish.
    is_lost: bool = False


class SeenBefore:
    """The note on one database."""

    def __init__(self, database: Path, state_dir: Path | None) -> None:
        self._database = database.parent.resolve() / database.name
        self._file: Path | None = None
        if state_dir is not None:
            name = hashlib.sha256(bytes(self._database)).hexdigest()[:32]
            self._file = state_dir / "databases" / f"{name}.json"

    def require_new(self) -> None:
        """Check that an empty place for a database is a new one.

        Raises DataMissing when the database was here and was not removed on purpose: the folder is
        the same and emptied, lies on another device than before (a disk is not mounted), or a
        gateway saw its database vanish. A folder that was removed and made again while no
        gateway ran is started in, with a warning.
        """
        note = self._read()
        if note is None or (self._is_temporary and note.boot_id != _boot_id()):
            return
        there = None
        with suppress(OSError):
            there = self._database.parent.stat()
        if note.is_lost:
            why = "it was removed while a gateway ran"
        elif there is not None and (there.st_dev, there.st_ino) == (note.device, note.inode):
            why = "the folder was emptied"
        elif there is not None and there.st_dev != note.device:
            why = "the folder is on another device than before; is a disk not mounted?"
        else:
            _log.warning(
                "data_directory_is_new",
                database=str(self._database),
                reason="there was a database here before; its folder was removed since",
            )
            return
        raise DataMissing(
            f"{self._database} is not there, and a gateway used it before: {why}. "
            + advice(self._database)
        )

    def keep(self, stream_id: str) -> None:
        """Note that the database is open. Where that cannot be noted, nothing happens."""
        try:
            there = self._database.parent.stat()
            self._write(
                _Note(str(self._database), stream_id, there.st_dev, there.st_ino, _boot_id())
            )
        except OSError as error:
            _log.debug("not_noted", error=str(error))

    def keep_loss(self) -> None:
        """Note that the database vanished."""
        note = self._read()
        if note is not None:
            with suppress(OSError):
                self._write(replace(note, is_lost=True))

    def forget(self) -> None:
        """Remove the note."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    @property
    def _is_temporary(self) -> bool:
        """Whether the system may empty the place at a reboot."""
        return self._database.is_relative_to(Path(tempfile.gettempdir()).resolve())

    def _read(self) -> _Note | None:
        if self._file is None:
            return None
        try:
            return _Note(**orjson.loads(read_regular(self._file, limit=_NOTE_BYTES)))
        except (OSError, ValueError, TypeError):
            return None

    def _write(self, note: _Note) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_bytes(orjson.dumps(asdict(note)))
        new.replace(self._file)


def _boot_id() -> str:
    try:
        return read_regular(_BOOT_ID, limit=64).decode("ascii", "replace").strip()
    except OSError:
        return ""
