"""How do runs go in the demo's past? As the story says, in the story's time."""

from collections import Counter
from collections.abc import Mapping

from universal_agent.clock import Clock
from universal_agent.demo.story import Part
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunRequest, RunResult, check_command

#: Longer than any limit.
_FOR_EVER = 7 * 86_400.0


class StoryRunner:
    """Executes nothing; prints, fails and takes as long as the job's part says."""

    name = "shell"

    def __init__(self, clock: Clock, parts: Mapping[str, Part], counts: Counter[str]) -> None:
        self._clock = clock
        self._parts = parts
        #: How often each part has run; goes on over a restart.
        self._counts = counts

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        part = self._parts[request.title or ""]
        self._counts[part.title] += 1
        count = self._counts[part.title]
        request.output.write(part.prints[count % len(part.prints)].encode())
        hangs = part.hangs_each and count % part.hangs_each == 0
        await self._clock.sleep(_FOR_EVER if hangs else part.seconds)
        if part.fails_each and count % part.fails_each == 0:
            return RunResult(status=RunStatus.ERROR, error=part.error, exit_code=1)
        return RunResult(status=RunStatus.SUCCESS, exit_code=0)

    async def close(self) -> None:
        """Nothing is held."""
