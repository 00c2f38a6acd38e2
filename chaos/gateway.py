"""A gateway as a process of its own: started, killed, and started again over the same data."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Self

#: How the gateway is started.
SERVE = (sys.executable, "-m", "universal_agent", "serve")

#: How long a start, or a stop that was asked for, may take on a busy machine.
PATIENCE = 60.0

_POLL = 0.01


class GatewayDied(Exception):
    """The process ended while it was waited for."""


class Gateway:
    """One process at a time over one data directory, always on the same port."""

    def __init__(
        self,
        data_dir: Path,
        *,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        argv: Sequence[str] = SERVE,
    ) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        self.log = log or data_dir.with_name(f"{data_dir.name}.log")
        self.started_at = 0.0
        self._argv = argv
        inherited = {name: v for name, v in os.environ.items() if not name.startswith("UA_")}
        self._environment = {
            **inherited,
            "UA_DATA_DIR": str(data_dir),
            "UA_GATEWAY_PORT": str(self.port),
            "UA_LOG_LEVEL": "warning",
            # The rig's approver decides what was missed.
            "UA_ON_MISS_DEFAULT": "ask",
            "XDG_STATE_HOME": str(data_dir.parent.absolute() / "state"),
            **(environment or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process's id. Raises GatewayDied when there is none."""
        if self._process is None:
            raise GatewayDied("it was never started")
        return self._process.pid

    def spawn(self, **environment: str) -> None:
        """Start the process and return at once; `environment` is for this process alone."""
        self.started_at = time.time()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                env={**self._environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, **environment: str) -> Self:
        """Start the process and return when its health is 200. Raises GatewayDied."""
        self.spawn(**environment)
        self.wait_until_healthy()
        return self

    def wait_until_healthy(self) -> None:
        """Return when health answers 200; raises GatewayDied, or TimeoutError."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.exit_code is not None:
                raise GatewayDied(f"exit code {self.exit_code}: {self.last_words()}")
            if self.is_healthy():
                return
            time.sleep(_POLL)
        raise TimeoutError(f"not healthy after {PATIENCE:.0f} s: {self.last_words()}")

    def is_healthy(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/api/v1/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    @property
    def exit_code(self) -> int | None:
        """How the process ended; None while it lives."""
        return None if self._process is None else self._process.poll()

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, once it has ended by itself. Raises TimeoutError."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"still alive after {seconds:.0f} s: {self.last_words()}") from None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; harmless when the process is gone."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()

    def close(self) -> None:
        """End the process, if there is one, in whatever state it is."""
        if self._process is not None and self.exit_code is None:
            self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
