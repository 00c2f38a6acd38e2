"""Real shells: what they see, what is kept of what they say, how they end and are ended."""

import asyncio
import errno
import os
import re
import shlex
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.integration.runners.conftest import Asked, HeardOutput
from universal_agent.clock import SystemClock
from universal_agent.domain.run import RunStatus
from universal_agent.runners import process
from universal_agent.runners.base import GATEWAY_STOPS, RunRequest, RunResult
from universal_agent.runners.family import Family, exit_of
from universal_agent.runners.orphans import kill_orphans
from universal_agent.runners.output import KEPT_BYTES
from universal_agent.runners.shell import ShellRunner
from universal_agent.runners.shortage import ResourceShortage
from universal_agent.settings import Settings
from universal_agent.testing import ManualClock

#: Seconds that no test can wait for: what is asked to stop has to stop by itself.
FOREVER = 10_000.0
#: Seconds after which a test's child that ignores SIGTERM is killed.
SHORTLY = 0.05


def on_sigterm(statement: str) -> str:
    """A program that says ready, and runs a statement at each SIGTERM.

    It cannot miss the signal, as a shell does that is just starting its next command.
    """
    return f"""{sys.executable} -c '
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print("ready", flush=True)
while True:
    signal.sigwait([signal.SIGTERM])
    {statement}'"""


CLEANS_UP = on_sigterm('print("cleaned up", flush=True); break')
STAYS = on_sigterm('print("asked", flush=True)')
#: Waits until its last command is in a session of its own.
DAEMON = "mkfifo up; setsid sh -c ': >up; exec {}' & echo pid=$!; read line <up || :"

IGNORE_TERM = "trap '' TERM; "


@pytest.fixture
def shell(settings: Settings) -> ShellRunner:
    return ShellRunner(settings, kill_grace=FOREVER)


@pytest.fixture
def impatient_shell(settings: Settings) -> ShellRunner:
    return ShellRunner(settings, kill_grace=SHORTLY)


async def cancelled(run: asyncio.Task[RunResult]) -> None:
    """Cancel a run, and return when it lets go."""
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


def started(shell: ShellRunner, request: RunRequest) -> asyncio.Task[RunResult]:
    return asyncio.create_task(shell.run(request))


