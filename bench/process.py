"""What does a process cost? Read from /proc, so that measuring it does not disturb it."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since it began, all its threads together."""

    cpu_seconds: float
    #: Times a thread went to sleep and was woken: each is one wake-up.
    voluntary_switches: int
    #: Bytes handed to the kernel by write calls, whatever became of them.
    written_bytes: int
    #: Bytes that were to go to a disk.
    disk_bytes: int

    def __sub__(self, before: "Usage") -> "Usage":
        return Usage(
            self.cpu_seconds - before.cpu_seconds,
            self.voluntary_switches - before.voluntary_switches,
            self.written_bytes - before.written_bytes,
            self.disk_bytes - before.disk_bytes,
        )


def usage(pid: int) -> Usage:
    """What the process has used so far."""
    home = Path(f"/proc/{pid}")
    # The name, in brackets, may hold spaces; utime and stime are the 12th and 13th field after it.
    times = (home / "stat").read_text().rpartition(")")[2].split()
    io = _numbers(home / "io")
    return Usage(
        cpu_seconds=(int(times[11]) + int(times[12])) / _TICKS_PER_SECOND,
        voluntary_switches=sum(
            _numbers(task / "status")["voluntary_ctxt_switches"]
            for task in (home / "task").iterdir()
        ),
        written_bytes=io["wchar"],
        disk_bytes=io["write_bytes"],
    )


def resident_bytes(pid: int) -> int:
    """How much memory the process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def open_sockets(pid: int) -> int:
    """How many of the process's descriptors are sockets."""
    count = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def _numbers(path: Path) -> dict[str, int]:
    pairs = (line.split(":", 1) for line in path.read_text().splitlines())
    return {name: int(value) for name, value in pairs if value.strip().isdigit()}
