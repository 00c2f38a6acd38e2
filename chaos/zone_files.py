"""Time zone files of our own making, so that the rules of a zone may change."""

import os
import struct
import zoneinfo
from pathlib import Path

#: The zone that is made up, and rules for it: with summer time, without, and an hour further east.
TOWN = "Test/Town"
SUMMER_TIME = "CET-1CEST,M3.5.0,M10.5.0/3"
NO_SUMMER_TIME = "CET-1"
AN_HOUR_EAST = "EET-2"


def tzif(rule: str) -> bytes:
    """A TZif file (RFC 8536) that has nothing but a POSIX rule."""
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = struct.pack(">lbb", 3600, 0, 0) + b"CET\0"
    return header + block + header + block + b"\n" + rule.encode() + b"\n"


def write_rules(folder: Path, rule: str) -> None:
    """Put the rules for the town into a folder of zones."""
    file = folder / TOWN
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(tzif(rule))


def environment(folder: Path) -> dict[str, str]:
    """What a process needs to find the town before the zones of its host."""
    return {"PYTHONTZPATH": os.pathsep.join([str(folder), *zoneinfo.TZPATH])}
