"""What all ways to run a child process share: sinks of its output, and its end in words."""

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunRequest, RunResult
from universal_agent.runners.output import RunOutput


class ByteSink(Protocol):
    """Receives the output of a child."""

    def write(self, data: bytes) -> None:
        """Process the next piece."""


def missing_program(program: str, environment: Mapping[str, str]) -> str | None:
    """Why a program named without a path cannot be found; None when it can, or has a path."""
    if "/" in program:
        return None
    path = environment.get("PATH", os.defpath)
    return None if shutil.which(program, path=path) else f"not on PATH ({path})"


def why_missing(program: str, request: RunRequest, environment: Mapping[str, str]) -> str | None:
    """Why a program could not be found where the run looked for it; None for another reason."""
    if "/" in program and not program.startswith("/"):
        where = request.workspace_dir
        if not (where / program).exists():
            return f"it is not in the workspace {where}, where the run looks for it"
    return missing_program(program, environment)


async def wait_uncancelled(task: asyncio.Future[Any]) -> None:
    """Wait for `task` even if cancelled again: a stop must complete."""
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(task)


class LivingSink:
    """Forwards output to a parser, which may hold it back: each piece is a sign of life."""

    def __init__(self, sink: ByteSink, output: RunOutput) -> None:
        self._sink = sink
        self._output = output

    def write(self, data: bytes) -> None:
        if data and self._output.life is not None:
            self._output.life.sign()
        self._sink.write(data)


def sinks_of(output: RunOutput, reply: ByteSink | None) -> tuple[ByteSink, ...]:
    """What a child's pipes go to: stdout and stderr together, or else stdout and then stderr."""
    if reply is None:
        return (output,)
    return LivingSink(reply, output), StderrSink(output)


class StderrSink:
    """Forwards stderr to the log only."""

    def __init__(self, output: RunOutput) -> None:
        self._output = output

    def write(self, data: bytes) -> None:
        self._output.write_stderr(data)


def result_of(code: int, request: RunRequest) -> RunResult:
    failing = None if request.fail_on is None else request.fail_on.exit_codes
    is_fine = code == 0 if failing is None else code >= 0 and code not in failing
    if is_fine:
        return RunResult(status=RunStatus.SUCCESS, exit_code=code)
    sentence = f"exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
    return RunResult(
        status=RunStatus.ERROR, error=sentence + request.output.closing_words, exit_code=code
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
