"""The runner `heartbeat`, which runs the beats of sessions.

    HEARTBEAT.json -> the config of this beat
    quiet hours, no file, nothing to check -> skipped, without a prompt
    no agent -> the checks of HEARTBEAT.md are executed
    an agent -> gets the prompt, HEARTBEAT.md and the pending system events

A beat that finds a problem succeeds: its report is an alert. A beat fails when it cannot check: the
agent does not answer, or HEARTBEAT.md cannot be read. An invalid HEARTBEAT.json is reported, and
the last valid one stays in force.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from universal_agent.clock import Clock, SystemClock
from universal_agent.domain.beat import Artifacts, BeatReport
from universal_agent.domain.beat_words import checklist_verdict, news_of, prompt_for
from universal_agent.domain.checklist import CHECKLIST_BYTES, Checklist, read_checklist
from universal_agent.domain.heartbeat import (
    CHECKLIST_FILE,
    OVERRIDES_CHARS,
    OVERRIDES_FILE,
    HeartbeatConfig,
    in_force,
    overridden,
)
from universal_agent.domain.heartbeat_reply import Verdict, judge_reply
from universal_agent.domain.job import QUIET_HOURS
from universal_agent.domain.run import RunStatus, Trigger
from universal_agent.domain.system_event import SystemEvent
from universal_agent.errors import InvalidInput
from universal_agent.runners.agent import AgentRunner
from universal_agent.runners.base import RunRequest, RunResult, check_command
from universal_agent.runners.captured_output import CapturedOutput
from universal_agent.runners.checklist import run_checks
from universal_agent.runners.heartbeat_settings import config_from
from universal_agent.runners.output import one_line
from universal_agent.runners.time_limit import time_limit
from universal_agent.runners.workspace_files import (
    read_workspace_file,
    snapshot,
    work_products,
    written,
)
from universal_agent.settings import Settings, inherited
from universal_agent.threads import FILES

MOCK_REPLY = "HEARTBEAT_OK"

#: Triggers of beats that no person or event requested; these respect the active hours.
_AUTOMATIC = frozenset({Trigger.SCHEDULE, Trigger.RETRY, Trigger.CATCH_UP})

_NOTHING_TO_RUN = (
    f"{CHECKLIST_FILE} has no check that could be run, and no agent is configured: write items as "
    "- [ ] name: `command`, or set UA_AGENT_COMMAND or UA_AGENT_BASE_URL"
)

#: How much of an alert's first line names its subject.
_ABOUT_CHARS = 80


#: The reason of a beat that ran well and has something to say.
ALERT = "alert"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beat:
    """The input of a beat."""

    request: RunRequest
    config: HeartbeatConfig
    #: The content of HEARTBEAT.md; None when it does not exist.
    text: str | None
    checklist: Checklist
    #: System events since the last beat that ran.
    news: tuple[SystemEvent, ...]
    #: Why the present HEARTBEAT.json is not in force.
    problem: str | None

    @property
    def session_id(self) -> str:
        return self.request.job_id


class HeartbeatRunner:
    """Runs the beats of sessions; needs no model."""

    name = "heartbeat"

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, kill_grace: float = 5.0
    ) -> None:
        self._config = config_from(settings)
        self._environment = inherited(settings)
        self._mocked = settings.heartbeat_mock_response
        self._clock = clock or SystemClock()
        self._kill_grace = kill_grace
        self._agent: AgentRunner | None = None
        if settings.has_agent:
            self._agent = AgentRunner(settings, clock=self._clock, kill_grace=kill_grace)

    def check(self, command: str) -> None:
        check_command(command)

    async def run(self, request: RunRequest) -> RunResult:
        # A beat is more than its processes: it cannot go on without the gateway.
        request = replace(request, keepers=None)
        if self._mocked:
            return self._mock(request)
        try:
            beat = self._beat(request)
        except InvalidInput as error:
            return RunResult(status=RunStatus.ERROR, error=error.message)
        if reason := self._reason_to_skip(beat):
            return RunResult(status=RunStatus.SKIPPED, reason=reason)
        before = await FILES.run(snapshot, *request.workspace)
        if self._agent is not None:
            result = await self._ask(self._agent, beat)
        else:
            result = await self._check(beat)
        if result.report is None:
            return result
        after = await FILES.run(snapshot, *request.workspace)
        writes = written(before, after)
        artifacts = replace(
            result.report.artifacts, writes=writes, work_products=work_products(writes)
        )
        report = replace(result.report, artifacts=artifacts)
        return replace(result, report=report, reason=None if report.ok_only else ALERT)

    async def close(self) -> None:
        if self._agent is not None:
            await self._agent.close()

    def _mock(self, request: RunRequest) -> RunResult:
        request.output.show(MOCK_REPLY)
        verdict = Verdict(ok_only=True, text="", token=MOCK_REPLY)
        report = BeatReport.of(verdict, in_force(self._config, request.metadata), request.job_id)
        return RunResult(status=RunStatus.SUCCESS, exit_code=0, report=report)

    # -- preparation

    def _beat(self, request: RunRequest) -> _Beat:
        """Read the files of a beat. Raises InvalidInput when HEARTBEAT.md cannot be read."""
        config, problem = self._config_for(request)
        text = read_workspace_file(*request.workspace, CHECKLIST_FILE, limit=CHECKLIST_BYTES)
        return _Beat(
            request=request,
            config=config,
            text=text,
            checklist=read_checklist(text or ""),
            news=news_of(request.notes),
            problem=problem,
        )

    def _config_for(self, request: RunRequest) -> tuple[HeartbeatConfig, str | None]:
        """The config in force, and why the present HEARTBEAT.json is not part of it."""
        try:
            overrides = read_workspace_file(
                *request.workspace, OVERRIDES_FILE, limit=OVERRIDES_CHARS
            )
            if overrides is not None:
                overridden(self._config, overrides)
        except InvalidInput as error:
            return in_force(self._config, request.metadata), error.message
        return in_force(self._config, {**request.metadata, "overrides": overrides}), None

    def _reason_to_skip(self, beat: _Beat) -> str | None:
        config = beat.config
        if beat.request.trigger in _AUTOMATIC and not config.is_active(self._clock.now()):
            return QUIET_HOURS
        if beat.text is None and (config.require_file or (self._agent is None and not beat.news)):
            return "no_file"
        # Without a file, an agent gets the prompt alone; with an empty file, the beat is skipped.
        if beat.text is not None and beat.checklist.is_empty and not beat.news:
            return "empty_checklist"
        return None

    # -- execution

    async def _check(self, beat: _Beat) -> RunResult:
        checks = beat.checklist.checks
        if not checks and not beat.news:
            return RunResult(status=RunStatus.ERROR, error=_NOTHING_TO_RUN)
        failures = await run_checks(
            checks,
            beat.request,
            environment=self._environment,
            limit_seconds=beat.config.exec_timeout_seconds,
            clock=self._clock,
            kill_grace=self._kill_grace,
        )
        verdict = checklist_verdict(
            len(checks),
            failures,
            beat.news,
            agent_items=len(beat.checklist.agent_lines),
            ok_token=beat.config.ok_tokens[0],
        )
        beat.request.output.show(f"{verdict.token or ''} {verdict.text}".strip())
        about = [failure.check.name for failure in failures]
        about += [one_line(event.event_type, _ABOUT_CHARS) for event in beat.news]
        commands = Artifacts(bash_commands=tuple(check.command for check in checks))
        report = _report(beat, verdict, about=about, artifacts=commands)
        return RunResult(status=RunStatus.SUCCESS, exit_code=0, report=report)

    async def _ask(self, agent: AgentRunner, beat: _Beat) -> RunResult:
        prompt = prompt_for(beat.config, beat.text, beat.request.notes)
        captured = CapturedOutput(beat.request.output)
        limit = beat.config.exec_timeout_seconds
        try:
            async with time_limit(self._clock, limit):
                result = await agent.run(replace(beat.request, command=prompt, output=captured))
        except TimeoutError:
            error = f"no reply within {limit} s{captured.closing_words}"
            return RunResult(status=RunStatus.ERROR, error=error)
        if result.status is not RunStatus.SUCCESS:
            return result
        verdict = judge_reply(
            captured.text, ok_tokens=beat.config.ok_tokens, ack_max_chars=beat.config.ack_max_chars
        )
        if verdict is None:
            return replace(result, status=RunStatus.ERROR, error="the reply was empty")
        first_line = one_line(verdict.text.strip().partition("\n")[0], _ABOUT_CHARS)
        return replace(result, report=_report(beat, verdict, about=[first_line]))


def _report(
    beat: _Beat, verdict: Verdict, *, about: Sequence[str], artifacts: Artifacts | None = None
) -> BeatReport:
    """The report of a beat, including a problem with its HEARTBEAT.json."""
    if beat.problem is not None:
        problem = _of_file(beat.problem)
        text = f"{verdict.text}\n\n{problem}\nThe last good one stays in force.".strip()
        about = [OVERRIDES_FILE, *(() if verdict.ok_only else about)]
        verdict = Verdict(ok_only=False, text=text, token=None)
    return BeatReport.of(verdict, beat.config, beat.session_id, about=about, artifacts=artifacts)


def _of_file(message: str) -> str:
    """The message with the name of the file, which a message about a key lacks."""
    return message if message.startswith(OVERRIDES_FILE) else f"{OVERRIDES_FILE}: {message}"
