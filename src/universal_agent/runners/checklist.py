"""Execution of the checks in a HEARTBEAT.md: one after the other, as the `shell` runner does it.

Each check has its own process group and an allow-listed environment. A check gets an equal share of
the remaining time, so a check that hangs does not prevent the next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from universal_agent.clock import Clock
from universal_agent.domain.beat_words import CheckFailure
from universal_agent.domain.checklist import Check
from universal_agent.domain.run import RunStatus
from universal_agent.runners.base import RunRequest
from universal_agent.runners.captured_output import CapturedOutput
from universal_agent.runners.output import one_line
from universal_agent.runners.process import run_process
from universal_agent.runners.time_limit import time_limit

#: How many of the last lines of a failed check are reported.
_REPORTED_LINES = 5


async def run_checks(
    checks: Sequence[Check],
    request: RunRequest,
    *,
    environment: Mapping[str, str],
    limit_seconds: int,
    clock: Clock,
    kill_grace: float,
) -> list[CheckFailure]:
    """Run all checks within the limit; returns those that failed.

    Raises CancelledError after every process that it started has ended.
    """
    failures = []
    deadline = clock.monotonic() + limit_seconds
    for place, check in enumerate(checks):
        share = max(0.0, deadline - clock.monotonic()) / (len(checks) - place)
        request.output.write(f"[{one_line(check.name)}]\n".encode())
        captured = CapturedOutput(request.output)
        ending = await _ending(
            check,
            replace(request, output=captured),
            environment=environment,
            limit_seconds=share,
            clock=clock,
            kill_grace=kill_grace,
        )
        if ending is not None:
            lines = tuple(captured.last_lines(_REPORTED_LINES))
            failures.append(CheckFailure(check=check, ending=ending, last_lines=lines))
    return failures


async def _ending(
    check: Check,
    request: RunRequest,
    *,
    environment: Mapping[str, str],
    limit_seconds: float,
    clock: Clock,
    kill_grace: float,
) -> str | None:
    """How a failed check ended, in words; None when it succeeded."""
    try:
        async with time_limit(clock, limit_seconds):
            result = await run_process(
                ("/bin/sh", "-c", check.command),
                request=request,
                environment=environment,
                clock=clock,
                kill_grace=kill_grace,
            )
    except TimeoutError:
        return f"did not end within {round(limit_seconds, 1):g} s"
    if result.status is RunStatus.SUCCESS:
        return None
    if result.exit_code is None:
        return result.error or "could not be started"
    if result.exit_code < 0:
        return f"killed by signal {-result.exit_code}"
    return f"exit code {result.exit_code}"
