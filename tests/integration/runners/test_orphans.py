"""Processes that a killed gateway left behind are found by the run they were started for."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from universal_agent.clock import SystemClock
from universal_agent.runners import family
from universal_agent.runners.family import exit_of
from universal_agent.runners.orphans import kill_orphans

FOREVER = 10_000.0

#: Starts a process of a run, as a gateway would have.
Left = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def prefix() -> str:
    """Of ids that no test beside this one looks for."""
    return uuid4().hex


@pytest.fixture
def left(prefix: str) -> Iterator[Left]:
    """Starts a process as a gateway would have; it is up when it has printed a line."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str, run_id: str, *, belongs: bool = True) -> subprocess.Popen[bytes]:
        with family.tagged(f"{prefix}-{run_id}") if belongs else nullcontext():
            process = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdout=subprocess.PIPE,
                env={**os.environ, "UA_RUN_ID": f"{prefix}-{run_id}"},
                start_new_session=True,
            )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def run_ids(prefix: str) -> list[str]:
    return [f"{prefix}-lost", f"{prefix}-lost-too"]


async def test_what_works_for_a_lost_run_is_asked_to_end(left: Left, run_ids: list[str]) -> None:
    processes = [left("echo ready; exec sleep 1000", run) for run in ("lost", "lost-too")]
    assert await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER) == 2
    assert [process.wait() for process in processes] == [-signal.SIGTERM] * 2


async def test_what_does_not_listen_is_killed(left: Left, run_ids: list[str]) -> None:
    process = left("trap '' TERM; echo ready; exec sleep 1000", "lost")
    assert await kill_orphans(run_ids, clock=SystemClock(), grace=0.05) == 1
    assert process.wait() == -signal.SIGKILL


async def test_a_child_without_environment_is_found_by_the_session_of_its_parent(
    left: Left, run_ids: list[str]
) -> None:
    process = left("env -i sleep 1000 & echo ready; echo $!; wait", "lost")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER) == 2
    await exit_of(child)


@pytest.mark.parametrize(
    "escape",
    [
        pytest.param("exec env -i setsid sleep 1000", id="no-environment-own-session"),
        pytest.param("(env -i setsid sleep 1000 &) & wait", id="no-parent-either"),
        pytest.param("env -i setsid sh -c 'sleep 1000 & sleep 1000 & wait' &", id="with-children"),
    ],
)
async def test_who_cleared_its_environment_and_left_the_session_is_found_by_its_tag(
    left: Left, run_ids: list[str], escape: str
) -> None:
    process = left(f"echo ready; {escape}", "lost")
    await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER)
    assert process.stdout is not None
    # Nobody has the pipe any more.
    assert await asyncio.to_thread(process.stdout.read) == b""


async def test_a_stranger_with_a_copy_of_the_runs_environment_survives_with_its_session(
    left: Left, run_ids: list[str]
) -> None:
    stranger = left("sleep 1000 & echo ready; wait", "lost", belongs=False)
    ours = left("echo ready; exec sleep 1000", "lost")
    assert await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER) == 1
    assert ours.wait() == -signal.SIGTERM
    assert stranger.poll() is None


async def test_a_child_that_changed_its_limits_is_found_by_its_parent(
    left: Left, run_ids: list[str]
) -> None:
    change = (
        f"{sys.executable} -c 'import os, resource, time; os.setsid();"
        " resource.setrlimit(resource.RLIMIT_RTTIME, (resource.RLIM_INFINITY,) * 2);"
        ' print("ready", os.getpid(), flush=True); time.sleep(1000)\''
    )
    process = left(f"{change} | {{ read word pid; echo ready; echo $pid; cat; }} & wait", "lost")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER)
    await exit_of(child)


def test_a_gateway_keeps_its_own_limits(prefix: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    with family.tagged(prefix):
        assert resource.getrlimit(resource.RLIMIT_RTTIME) == (family.tag_of(prefix), before[1])
    assert resource.getrlimit(resource.RLIMIT_RTTIME) == before


async def test_processes_of_other_runs_are_left_alone(left: Left, run_ids: list[str]) -> None:
    # Its id begins like one of those looked for.
    other = left("echo ready; exec sleep 1000", "lost-and-found")
    assert await kill_orphans(run_ids, clock=SystemClock(), grace=FOREVER) == 0
    assert other.poll() is None


async def test_nothing_is_looked_for_when_no_run_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("expected no look into /proc")

    monkeypatch.setattr(os, "scandir", refuse)
    assert await kill_orphans([], clock=SystemClock()) == 0


async def test_a_gateway_that_was_started_by_such_a_run_does_not_end_itself_or_its_parents(
    run_ids: list[str],
) -> None:
    code = (
        "import asyncio, sys\n"
        "from universal_agent.clock import SystemClock\n"
        "from universal_agent.runners.orphans import kill_orphans\n"
        "print(asyncio.run(kill_orphans(sys.argv[1:], clock=SystemClock(), grace=0.05)))\n"
    )
    with family.tagged(run_ids[0]):
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            '"$@"; echo parent lives',
            "sh",
            sys.executable,
            "-c",
            code,
            *run_ids,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
    printed, _ = await process.communicate()
    assert printed == b"0\nparent lives\n"


async def test_what_cannot_be_killed_is_told(
    left: Left, run_ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = left("echo ready; exec sleep 1000", "lost")
    monkeypatch.setattr(family, "_send", lambda *_: None)
    with capture_logs() as logs:
        assert await kill_orphans(run_ids, clock=SystemClock(), grace=0.01) == 1
    assert logs == [
        {
            "event": "processes_left",
            "log_level": "warning",
            "pids": [process.pid],
        }
    ]
