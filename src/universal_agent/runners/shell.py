"""How is a shell line run? The runner `shell`: `/bin/sh -c`, in the job's workspace.

The command is one element of argv, never pasted into another text. The slot's facts come to it as
environment variables, which a shell does not expand again.
"""

from universal_agent.clock import Clock, SystemClock
from universal_agent.runners.base import RunRequest, RunResult, check_command
from universal_agent.runners.process import run_process
from universal_agent.settings import Settings, inherited


class ShellRunner:
    """Runs commands with `/bin/sh`; exit code 0 is success."""

    name = "shell"

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, kill_grace: float = 5.0
    ) -> None:
        self._environment = inherited(settings)
        self._clock = clock or SystemClock()
        self._kill_grace = kill_grace

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        return await run_process(
            ("/bin/sh", "-c", request.command),
            request=request,
            environment=self._environment,
            clock=self._clock,
            kill_grace=self._kill_grace,
        )

    async def close(self) -> None:
        """Nothing is held between runs."""
