"""A runner with prescribed results.

    runner = RecordingRunner(clock)
    runner.hold()                      # runs do not end until release()
    runner.answer(FAILURE, SUCCESS)    # results of the next two; SUCCESS after that

Nothing is executed. The requests are in `requests`, in the order of the starts.
"""

import asyncio
from collections import deque
from datetime import datetime

from universal_agent.clock import Clock
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunRequest, RunResult, check_command

SUCCESS = RunResult(status=RunStatus.SUCCESS, exit_code=0)
FAILURE = RunResult(status=RunStatus.ERROR, error="exit code 1", exit_code=1)


class RecordingRunner:
    """Records requests, and ends each run with a prescribed result."""

    def __init__(self, clock: Clock, *, name: str = "shell") -> None:
        self.name = name
        self._clock = clock
        #: Every run that was started.
        self.requests: list[RunRequest] = []
        #: Runs that have not ended, by id.
        self.running: dict[str, RunRequest] = {}
        #: Ids of runs that were stopped before their end.
        self.stopped: list[str] = []
        #: How long each run takes.
        self.seconds = 0.0
        #: What a run comes to when nothing was said about it: a result, or an error it raises.
        self.usual: RunResult | Exception = SUCCESS
        self._answers: deque[RunResult | Exception] = deque()
        self._open = asyncio.Event()
        self._open.set()

    @property
    def slots(self) -> list[datetime]:
        """The scheduled times of the runs that were started, in the order of the starts."""
        return [request.scheduled_at for request in self.requests]

    def answer(self, *answers: RunResult | Exception) -> None:
        """What the next runs come to, in the order of their starts."""
        self._answers.extend(answers)

    def hold(self) -> None:
        """Let no run end until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let runs end again, those that were held first."""
        self._open.set()

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        self.requests.append(request)
        self.running[request.run_id] = request
        answer = self._answers.popleft() if self._answers else self.usual
        try:
            if self.seconds:
                await self._clock.sleep(self.seconds)
            await self._open.wait()
        except asyncio.CancelledError:
            self.stopped.append(request.run_id)
            raise
        finally:
            del self.running[request.run_id]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is held."""
