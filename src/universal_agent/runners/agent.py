"""The runner `agent`: a program or an endpoint that answers prompts.

UA_AGENT_COMMAND is the argv of a program: `{prompt}` and `{model}` are replaced in its elements,
and no shell interprets it. UA_AGENT_BASE_URL is an OpenAI-compatible endpoint (chat.py). If both
are set, the program is used.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path, PurePath

from universal_agent.clock import Clock, SystemClock
from universal_agent.domain.resources import origin_of
from universal_agent.domain.run import RunStatus
from universal_agent.domain.wording import describe_duration
from universal_agent.errors import InvalidInput
from universal_agent.runners.agent_programs import ProgramReply, recognized, reply_of
from universal_agent.runners.base import RunRequest, RunResult, check_command
from universal_agent.runners.chat import ChatEndpoint
from universal_agent.runners.outcome_file import make_folder_of, with_outcome
from universal_agent.runners.output import one_line
from universal_agent.runners.process import run_process
from universal_agent.runners.process_ends import missing_program
from universal_agent.runners.program_limits import classify_message
from universal_agent.settings import Settings, inherited

_NOT_CONFIGURED = (
    "no agent is configured: set UA_AGENT_COMMAND to a program, such as "
    '"claude -p -- {prompt}", or UA_AGENT_BASE_URL to an OpenAI-compatible endpoint'
)
#: Programs that start another one: their options that take a value, and their own operands.
_LAUNCHERS: Mapping[str, tuple[frozenset[str], int]] = {
    "env": (frozenset({"-u", "--unset", "-C", "--chdir"}), 0),
    "nice": (frozenset({"-n", "--adjustment"}), 0),
    "nohup": (frozenset(), 0),
    "setsid": (frozenset(), 0),
    "stdbuf": (frozenset({"-i", "-o", "-e"}), 0),
    "timeout": (frozenset({"-s", "--signal", "-k", "--kill-after"}), 1),
}
_PLACEHOLDER = re.compile(r"\{(prompt|model)\}")


def late_line(request: RunRequest) -> str:
    """The line before the prompt of a run that is late on purpose; empty for a run on time."""
    if request.late_seconds is None:
        return ""
    late = describe_duration(timedelta(seconds=max(0, request.late_seconds)))
    by = f", approved by {one_line(request.approved_by)}" if request.approved_by else ""
    return (
        f"[This run was scheduled for {request.scheduled_at:%Y-%m-%d %H:%M:%S} UTC and starts "
        f"{late} late{by}.]\n"
    )


class AgentState(StrEnum):
    """The kind of agent that is configured, for health and `ua doctor`."""

    NONE = "none"
    ENDPOINT = "endpoint"
    PROGRAM = "program"
    #: A program is configured but cannot be found.
    MISSING = "missing"


def agent_state(settings: Settings) -> tuple[AgentState, str | None]:
    """The kind of agent, and what is wrong with it; None when no problem is known."""
    if not settings.agent_command:
        return (AgentState.ENDPOINT if settings.agent_base_url else AgentState.NONE), None
    note = None
    for program, environment in _programs(shlex.split(settings.agent_command), inherited(settings)):
        if problem := missing_program(program, environment):
            return AgentState.MISSING, f"{program} is {problem}"
        if program.startswith("/"):
            if not Path(program).is_file():
                return AgentState.MISSING, f"{program} does not exist"
            if not os.access(program, os.X_OK):
                return AgentState.MISSING, f"{program} is not executable"
        elif "/" in program:
            note = f"{program} is looked for in the workspace of each run"
    return AgentState.PROGRAM, note


def agent_resources(settings: Settings) -> tuple[str, ...]:
    """What the configured agent uses: its program, or the origin of its endpoint."""
    if not settings.agent_command:
        return origin_of(settings.agent_base_url)
    argv = shlex.split(settings.agent_command)
    known = recognized(argv)
    return (known,) if known is not None else tuple(argv[:1])


def _programs(
    argv: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The program of an argv and, behind launchers such as env, those that it starts in turn.

    Each with the environment that it is looked for in. Ends at an option that is not known.
    """
    words = iter(argv)
    while (program := next(words, None)) is not None:
        if _PLACEHOLDER.search(program):
            return
        yield program, environment
        name = PurePath(program).name
        if name not in _LAUNCHERS:
            return
        valued, operands = _LAUNCHERS[name]
        for word in words:
            if word in valued:
                next(words, None)
            elif word == "--":
                continue
            elif name == "env" and (word in ("-", "-i") or "=" in word):
                variable, is_set, value = word.partition("=")
                environment = {**environment, variable: value} if is_set else {}
            elif word.startswith("-"):
                return
            elif operands:
                operands -= 1
            else:
                words = chain([word], words)
                break


