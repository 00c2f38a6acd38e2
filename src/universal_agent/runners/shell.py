"""The runner `shell`: `/bin/sh -c`, in the job's workspace.

The command is one element of argv and is never interpolated. The slot is described in environment
variables, whose values a shell does not expand again.
"""

import shlex
from dataclasses import replace

from universal_agent.clock import Clock, SystemClock
from universal_agent.runners.base import RunRequest, RunResult, check_command
from universal_agent.runners.outcome_file import make_folder_of, with_outcome
from universal_agent.runners.output import one_line
from universal_agent.runners.process import run_process
from universal_agent.settings import Settings, inherited

#: Exit codes of a shell for a program that cannot be run.
_NOT_FOUND = (126, 127)


def _missing_program(request: RunRequest) -> str | None:
    """An error for a program path relative to the workspace that does not exist; else None."""
    try:
        program = shlex.split(request.command)[0]
    except (ValueError, IndexError):
        return None
    if "/" not in program or program.startswith("/") or (request.workspace_dir / program).exists():
        return None
    where = request.workspace_dir
    return f"{one_line(program)} is not in the workspace {where}, where the command runs"


class ShellRunner:
    """Runs commands with `/bin/sh`; exit code 0 is success."""

    name = "shell"
    adopts = True

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, kill_grace: float = 5.0
    ) -> None:
        self._environment = inherited(settings)
        self._clock = clock or SystemClock()
        self._kill_grace = kill_grace

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        make_folder_of(request.outcome_file)
        result = await run_process(
            ("/bin/sh", "-c", request.command),
            request=request,
            environment=self._environment,
            clock=self._clock,
            kill_grace=self._kill_grace,
        )
        result = with_outcome(result, request.outcome_file, now=self._clock.now())
        if result.exit_code in _NOT_FOUND and (missing := _missing_program(request)):
            return replace(result, error=f"{missing}; {result.error}")
        return result

    async def close(self) -> None:
        """Do nothing: no resource is held between runs."""
