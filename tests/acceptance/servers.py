"""Real servers of Debian's packages, in processes of a test's own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.gateway import PATIENCE_SECONDS

CONFIGS = Path(__file__).parents[2] / "docs" / "how-to" / "configs"


def program(name: str, package: str) -> str:
    """The path of a program. Fails the test where it is missing."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.fail(
            f"{name} is not installed, so nothing is known about the gateway with it.\n"
            f"    On Debian or Ubuntu: apt install {package} (as root, ./ua test does that)",
            pytrace=False,
        )
    return found


def config(name: str, folder: Path, **changes: str) -> Path:
    """A configuration of the documents in `folder`, with some of its text replaced."""
    text = (CONFIGS / name).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


@contextmanager
def running(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """The server for as long as the block lasts; it begins when `url` answers anything."""
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                httpx.get(url, trust_env=False, verify=False)
                break
            except httpx.TransportError:
                said = log.read_text(errors="replace")
                assert process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
