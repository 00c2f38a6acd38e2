"""What a process asks of the kernel: watched, or answered with an error, through strace."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How long strace may take to let go of the gateway.
_LETTING_GO_SECONDS = 10.0


def has_strace() -> bool:
    return shutil.which("strace") is not None


@contextmanager
def attached(pid: int, *options: str) -> Iterator[None]:
    """Hold strace to every thread that the process has now, and let go after the block.

    Its children are left alone: strace cannot let go of a process that is in the middle of a
    vfork. Raises OSError when there is no strace, or it may not look at the process.
    """
    if not has_strace():
        raise OSError("there is no strace on PATH. On Debian or Ubuntu: apt install strace")
    threads = _threads(pid)
    command = ["strace", *options, *(f"--attach={thread}" for thread in threads)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        try:
            for _ in threads:
                if "attached" not in (said := strace.stderr.readline()):
                    raise OSError(said)
            yield
        finally:
            strace.terminate()
            try:
                strace.wait(_LETTING_GO_SECONDS)
            except subprocess.TimeoutExpired:
                strace.kill()


def _threads(pid: int) -> list[str]:
    return sorted(entry.name for entry in Path(f"/proc/{pid}/task").iterdir())
