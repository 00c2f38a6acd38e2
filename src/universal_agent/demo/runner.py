"""Runners of the demo's past: runs end as the story says, in the story's time."""

from collections import Counter
from collections.abc import Mapping

from universal_agent.clock import Clock
from universal_agent.demo.story import Companion, Part
from universal_agent.domain.beat import BeatReport
from universal_agent.domain.heartbeat import HeartbeatConfig
from universal_agent.domain.heartbeat_reply import Verdict
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


class StoryBeats:
    """The beats of the demo's sessions: mostly quiet."""

    name = "heartbeat"

    def __init__(self, config: HeartbeatConfig, counts: Counter[str]) -> None:
        self._config = config
        self._counts = counts
        #: By the session's id.
        self.companions: dict[str, Companion] = {}

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        companion = self.companions[request.job_id]
        self._counts[request.job_id] += 1
        each = companion.alerts_each
        is_alert = bool(each) and self._counts[request.job_id] % each == 0
        text = companion.alert if is_alert else ""
        token = None if is_alert else self._config.ok_tokens[0]
        request.output.show(text or token or "")
        report = BeatReport.of(
            Verdict(ok_only=not is_alert, text=text, token=token),
            self._config,
            request.job_id,
            about=[text.partition(":")[0]] if is_alert else (),
        )
        return RunResult(status=RunStatus.SUCCESS, exit_code=0, report=report)

    async def close(self) -> None:
        """Nothing is held."""
