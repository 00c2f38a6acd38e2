"""Other schedulers, given the same work on the same machine in the same run."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson


async def apscheduler3(part: str, directory: Path, **sizes: int) -> dict[str, Any]:
    """What APScheduler 3 makes of a part, in a process of its own.

    Raises RuntimeError when it fails.
    """
    arguments = [f"--{name}={size}" for name, size in sizes.items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.peers.apscheduler3", part, *arguments),
        f"--directory={directory}",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"APScheduler's part {part} ended with {process.returncode}")
    result: dict[str, Any] = orjson.loads(output.splitlines()[-1])
    return result