def exists(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


async def gone(output: HeardOutput) -> bool:
    """Return when every process has ended that printed "pid=<its number>"."""
    pids = [int(pid) for pid in re.findall(r"pid=(\d+)", output.text)]
    assert pids
    for pid in pids:
        await exit_of(pid)
    return True


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN], ids=errno.errorcode.get
)
async def test_a_shortage_of_the_gateway_is_no_outcome(
    shell: ShellRunner, asked: Asked, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def start(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    request, _ = asked("true")
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", start)
        with pytest.raises(ResourceShortage, match=os.strerror(number)):
            await shell.run(request)
    assert (await shell.run(request)).status is RunStatus.SUCCESS


async def test_a_child_is_watched_though_no_descriptor_is_left_for_it(
    shell: ShellRunner, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pidfd_open(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    request, _ = asked("echo done; exit 3")
    assert (await shell.run(request)).exit_code == 3


class TestOutcome:
    async def test_exit_code_zero_is_success(self, shell: ShellRunner, asked: Asked) -> None:
        request, _ = asked("true")
        assert await shell.run(request) == RunResult(status=RunStatus.SUCCESS, exit_code=0)

    async def test_a_failure_tells_its_code_and_last_line(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("echo working; echo 'no such \033[31mtable\033[0m' >&2; echo; exit 3")
        assert await shell.run(request) == RunResult(
            status=RunStatus.ERROR,
            error="exit code 3; last line: no such table",
            exit_code=3,
        )

    async def test_a_program_that_is_not_in_the_workspace_is_named_with_where_it_was_looked_for(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("./backup.sh /srv")
        result = await shell.run(request)
        assert result.exit_code == 127
        words = f"./backup.sh is not in the workspace {request.workspace_dir}"
        assert words in (result.error or "")
        (request.workspace_dir / "backup.sh").write_text("#!/bin/sh\n")
        (request.workspace_dir / "backup.sh").chmod(0o755)
        request, _ = asked("./backup.sh /srv")
        assert (await shell.run(request)).status is RunStatus.SUCCESS

    async def test_a_death_by_signal_names_the_signal(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("kill -9 $$")
        assert await shell.run(request) == RunResult(
            status=RunStatus.ERROR, error="killed by SIGKILL", exit_code=-9
        )

    async def test_a_real_time_signal_is_named_by_its_number(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("kill -40 $$")
        assert (await shell.run(request)).error == "killed by signal 40"

    async def test_a_workspace_that_cannot_be_made_is_an_error_of_the_run(
        self, shell: ShellRunner, asked: Asked, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        request, _ = asked("true", workspace_dir=tmp_path / "file" / "workspace")
        result = await shell.run(request)
        assert result.status is RunStatus.ERROR
        assert result.error is not None
        assert result.error.startswith("cannot start /bin/sh: ")

    async def test_a_fact_that_no_environment_can_hold_is_an_error_of_the_run(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("true", approved_by="a\x00b")
        result = await shell.run(request)
        assert result.error == "cannot start /bin/sh: embedded null byte"


class TestSurroundings:
    async def test_the_child_sees_the_allow_list_and_the_facts_of_its_run_only(
        self, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("UA_OPS_TOKEN", "OPENAI_API_KEY", "DATABASE_URL", "LD_PRELOAD_X", "SECRET"):
            monkeypatch.setenv(name, "leaked")
        monkeypatch.setenv("MY_AGENT_KEY", "meant for it")
        shell = ShellRunner(Settings(data_dir=tmp_path, child_env=("MY_AGENT_KEY",)))
        request, output = asked("env", late_seconds=7, approved_by="ann", attempt=2)
        await shell.run(request)
        seen = dict(line.split("=", 1) for line in output.lines)
        assert {name for name in seen if name.startswith("UA_")} == set(request.facts())
        assert request.facts().items() <= seen.items()
        assert seen["MY_AGENT_KEY"] == "meant for it"
        assert "leaked" not in seen.values()

    async def test_it_runs_in_its_workspace_which_is_made_for_its_owner_only(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("pwd -P")
        await shell.run(request)
        assert output.lines == [str(request.workspace_dir.resolve())]
        assert stat.S_IMODE(request.workspace_dir.stat().st_mode) == 0o700

    async def test_nothing_of_the_gateway_is_open_to_it_not_even_stdin(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        ours, reader, writer = os.dup(0), *os.pipe()
        os.write(writer, b"typed at the gateway")
        os.close(writer)
        os.dup2(reader, 0)
        os.dup2(reader, 77, inheritable=True)
        try:
            request, output = asked("cat; test -e /proc/$$/fd/77 || echo closed")
            await shell.run(request)
        finally:
            os.dup2(ours, 0)
            for descriptor in (ours, reader, 77):
                os.close(descriptor)
        assert output.lines == ["closed"]

    async def test_it_leads_a_process_group_and_session_of_its_own(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("echo $$; cut -d' ' -f5,6 /proc/$$/stat")
        await shell.run(request)
        leader, both = output.lines
        assert both == f"{leader} {leader}"

    async def test_no_fact_of_a_run_is_ever_read_as_shell_text(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        evil = "$(touch x) `touch x`; touch x; \"; touch x; ' && touch x"
        request, output = asked(
            'printf "%s\\n" "$UA_JOB_ID" "$UA_APPROVED_BY"; ls',
            job_id=evil,
            event_id=evil,
            title=evil,
            approved_by=evil,
            model=evil,
            trigger=evil,
            metadata={"note": evil},
        )
        await shell.run(request)
        assert output.lines == [evil, evil]
        assert list(request.workspace_dir.iterdir()) == []


class TestOutput:
    async def test_both_streams_are_kept_in_the_order_they_were_written(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("for i in 1 2 3; do echo out $i; echo err $i >&2; done")
        await shell.run(request)
        assert output.lines == ["out 1", "err 1", "out 2", "err 2", "out 3", "err 3"]

    async def test_the_first_mebibyte_and_the_end_are_kept_and_the_rest_counted(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("head -c 50000000 /dev/zero; echo; echo no such host >&2; exit 1")
        assert (await shell.run(request)).status is RunStatus.ERROR
        output.close()
        kept = output.path.read_bytes()
        assert kept[:KEPT_BYTES] == bytes(KEPT_BYTES)
        rest = kept[KEPT_BYTES:]
        assert rest.startswith(b"\n[48885902 bytes were left out here]\n\0")
        assert rest.endswith(b"\0\nno such host\n")
        assert output.total_bytes == 50_000_014

    async def test_a_child_that_prints_for_ever_is_read_a_piece_at_a_time_and_can_be_stopped(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("echo started; yes")
        run = started(shell, request)
        await output.until("started")
        await cancelled(run)
        assert output.longest_piece <= 64 * 1024

    async def test_what_is_still_in_the_pipe_when_the_child_has_exited_is_kept(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        fill = "import fcntl, os; fcntl.fcntl(1, 1031, 1 << 20); os.write(1, bytes(1 << 20))"
        request, output = asked(f"exec {sys.executable} -c '{fill}'")
        assert (await shell.run(request)).status is RunStatus.SUCCESS
        assert output.total_bytes == 1 << 20

    async def test_bytes_that_are_no_text_are_kept_as_they_are_and_shown_as_text(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        raw = b"\x00\xff\xfe\xc3(\x1b[31mred\x1b[0m\x1b]0;title\x07\xf0\x9f\x98\x80"
        octal = "".join(f"\\{byte:03o}" for byte in raw)
        request, output = asked(f"printf '{octal}'")
        assert (await shell.run(request)).status is RunStatus.SUCCESS
        assert output.path.read_bytes() == raw
        assert output.preview == "\ufffd\ufffd\ufffd\ufffd(red😀"

    async def test_a_child_that_closes_its_streams_is_still_waited_for(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("mkfifo pipe; exec >&- 2>&-; (: >pipe) & read x <pipe; exit 4")
        assert (await shell.run(request)).exit_code == 4


class TestWhatIsLeftBehind:
    async def test_the_rest_of_the_group_is_killed_when_the_child_ends(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(IGNORE_TERM + "sleep 1000 & echo pid=$!")
        assert (await shell.run(request)).status is RunStatus.SUCCESS
        assert await gone(output)

    async def test_a_daemon_that_holds_the_pipe_does_not_hold_the_run(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(DAEMON.format("sleep 1000"))
        assert (await shell.run(request)).status is RunStatus.SUCCESS
        # It left the session on purpose, so the end of its run is not its own end.
        assert await kill_orphans([request.run_id], clock=SystemClock(), grace=FOREVER) == 1
        assert await gone(output)

    async def test_a_daemon_that_prints_for_ever_does_not_hold_the_run(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(DAEMON.format("yes"))
        assert (await shell.run(request)).status is RunStatus.SUCCESS
        assert await gone(output)  # of SIGPIPE: nobody reads on

    async def test_the_last_look_into_a_pipe_ends_though_the_pipe_does_not(
        self, asked: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, output = asked("true")
        reader, writer = os.pipe()
        with process._Pipe(reader, output) as pipe, monkeypatch.context() as patch:
            patch.setattr(os, "read", lambda _, count: bytes(count))
            pipe.drain()
        os.close(writer)
        assert output.total_bytes == KEPT_BYTES


class TestStopping:
    async def test_sigterm_reaches_the_whole_group_and_leaves_it_time_to_clean_up(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(f"{CLEANS_UP} & {CLEANS_UP} & wait")
        run = started(shell, request)
        await output.until("ready", times=2)
        await cancelled(run)
        assert output.lines == ["ready", "ready", "cleaned up", "cleaned up"]

    async def test_each_process_of_the_group_gets_sigterm_once(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(STAYS)
        run = started(impatient_shell, request)
        await output.until("ready")
        await cancelled(run)
        assert output.lines.count("asked") == 1

    async def test_who_ignores_sigterm_is_killed_with_its_children(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(
            IGNORE_TERM + "sleep 1000 & echo pid=$!; (sleep 1000 & echo pid=$!; wait) &"
            " echo pid=$!; echo pid=$$; wait; wait"
        )
        run = started(impatient_shell, request)
        await output.until("pid=", times=4)
        with capture_logs() as logs:
            await cancelled(run)
        assert await gone(output)
        assert logs == []

    async def test_a_child_that_left_the_session_is_found_and_asked_to_end(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(f"setsid {CLEANS_UP} & echo pid=$!; wait")
        run = started(shell, request)
        await output.until("ready")
        await cancelled(run)
        assert await gone(output)
        assert "cleaned up" in output.text

    async def test_a_group_outside_the_session_is_asked_as_a_whole_though_it_grows(
        self, settings: Settings, asked: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shell = ShellRunner(settings, kill_grace=30)
        group = f"trap : TERM; echo pid=$$; {CLEANS_UP} & {CLEANS_UP} & wait; wait"
        request, output = asked(f"setsid sh -c {shlex.quote(group)} & wait")
        run = started(shell, request)
        await output.until("ready", times=2)
        (leader,) = map(int, re.findall(r"pid=(\d+)", output.text))
        monkeypatch.setattr(Family, "living", lambda _: [leader] if exists(leader) else [])
        await cancelled(run)
        assert output.text.count("cleaned up") == 2

    async def test_a_child_that_left_the_session_and_ignores_sigterm_is_killed(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(IGNORE_TERM + "setsid sh -c 'echo pid=$$; sleep 1000; :' & wait")
        run = started(impatient_shell, request)
        await output.until("pid=")
        await cancelled(run)
        assert await gone(output)

    async def test_a_child_that_cleared_its_environment_is_found_by_its_session(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("env -i setsid --fork true; env -i sleep 1000 & echo pid=$!; wait")
        run = started(shell, request)
        await output.until("pid=")
        await cancelled(run)
        assert await gone(output)

    async def test_a_child_that_kept_nothing_of_the_run_is_ended_with_it(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(
            "(env -i setsid sh -c 'echo pid=$$; exec sleep 1000' &); exec sleep 1000"
        )
        run = started(shell, request)
        await output.until("pid=")
        await cancelled(run)
        assert await gone(output)

    async def test_a_stopped_group_is_woken_to_hear_that_it_shall_end(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("sleep 1000 & echo pid=$!; kill -STOP $!; echo stopped; wait")
        run = started(shell, request)
        await output.until("stopped")
        await cancelled(run)
        assert await gone(output)

    async def test_a_child_that_had_exited_before_it_was_to_be_stopped_keeps_its_end(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, _ = asked("echo $$ >told; exit 7")
        request.workspace_dir.mkdir()
        told = request.workspace_dir / "told"
        os.mkfifo(told)
        run = started(shell, request)
        await SystemClock().sleep(0)
        # Without a turn of the event loop, which so has not seen the exit.
        child = int(told.read_text(encoding="ascii"))
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
        run.cancel()
        result = await run
        assert (result.status, result.exit_code) == (RunStatus.ERROR, 7)

    async def test_a_child_that_has_just_been_started_when_the_gateway_stops_gets_to_its_program(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked("echo begun; exec sleep 1000")
        run = started(shell, request)
        await SystemClock().sleep(0)
        run.cancel(GATEWAY_STOPS)
        with pytest.raises(asyncio.CancelledError):
            await run
        assert output.lines == ["begun"]

    async def test_a_child_that_ends_in_the_moment_it_gets_keeps_its_end(
        self, settings: Settings, asked: Asked
    ) -> None:
        request, _ = asked("exit 7")
        run = started(ShellRunner(settings, clock=ManualClock()), request)
        await SystemClock().sleep(0)
        run.cancel(GATEWAY_STOPS)
        assert (await run).exit_code == 7

    async def test_a_second_cancel_does_not_cut_the_first_one_short(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(f"echo pid=$$; exec {STAYS}")
        run = started(impatient_shell, request)
        await output.until("ready")
        run.cancel()
        await output.until("asked")
        await cancelled(run)
        assert await gone(output)

    async def test_the_end_of_the_event_loop_kills_without_waiting(
        self, shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(IGNORE_TERM + "echo pid=$$; while :; do sleep 1000; done")
        before = asyncio.all_tasks()
        run = started(shell, request)
        await output.until("pid=")
        run.cancel()
        while not (stops := asyncio.all_tasks() - before - {run}):
            await SystemClock().sleep(0)
        for task in stops:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await run
        assert await gone(output)

    async def test_a_storm_of_forks_does_not_get_away(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(
            IGNORE_TERM + "storm() { while :; do (:); done; }; for i in 1 2 3 4 5 6 7 8; do"
            " storm & done; echo ready; wait"
        )
        run = started(impatient_shell, request)
        await output.until("ready")
        await cancelled(run)
        assert Family([request.run_id]).living() == []


class TestWithoutPidfd:
    """Where the kernel has no pidfds, a thread waits, and only the group is known."""

    @pytest.fixture(autouse=True)
    def _no_pidfd(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("universal_agent.runners.process.HAS_PIDFD", False)
        monkeypatch.setattr("universal_agent.runners.family.HAS_PIDFD", False)

    async def test_a_run_ends_when_its_child_does(self, shell: ShellRunner, asked: Asked) -> None:
        request, output = asked(IGNORE_TERM + "sleep 1000 & echo pid=$!; exit 3")
        assert (await shell.run(request)).exit_code == 3
        assert await gone(output)

    async def test_the_group_has_time_to_clean_up(self, shell: ShellRunner, asked: Asked) -> None:
        request, output = asked(f"exec {CLEANS_UP}")
        run = started(shell, request)
        await output.until("ready")
        await cancelled(run)
        assert output.lines == ["ready", "cleaned up"]

    async def test_a_group_that_ignores_sigterm_is_killed(
        self, impatient_shell: ShellRunner, asked: Asked
    ) -> None:
        request, output = asked(IGNORE_TERM + "sleep 1000 & echo pid=$! pid=$$; wait")
        run = started(impatient_shell, request)
        await output.until("pid=", times=2)
        await cancelled(run)
        assert await gone(output)