class AgentRunner:
    """Sends prompts to the agent; a complete reply is success."""

    name = "agent"
    #: Programs only: an adopted run has one, whatever is configured now.
    adopts = True

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        kill_grace: float = 5.0,
        connect_seconds: float = 10.0,
        silence_seconds: float = 300.0,
    ) -> None:
        self._environment = inherited(settings)
        self._clock = clock or SystemClock()
        self._kill_grace = kill_grace
        self._argv = tuple(shlex.split(settings.agent_command))
        self._model = settings.agent_model
        self._endpoint: ChatEndpoint | None = None
        if settings.agent_base_url:
            self._endpoint = ChatEndpoint(
                settings.agent_base_url,
                model=settings.agent_model,
                api_key=settings.agent_api_key,
                clock=self._clock,
                connect_seconds=connect_seconds,
                silence_seconds=silence_seconds,
            )

    def check(self, command: str) -> None:
        check_command(command)
        if not self._argv and self._endpoint is None:
            raise InvalidInput(_NOT_CONFIGURED, field="runner")

    async def run(self, request: RunRequest) -> RunResult:
        prompt = late_line(request) + request.command
        if self._argv or request.is_adopted:
            return await self._ask_program(prompt, request)
        if self._endpoint is not None:
            return await self._endpoint.answer(prompt, model=request.model, output=request.output)
        return RunResult(status=RunStatus.ERROR, error=_NOT_CONFIGURED)

    async def close(self) -> None:
        if self._endpoint is not None:
            await self._endpoint.close()

    async def _ask_program(self, prompt: str, request: RunRequest) -> RunResult:
        preset = request.fail_on.preset if request.fail_on is not None else None
        reply = reply_of(self._argv, preset, request.output)
        make_folder_of(request.outcome_file)
        try:
            result = await run_process(
                self._filled(prompt, request.model or self._model),
                request=request,
                environment=self._environment,
                clock=self._clock,
                kill_grace=self._kill_grace,
                reply=reply,
            )
        finally:
            reply.end()
        if result.exit_code is None:
            return result  # the program did not start
        result = self._judge(result, reply, request)
        if result.status is RunStatus.ERROR:
            now = self._clock.now()
            ending = classify_message(reply.name, result.error or "", now=now)
            result = replace(result, ending=ending)
        return with_outcome(result, request.outcome_file, now=self._clock.now())

    def _judge(self, result: RunResult, reply: ProgramReply, request: RunRequest) -> RunResult:
        """The result of a program that has exited, by what it replied."""
        assert result.exit_code is not None
        problem = reply.problem()
        if result.status is not RunStatus.SUCCESS:
            if reply.is_json and problem is not None and result.exit_code > 0:
                return replace(result, error=f"exit code {result.exit_code}; {problem}")
            return result
        if problem is None and not reply.has_answer:
            problem = (
                "the model only reasoned and gave no answer"
                if reply.has_thoughts
                else f"the reply was empty{request.output.closing_words}"
            )
        if problem is None:
            return result
        return RunResult(status=RunStatus.ERROR, error=problem, exit_code=result.exit_code)

    def _filled(self, prompt: str, model: str) -> list[str]:
        """The argv for one prompt, filled in one pass: `{model}` inside a prompt stays as it is."""
        values = {"prompt": prompt, "model": model}
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], part) for part in self._argv]
