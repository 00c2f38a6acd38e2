"""The thing that is measured: a real gateway in a process of its own, with a directory of its own.

Environment variables of the caller that begin with UA_ do not reach it.
"""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bench.client import Connection, request
from bench.options import Options
from bench.process import Usage, open_sockets, resident_bytes, usage

#: How often a gateway that starts is asked whether it is ready.
_POLL_SECONDS = 0.005

_PATIENCE_SECONDS = 120.0

_HEALTH = request("GET", "/api/v1/health")


class Gateway:
    """A gateway that has been started."""

    def __init__(self, data_dir: Path, options: Options, **environment: str) -> None:
        self.port = _free_port()
        self._log = (data_dir / "stderr.log").open("ab")
        self.began_at = time.time()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "universal_agent", "serve"],
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            env={
                **{name: text for name, text in os.environ.items() if not name.startswith("UA_")},
                "UA_DATA_DIR": str(data_dir),
                "UA_GATEWAY_PORT": str(self.port),
                "UA_LOG_LEVEL": options.log_level,
                "UA_CRON_MAX_CONCURRENCY": str(options.concurrency),
                "UA_CRON_MOCK_RESPONSE": "1",
                "UA_MAX_JOBS": "10000000",
                **environment,
            },
        )

    async def ready(self) -> float:
        """Wait for a healthy answer; the seconds from the start of the process until it came."""
        while time.time() < self.began_at + _PATIENCE_SECONDS:
            if self._process.poll() is not None:
                break
            try:
                connection = await self.connect()
            except OSError:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            answer = await connection.send(_HEALTH)
            connection.close()
            if answer.status == 200:
                return time.time() - self.began_at
        raise RuntimeError(f"the gateway did not start; see {self._log.name}")

    async def connect(self) -> Connection:
        return await Connection.open(self.port)

    def usage(self) -> Usage:
        return usage(self._process.pid)

    def resident_bytes(self) -> int:
        return resident_bytes(self._process.pid)

    def limit_descriptors(self, count: int) -> None:
        """Let it have so many open files at most, as where no one raised the limit."""
        resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, (count, count))

    def open_sockets(self) -> int:
        """How many sockets the process has open."""
        return open_sockets(self._process.pid)

    def stop(self) -> None:
        """Stop it as an operator would. Raises RuntimeError when it does not end well."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._log.close()
        if code:
            raise RuntimeError(f"the gateway ended with {code}; see {self._log.name}")


@asynccontextmanager
async def running(data_dir: Path, options: Options, **environment: str) -> AsyncIterator[Gateway]:
    """A gateway that answers, for as long as the block lasts."""
    gateway = Gateway(data_dir, options, **environment)
    try:
        await gateway.ready()
        yield gateway
    finally:
        gateway.stop()


@contextmanager
def fresh_directory(options: Options) -> Iterator[Path]:
    """An empty directory that is gone afterwards, unless something failed in it."""
    options.directory.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=options.directory))
    yield folder
    shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
