"""What is known from outside the store: files that only this rig and the runs' children write.

Each record is on its way to the disk before anything is built on it, so that what was
acknowledged is known whatever becomes of the gateway. The checker reads these files and nothing
else; they can be kept, copied, tampered with and checked again.

| file | one line for each |
| --- | --- |
| writes.jsonl | request of the driver when it is first sent, and its answer |
| lines.log | thing that a run's child did: `phase event_id run_id attempt trigger time` |
| follower-*.jsonl | event that a follower was given, in the order it came |
| rounds.jsonl | life of the gateway: how it began, what was found, how it ended |
| runs.jsonl, ledgers.jsonl, stasis.jsonl | what the gateway itself says in the end |
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

Record = dict[str, Any]


class Evidence:
    """A folder of records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def lines(self) -> Path:
        """Where the children of runs write."""
        return self.folder / "lines.log"

    def append(self, name: str, *records: Record) -> None:
        """Put records at the end of a file."""
        data = b"".join(orjson.dumps(record) + b"\n" for record in records)
        with (self.folder / f"{name}.jsonl").open("ab") as file:
            file.write(data)

    def replace(self, name: str, records: list[Record]) -> None:
        """Let a file have these records only."""
        (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
        self.append(name, *records)

    def read(self, name: str) -> Iterator[Record]:
        """The records of a file; none when there is no such file."""
        path = self.folder / f"{name}.jsonl"
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    yield orjson.loads(line)

    def followers(self) -> list[str]:
        """The names of the followers' files."""
        return sorted(path.stem for path in self.folder.glob("follower-*.jsonl"))
