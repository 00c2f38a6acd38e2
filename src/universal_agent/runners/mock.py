"""Stand-ins for the runners, for soak tests and CI only.

With `UA_CRON_MOCK_RESPONSE=1` each runner answers `CRON_OK` immediately and successfully.
"""

from collections.abc import Iterable

from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import Runner, RunRequest, RunResult, check_command

MOCK_RESPONSE = "CRON_OK"


class MockRunner:
    """Answers `CRON_OK` without running anything, under the name of another runner."""

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        request.output.show(MOCK_RESPONSE)
        return RunResult(status=RunStatus.SUCCESS, exit_code=0)

    async def close(self) -> None:
        """Do nothing: no resource is held."""


def mocked(names: Iterable[str]) -> dict[str, Runner]:
    """A stand-in for each of the named runners."""
    return {name: MockRunner(name) for name in names}
