"""A gateway in a process of its own, and the `ua` that talks to it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

#: How long a process may take for what should take a moment.
PATIENCE_SECONDS = 60.0

_POLL_SECONDS = 0.02

#: What `ua serve` says once it can be reached, for people and with `--json`.
_BANNER = b"is ready"
_JSON_BANNER = b'"url"'


class GatewayProcess:
    """`ua serve` in a folder of its own, which is its working directory too.

    `start`, `stop`, `kill` and `restart` it as often as you like: the port and the data stay the
    same. `ua` runs any command in the same folder and environment.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / ".ua"
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        # What was missed waits, so that the tests decide it.
        ours = {"UA_GATEWAY_PORT": str(self.port), "UA_ON_MISS_DEFAULT": "ask"}
        self.environment = ours | environment
        #: Whose installation it is.
        self.python = sys.executable
        #: How it is started, when that is not as its `python` would.
        self.serve: Sequence[str] | None = None
        #: What all gateways started here have said, on both streams.
        self.log = folder / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the gateway that runs."""
        assert self._process is not None, "the gateway was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str) -> None:
        """Start it, wait until it is healthy and has said so."""
        logged = self.log.stat().st_size if self.log.exists() else 0
        self.launch(*options)
        self.wait_until_healthy()
        self.wait_for_output(_JSON_BANNER if "--json" in options else _BANNER, after=logged)

    def launch(self, *options: str) -> None:
        """Start it and do not wait."""
        assert not self.is_running, "the gateway runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*(self.serve or (self.python, "-m", "universal_agent", "serve")), *options],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait_until_healthy(self) -> None:
        """Return once health answers 200. Raises AssertionError, with the log, if it never does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and self.is_running:
            try:
                if httpx.get(f"{self.base_url}/api/v1/health", trust_env=False).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(_POLL_SECONDS)
        code = None if self._process is None else self._process.poll()
        raise AssertionError(f"no healthy gateway (exit code {code}):\n{self.log.read_text()}")

    def wait_for_output(self, text: bytes, *, after: int = 0) -> None:
        """Return once the log has the text. Raises AssertionError when it never does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.log.read_bytes()[after:]:
            assert self.is_running and time.monotonic() < deadline, self.log.read_text()
            time.sleep(_POLL_SECONDS)

    def wait(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None, "the gateway was not started"
        return self._process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Stop it as an operator would; its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die on the spot, as with a power cut."""
        self._end(signal.SIGKILL)

    def end_runs(self) -> None:
        """End the processes of runs, which go on without their gateway."""
        folder = f"{self.folder.resolve()}{os.sep}"
        for entry in Path("/proc").iterdir():
            with suppress(OSError):  # gone, or another user's
                if entry.name.isdecimal() and str((entry / "cwd").readlink()).startswith(folder):
                    os.kill(int(entry.name), signal.SIGKILL)

    def restart(self) -> None:
        """Stop it as an operator would, and start it again."""
        self.stop()
        self.start()

    def ua(
        self, *arguments: str, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; nothing is raised for its exit code."""
        return subprocess.run(
            [self.python, "-m", "universal_agent", *arguments],
            cwd=self.folder,
            env=self._environment(**environment),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    @contextmanager
    def going_on(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A command that goes on, with pipes for what it says; it is gone after the block."""
        with subprocess.Popen(
            [self.python, "-m", "universal_agent", *arguments],
            cwd=self.folder,
            env=self._environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, **self.environment, **more}

    def _end(self, number: int) -> int:
        process = self._process
        assert process is not None, "the gateway was not started"
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
