"""What is written to standard error has no secret in it, wherever the text comes from."""

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress

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
def test_a_secret_is_masked_in_a_record_which_names_its_action(way: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT, way], capture_output=True, text=True, check=False
    )
    record = json.loads(ended.stderr)
    assert record["level"] in ("warning", "error", "critical")
    assert SECRET not in ended.stderr + ended.stdout
    by_library = way in ("library", "task")
    assert record["action"] == ("library" if by_library else record["event"])
    assert "***" in ended.stderr


#: Fails with a local variable that is no secret of the process, as in a terminal.
_IN_A_TERMINAL = """
import structlog
from universal_agent.api.logs import configure_logging

configure_logging("info")

def fails(number):
    local = "in-a-local-" + "variable"
    raise ValueError(f"failed with {len(local) + number}")

for number in range(3):
    try:
        fails(number)
    except ValueError:
        structlog.get_logger().exception("failed", number=number)
"""


def test_a_traceback_in_a_terminal_shows_no_local_variable() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", _IN_A_TERMINAL], stderr=theirs) as process:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the terminal's end, once nobody writes to it
            while piece := os.read(ours, 65536):
                said += piece
    os.close(ours)
    assert process.returncode == 0
    assert said.count(b"ValueError: failed with") == 3
    assert b"in-a-local-variable" not in said
