"""What tests of runners share: run requests whose output can be waited for, on both event loops."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import uvloop

from tests.integration.runners.local_server import LocalServer, local_server
from universal_agent.clock import Clock
from universal_agent.runners.agent import AgentRunner
from universal_agent.runners.base import RunRequest
from universal_agent.runners.family import Family
from universal_agent.runners.output import RunOutput
from universal_agent.settings import Settings

SCHEDULED_AT = datetime(2026, 1, 14, 9, tzinfo=UTC)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The gateway runs on uvloop where there is one, and on asyncio's loop elsewhere."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class HeardOutput(RunOutput):
    """A run's output that tells when something was printed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, listen=self._hear)
        self.path = path
        self.text = ""
        self.longest_piece = 0
        self._heard = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.longest_piece = max(self.longest_piece, len(data))
        super().write(data)

    def _hear(self, text: str) -> None:
        self.text += text
        self._heard.set()

    async def until(self, words: str, times: int = 1) -> None:
        """Return once `words` have been printed so many times."""
        while self.text.count(words) < times:
            self._heard.clear()
            await self._heard.wait()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


Asked = Callable[..., tuple[RunRequest, HeardOutput]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Makes the request for a run of a command, and the output to watch it by."""
    outputs: dict[str, HeardOutput] = {}

    def ask(command: str, **facts: Any) -> tuple[RunRequest, HeardOutput]:
        # Unlike any other's: the same test may run beside this one, on the other event loop,
        # and whoever has the id in its environment is ended with the test.
        run_id = uuid4().hex
        output = HeardOutput(tmp_path / "runs" / f"{run_id}.log")
        outputs[run_id] = output
        given: dict[str, Any] = {
            "run_id": run_id,
            "job_id": "job-1",
            "event_id": f"cron|job-1|{int(SCHEDULED_AT.timestamp())}",
            "workspace_dir": tmp_path / "workspace",
            "scheduled_at": SCHEDULED_AT,
        }
        return RunRequest(command=command, output=output, **{**given, **facts}), output

    yield ask
    for output in outputs.values():
        output.close()
    for pid in Family(outputs).living():  # of a test that failed
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def server() -> AsyncIterator[LocalServer]:
    async with local_server() as server:
        yield server


Agent = Callable[..., AgentRunner]


@pytest.fixture
async def agent(
    tmp_path: Path, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Agent]:
    """Makes the runner, by default with the local server as its endpoint."""
    for name in ("http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made: list[AgentRunner] = []

    def make(
        *, silence_seconds: float = 300.0, clock: Clock | None = None, **given: Any
    ) -> AgentRunner:
        if "agent_command" not in given:
            given.setdefault("agent_base_url", f"http://127.0.0.1:{server.port}/v1/")
        settings = Settings(data_dir=tmp_path, **given)
        runner = AgentRunner(settings, clock=clock, silence_seconds=silence_seconds)
        made.append(runner)
        return runner

    yield make
    for runner in made:
        await runner.close()
