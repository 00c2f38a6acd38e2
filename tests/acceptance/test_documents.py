"""The shell blocks of the documents, pasted into the shells that people have."""

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.gateway import PATIENCE_SECONDS, free_port
from tests.contract.document import DOCS, ROOT, fences
from universal_agent.cli.unknown_settings import unknown_settings

#: Interactive shells, as a terminal has them: in zsh `#` begins no comment there.
SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "dash": ("dash", "-i"),
}

_END = "every command succeeded"

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _shell(name: str) -> str:
    program = shutil.which(name)
    assert program is not None, f"{name} is not there: `./ua test` fetches it, or apt install it"
    return program


def _blocks(path: Path) -> list[str]:
    """The shell blocks of a document, also those in its lists."""
    text = re.sub(r"^ +(?=```|\S)", "", path.read_text("utf-8"), flags=re.MULTILINE)
    return fences(text, "sh")


def _comments(script: str) -> bool:
    return shlex.split(script, comments=True) != shlex.split(script)


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_every_block_parses_in_every_shell_and_has_no_comment(path: Path) -> None:
    blocks = _blocks(path)
    assert [block for block in blocks if _comments(block)] == [], "zsh passes comments on"
    for name in SHELLS if blocks else ():
        read = subprocess.run(
            [_shell(name), "-n"], input="\n".join(blocks), capture_output=True, text=True
        )
        assert (read.returncode, read.stderr) == (0, ""), name


class Walk:
    """A document's blocks, pasted one after the other into one interactive shell."""

    def __init__(self, folder: Path, shell: str, blocks: list[str], *, is_up: bool) -> None:
        """`is_up`: the document takes a gateway for granted."""
        folder.mkdir()
        self.shell = shell
        port = str(free_port())
        script = re.sub(r"\b800[23]\b", port, "\n".join(blocks))
        # What is not ours to try: there is no newer version to be had.
        script = script.replace("git pull --ff-only", "true")
        if is_up:
            script = f"./ua serve >gateway.log 2>&1 &\n./ua wait\n{script}\nkill $!\n"
        self._script = f"set -e\n{script}\necho '{_END}'\n"
        for place in (folder / "bin", folder):
            place.mkdir(exist_ok=True)
            self._install(place / "ua", folder / "bin")
        self._process = subprocess.Popen(
            [_shell(shell), *SHELLS[shell][1:]],
            cwd=folder,
            env={
                **os.environ,
                "HOME": str(folder),
                "PS1": "",
                "PS2": "",
                "UA_GATEWAY_PORT": port,
                "UA_LOG_LEVEL": "warning",
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._script)
        self._process.stdin.close()
        self._process.stdin = None

    def finish(self) -> str:
        """What was printed; fails where a command did."""
        try:
            printed, complaints = self._process.communicate(timeout=2 * PATIENCE_SECONDS)
        finally:
            self.close()
        assert printed.rstrip().endswith(_END), f"{self.shell}\n{printed}\n{complaints}"
        return printed

    def close(self) -> None:
        """Kill what is left."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    @staticmethod
    def _install(program: Path, on_path: Path) -> None:
        """The `ua` of this environment; it sets nothing up and builds nothing."""
        program.write_text(
            f"""#!/bin/sh
case $1 in
  path) echo 'export PATH="{on_path}:$PATH"' ;;
  *) exec "{sys.executable}" -m universal_agent "$@" ;;
esac
""",
            encoding="utf-8",
        )
        program.chmod(0o755)


def _shape(line: str) -> str:
    """A line of output without what differs from time to time."""
    return " ".join(re.sub(r"\d[\d,]*", "0", line).split())


def _story(path: Path, heading: str) -> str:
    """A part of a document, up to the next heading of its level or above."""
    text = path.read_text("utf-8")
    level = len(heading.partition(" ")[0])
    after = text.partition(f"{heading}\n")[2]
    assert after, heading
    return re.split(rf"^#{{1,{level}}} ", after, flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        (ROOT / "README.md", "## See it keep its promise"),
        (DOCS / "quickstart.md", "# Quickstart"),
        (DOCS / "heartbeat.md", "## First steps"),
    ],
    ids=["README", "quickstart", "heartbeat"],
)
def test_first_steps_work_in_every_shell_and_print_what_the_document_shows(
    tmp_path: Path, path: Path, heading: str
) -> None:
    story = _story(path, heading)
    samples = [line for block in fences(story, "") for line in block.splitlines()]
    is_up = path.name == "heartbeat.md"
    walks = [Walk(tmp_path / name, name, fences(story, "sh"), is_up=is_up) for name in SHELLS]
    try:
        for walk in walks:
            printed = {_shape(line) for line in walk.finish().splitlines()}
            assert {_shape(line) for line in samples} - printed == set(), walk.shell
    finally:
        for walk in walks:
            walk.close()


@pytest.mark.parametrize("name", ["back-up", "move", "proxy", "size", "upgrade"])
def test_the_commands_of_how_to_pages_work(tmp_path: Path, name: str) -> None:
    blocks = _blocks(DOCS / "how-to" / f"{name}.md")
    Walk(tmp_path / name, "dash", blocks, is_up=True).finish()


def test_the_unit_of_a_service_starts_the_gateway_with_settings_that_exist() -> None:
    (unit,) = fences((DOCS / "how-to" / "service.md").read_text("utf-8"), "ini")
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.read_string(re.sub(r"^Environment=(\w+)=", r"\1=", unit, flags=re.MULTILINE))
    service = read["Service"]
    assert shlex.split(service["ExecStart"])[-1] == "serve"
    settings = [name.upper() for name in service if name.startswith("ua_")]
    assert settings == ["UA_DATA_DIR", "UA_LOG_LEVEL"]
    assert unknown_settings(settings) == {}
