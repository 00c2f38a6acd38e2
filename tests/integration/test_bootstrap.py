"""`./ua` finds its repository from anywhere, and says what is missing on a machine."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "ua"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A fresh clone, as far as the script can tell."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(SCRIPT, folder / "ua")
    (folder / "pyproject.toml").touch()
    return folder


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is all there is on PATH; it has what POSIX gives, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cat", "cksum", "dirname", "ln", "mkdir", "mv", "readlink", "rm"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def install(machine: Path, name: str, script: str) -> None:
    """Put a program on the machine's PATH."""
    program = machine / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


def call(script: Path, *arguments: str, machine: Path) -> subprocess.CompletedProcess[str]:
    """Call the script from somewhere else."""
    return subprocess.run(
        [script, *arguments],
        cwd="/",
        env={**os.environ, "PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_needs_nothing_but_a_shell(repository: Path, machine: Path) -> None:
    called = call(repository / "ua", machine=machine)
    assert (called.returncode, called.stderr) == (0, "")
    assert "./ua serve" in called.stdout and "./ua test" in called.stdout


def test_a_machine_without_python_is_told_what_to_install(repository: Path, machine: Path) -> None:
    called = call(repository / "ua", "serve", machine=machine)
    assert called.returncode == 1
    assert "no Python 3.11 or later" in called.stderr and "apt install" in called.stderr


def test_a_python_that_is_too_old_counts_as_none(repository: Path, machine: Path) -> None:
    install(machine, "python3", "exit 0")
    called = call(repository / "ua", "serve", machine=machine)
    assert "no Python 3.11 or later" in called.stderr


def test_a_python_without_venv_is_told_what_to_install(repository: Path, machine: Path) -> None:
    install(machine, "python3", f'case $2 in *venv*) exit 1 ;; esac; echo "{machine}/python3"')
    called = call(repository / "ua", "serve", machine=machine)
    assert called.returncode == 1
    assert "apt install python3-venv" in called.stderr


def test_a_call_through_a_link_finds_the_repository(
    repository: Path, machine: Path, tmp_path: Path
) -> None:
    (repository / ".uv" / "bin").mkdir(parents=True)
    install(repository / ".uv" / "bin", "uv", "exit 0")
    (tmp_path / "link").symlink_to("a clone/ua")
    (tmp_path / "link to the link").symlink_to("link")
    called = call(tmp_path / "link to the link", "path", machine=machine)
    assert called.stdout == f'export PATH="{repository}/.uv/bin:$PATH"\n'


def test_a_second_start_asks_neither_uv_nor_the_network(repository: Path, machine: Path) -> None:
    programs = repository / ".venv" / "bin"
    programs.mkdir(parents=True)
    install(programs, "python", "exit 0")
    install(programs, "ua", 'echo "$@"')
    install(machine, "uv", "exit 0")
    assert "setting up" in call(repository / "ua", "serve", machine=machine).stderr
    (machine / "uv").unlink()
    called = call(repository / "ua", "serve", "--port", "1", machine=machine)
    assert (called.stdout, called.stderr) == ("serve --port 1\n", "")


class TestProfiles:
    @pytest.fixture
    def synced(self, repository: Path, machine: Path, tmp_path: Path) -> Path:
        """The file in which uv notes what it was asked for; there is an environment already."""
        programs = repository / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        for name in ("ua", "pytest"):
            install(programs, name, "exit 0")
        install(machine, "uv", f'echo "$*" >>"{tmp_path}/uv calls"')
        return tmp_path / "uv calls"

    def test_the_gateway_needs_no_tools_for_tests(
        self, repository: Path, machine: Path, synced: Path
    ) -> None:
        for command in ("serve", "job"):
            assert call(repository / "ua", command, machine=machine).returncode == 0
        (asked,) = synced.read_text().splitlines()
        assert "--no-dev" in asked and "--extra notify" in asked

    def test_what_was_set_up_for_tests_stays_so(
        self, repository: Path, machine: Path, synced: Path
    ) -> None:
        assert call(repository / "ua", "job", machine=machine).returncode == 0
        assert call(repository / "ua", "test", "tests/unit", machine=machine).returncode == 0
        (repository / "pyproject.toml").write_text("changed")
        assert call(repository / "ua", "job", machine=machine).returncode == 0
        product, *development = synced.read_text().splitlines()
        assert "--no-dev" in product
        assert len(development) == 2 and "--no-dev" not in "".join(development)

    def test_of_two_setups_one_waits_for_the_other(
        self, repository: Path, machine: Path, synced: Path
    ) -> None:
        with (repository / ".ua-lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            second = subprocess.Popen(
                [repository / "ua", "job"],
                env={**os.environ, "PATH": str(machine)},
                stderr=subprocess.PIPE,
                text=True,
            )
            assert second.stderr is not None
            waits = "another ./ua is setting up; waiting for it...\n"
            assert second.stderr.readline() == waits
            stamp = subprocess.run(
                ["cksum"],
                input=(repository / "pyproject.toml").read_bytes(),
                capture_output=True,
                check=True,
            ).stdout.decode()
            (repository / ".venv" / ".ua-stamp").write_text(
                f"{repository.resolve()} {stamp.strip()} product\n"
            )
        assert second.communicate()[1] == ""
        assert not synced.exists()


def test_ua_path_puts_ua_itself_onto_the_path(
    repository: Path, machine: Path, tmp_path: Path
) -> None:
    install(machine, "uv", "exit 0")
    said = call(repository / "ua", "path", machine=machine).stdout
    assert said == f'export PATH="{repository}/.uv/bin:$PATH"\n'
    called = call(repository / ".uv" / "bin" / "ua", "help", machine=machine)
    assert "./ua serve" in called.stdout


def test_a_failed_setup_shows_what_uv_said(repository: Path, machine: Path) -> None:
    (repository / ".venv" / "bin").mkdir(parents=True)
    install(repository / ".venv" / "bin", "python", "exit 0")
    install(machine, "uv", "echo no such package; exit 2")
    called = call(repository / "ua", "serve", machine=machine)
    assert called.returncode == 1
    assert "no such package" in called.stderr


class TestDashboard:
    @pytest.fixture
    def checkout(self, repository: Path, machine: Path, tmp_path: Path) -> Path:
        """A checkout that is set up, on a machine whose npm waits to be let go on."""
        programs = repository / ".venv" / "bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        install(programs, "ua", "echo started")
        install(machine, "uv", "exit 0")
        for name in ("grep", "touch"):
            (machine / name).symlink_to(str(shutil.which(name)))
        assert call(repository / "ua", "setup", machine=machine).returncode == 0
        (repository / "web").mkdir()
        (repository / "web" / "package.json").touch()
        (repository / "web" / "package-lock.json").touch()
        built = repository / "src" / "universal_agent" / "web_dist"
        install(machine, "node", 'case $* in *--print) echo "these sources" ;; esac')
        install(
            machine,
            "npm",
            f"""echo "$*" >>"{tmp_path}/npm calls"
            case $1 in
              ci) read -r word <"{tmp_path}/go on"; mkdir -p node_modules; exit "$word" ;;
              run) mkdir -p "{built}"; echo "these sources" >"{built}/BUILD.json" ;;
            esac""",
        )
        os.mkfifo(tmp_path / "go on")
        return repository

    @staticmethod
    def serve(checkout: Path, machine: Path) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [checkout / "ua", "serve"],
            env={**os.environ, "PATH": str(machine)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def test_of_two_starts_in_one_checkout_one_builds_and_the_other_waits_for_it(
        self, checkout: Path, machine: Path, tmp_path: Path
    ) -> None:
        first = self.serve(checkout, machine)
        assert first.stderr is not None
        assert "building the dashboard" in first.stderr.readline()
        second = self.serve(checkout, machine)
        assert second.stderr is not None
        assert second.stderr.readline() == (
            "another ./ua is at work on the dashboard; waiting for it...\n"
        )
        (tmp_path / "go on").write_text("0\n")
        assert first.communicate() == ("started\n", "")
        assert second.communicate() == ("started\n", "")
        calls = (tmp_path / "npm calls").read_text().splitlines()
        assert calls == ["ci --no-audit --no-fund --omit=dev", "run build"]

    def test_a_builder_that_was_killed_holds_up_nobody(
        self, checkout: Path, machine: Path, tmp_path: Path
    ) -> None:
        first = self.serve(checkout, machine)
        assert first.stderr is not None
        first.stderr.readline()
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        second = self.serve(checkout, machine)
        assert second.stderr is not None
        assert "building the dashboard" in second.stderr.readline()
        (tmp_path / "go on").write_text("0\n")
        assert second.communicate() == ("started\n", "")

    def test_a_build_that_fails_is_no_reason_not_to_start(
        self, checkout: Path, machine: Path, tmp_path: Path
    ) -> None:
        started = self.serve(checkout, machine)
        (tmp_path / "go on").write_text("3\n")
        said, complaint = started.communicate()
        assert said == "started\n"
        assert "the dashboard could not be built" in complaint
        assert (tmp_path / "npm calls").read_text().splitlines() == [
            "ci --no-audit --no-fund --omit=dev"
        ]
