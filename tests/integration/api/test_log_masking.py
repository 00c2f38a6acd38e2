"""What is written to standard error has no secret in it, wherever the text comes from."""

import json
import subprocess
import sys

import pytest

SECRET = "a-secret-of-this-process"

#: Logs one thing in each way there is, in a process of its own.
_SCRIPT = """
import asyncio, logging, sys, threading
import structlog
from universal_agent.api.logs import configure_logging
from universal_agent.masking import SECRETS

SECRET = "a-secret-of-this-process"
SECRETS.hold([SECRET])
configure_logging("info")

def fails():
    token = SECRET
    raise ValueError(f"refused: {token}")

way = sys.argv[1]
if way == "field":
    structlog.get_logger().warning("said", text=SECRET)
elif way == "traceback":
    try:
        fails()
    except ValueError:
        structlog.get_logger().exception("failed")
elif way == "library":
    logging.getLogger("httpx").warning("GET https://%s@example/", SECRET)
elif way == "task":
    async def main():
        task = asyncio.create_task(asyncio.to_thread(fails))
        await asyncio.wait([task])
    asyncio.run(main())
elif way == "thread":
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
elif way == "uncaught":
    fails()
"""


@pytest.mark.parametrize("way", ["field", "traceback", "library", "task", "thread", "uncaught"])
def test_a_secret_is_masked_in_a_record(way: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT, way], capture_output=True, text=True, check=False
    )
    record = json.loads(ended.stderr)
    assert record["level"] in ("warning", "error", "critical")
    assert SECRET not in ended.stderr + ended.stdout
    assert "***" in ended.stderr
