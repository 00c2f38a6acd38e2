"""How programs say that a failure is somebody else's outage."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runners.conftest import Asked
from universal_agent.domain.ending import EndClass, Ending
from universal_agent.runners.base import RunResult
from universal_agent.runners.shell import ShellRunner
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock


@pytest.fixture
def run(clock: ManualClock, asked: Asked, tmp_path: Path) -> Any:
    async def run(command: str) -> RunResult:
        request = replace(asked(command)[0], log=tmp_path / "logs" / "run-1.log")
        return await ShellRunner(Settings(), clock=clock).run(request)

    return run


def limited(
    kind: EndClass, seconds: float | None, clock: ManualClock, resource: str | None = None
) -> Ending:
    until = None if seconds is None else clock.now() + timedelta(seconds=seconds)
    return Ending(kind=kind, until=until, resource=resource)


@pytest.mark.parametrize(
    ("lines", "code", "kind", "seconds"),
    [
        ("", 75, "rate_limited", None),
        ("UA_RETRY_AFTER=120", 75, "rate_limited", 120),
        ("UA_RETRY_AFTER = '2m'", 75, "rate_limited", 120),
        ("UA_RETRY_AFTER=120", 1, "rate_limited", 120),
        ("UA_OUTCOME=quota\nUA_RETRY_AFTER=3600", 1, "quota", 3600),
        ("UA_OUTCOME=unreachable", 7, "unreachable", None),
        ("UA_OUTCOME=refused", 1, "refused", None),
        ("nonsense\nUA_RETRY_AFTER=soon", 75, "rate_limited", None),
    ],
)
async def test_a_program_says_why_it_failed_and_until_when(
    lines: str, code: int, kind: str, seconds: float | None, run: Any, clock: ManualClock
) -> None:
    write = f"printf '%s' \"{lines}\" > $UA_OUTCOME_FILE; " if lines else ""
    result = await run(f"{write}exit {code}")
    assert result.exit_code == code
    assert result.ending == limited(EndClass(kind), seconds, clock)


async def test_an_instant_is_read_like_a_number_of_seconds(run: Any, clock: ManualClock) -> None:
    at = clock.now() + timedelta(hours=1)
    result = await run(f"echo UA_RETRY_AFTER={at.isoformat()} > $UA_OUTCOME_FILE; exit 75")
    assert result.ending == limited(EndClass.RATE_LIMITED, 3600, clock)


async def test_a_program_names_the_resource_that_is_at_fault(run: Any, clock: ManualClock) -> None:
    result = await run("echo UA_RESOURCE=github > $UA_OUTCOME_FILE; exit 75")
    assert result.ending == limited(EndClass.RATE_LIMITED, None, clock, "github")


@pytest.mark.parametrize(
    "command",
    [
        "exit 1",
        "echo UA_OUTCOME=failed > $UA_OUTCOME_FILE; exit 1",
        "echo UA_RETRY_AFTER=60 > $UA_OUTCOME_FILE",
        "ln -s /etc/passwd $UA_OUTCOME_FILE; exit 1",
        "mkfifo $UA_OUTCOME_FILE; exit 1",
    ],
)
async def test_other_ends_are_not_classified(command: str, run: Any) -> None:
    assert (await run(command)).ending is None


async def test_a_process_that_judges_the_run_again_reads_the_same(
    run: Any, clock: ManualClock
) -> None:
    first = await run("echo UA_OUTCOME=quota > $UA_OUTCOME_FILE; exit 1")
    assert await run("exit 1") == first
    assert first.ending == limited(EndClass.QUOTA, None, clock)
