"""Time zone files of our own making, so that a test may change a zone's rules."""

import struct
import zoneinfo
from pathlib import Path

from universal_agent.domain.local_time import forget_zones

#: The zone that tests make up, and rules for it: with summer time, and without.
TOWN = "Test/Town"
SUMMER_TIME = "CET-1CEST,M3.5.0,M10.5.0/3"
NO_SUMMER_TIME = "CET-1"
AN_HOUR_EAST = "EET-2"


def tzif(rule: str) -> bytes:
    """A TZif file (RFC 8536) that has nothing but a POSIX rule."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = struct.pack(">lbb", 3600, 0, 0) + b"CET\0"
    return header + block + header + block + b"\n" + rule.encode() + b"\n"


def put_rules(folder: Path, rule: str, *, zone: str = TOWN) -> None:
    """Have this process's zone go by a rule, as though it was started with it."""
    file = folder / zone
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(tzif(rule))
    if str(folder) not in zoneinfo.TZPATH:
        zoneinfo.reset_tzpath([folder, *zoneinfo.TZPATH])
    forget_zones()
