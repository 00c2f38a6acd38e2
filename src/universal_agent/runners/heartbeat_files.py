"""Access to the two files that configure a session's beats: HEARTBEAT.md and HEARTBEAT.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from universal_agent.domain.checklist import CHECKLIST_BYTES
from universal_agent.domain.heartbeat import CHECKLIST_FILE, OVERRIDES_CHARS, OVERRIDES_FILE
from universal_agent.errors import Conflict, InvalidInput
from universal_agent.runners.workspace_files import read_workspace_file, write_workspace_file

#: The longest content of each file, in bytes.
LIMITS = {CHECKLIST_FILE: CHECKLIST_BYTES, OVERRIDES_FILE: OVERRIDES_CHARS}


@dataclass(frozen=True, slots=True)
class HeartbeatFiles:
    """The content of both files; None for a file that is missing or cannot be read."""

    checklist: str | None
    config: str | None
    #: Why a file cannot be read.
    problems: list[str] = field(default_factory=list)

    @property
    def version(self) -> str:
        """A digest that changes when one of the files changes."""
        seen = "\0".join((repr(self.checklist), repr(self.config), *self.problems))
        return sha256(seen.encode()).hexdigest()[:16]


def read_files(root: Path, workspace: str) -> HeartbeatFiles:
    """The two files of a workspace. Reads files: call it in a thread."""
    texts: dict[str, str | None] = {}
    problems = []
    for name, limit in LIMITS.items():
        try:
            texts[name] = read_workspace_file(root, workspace, name, limit=limit)
        except InvalidInput as error:
            texts[name] = None
            problems.append(error.message)
    return HeartbeatFiles(texts[CHECKLIST_FILE], texts[OVERRIDES_FILE], problems)


def replace_files(
    root: Path, workspace: str, texts: Mapping[str, str | None], *, version: str | None
) -> None:
    """Replace the named files; None removes one. Writes files: call it in a thread.

    Raises InvalidInput for a text that is too long or contains NUL, before anything is written, and
    Conflict when the files no longer have `version`.
    """
    for name, text in texts.items():
        part = "checklist" if name == CHECKLIST_FILE else "config"
        if text is not None and len(text.encode()) > LIMITS[name]:
            size = len(text.encode())
            raise InvalidInput(
                f"{name}: expected at most {LIMITS[name]} bytes, got {size}", field=part
            )
        if text is not None and "\0" in text:
            raise InvalidInput(f"{name}: expected text, got a NUL character", field=part)
    if version is not None and version != read_files(root, workspace).version:
        raise Conflict("The heartbeat files were changed since they were read.")
    for name, text in texts.items():
        write_workspace_file(root, workspace, name, text)
