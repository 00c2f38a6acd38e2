"""`ua heartbeat`: the regular checks of sessions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()
beats = group("heartbeat", "The regular checks of sessions.", heading="Sessions and heartbeats")
app.add_typer(beats, rich_help_panel="Sessions and heartbeats")


@command(beats, "lint")
def lint(
    ua: Ua,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A HEARTBEAT.md, or - for standard input.")
    ],
) -> None:
    """Say what a HEARTBEAT.md will run, and what in it misleads.

    Needs no gateway. Fails with 1 when something is found.
    """
    from universal_agent.domain.checklist import CHECKLIST_BYTES, read_checklist

    text = _text(file)
    checklist = read_checklist(text)
    findings = [
        {"line": finding.line, "sentence": finding.sentence} for finding in checklist.findings
    ]
    if (size := len(text.encode())) > CHECKLIST_BYTES:
        sentence = f"expected at most {CHECKLIST_BYTES} bytes, got {size}; no beat reads this"
        findings.insert(0, {"line": 1, "sentence": sentence})
    document = {
        "file": str(file),
        "checks": [
            {"line": check.line, "name": check.name, "command": check.command}
            for check in checklist.checks
        ],
        "agent_lines": list(checklist.agent_lines),
        "is_empty": checklist.is_empty,
        "findings": findings,
    }
    ua.show(document, _view)
    if findings:
        raise typer.Exit(ExitCode.NO)


def _text(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return data.decode()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{file} is not UTF-8 at byte {error.start}", ExitCode.USAGE) from None
    except OSError as error:
        raise CommandFailed(f"cannot read {file}: {error.strerror}", ExitCode.USAGE) from None


def _view(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from universal_agent.cli.safe_text import clean

    lines = [
        Text(clean(f"{document['file']}:{found['line']}: {found['sentence']}"))
        for found in document["findings"]
    ]
    checks, others = len(document["checks"]), len(document["agent_lines"])
    summary = f"{checks} check{'' if checks == 1 else 's'}"
    if others:
        summary += f", {others} line{'' if others == 1 else 's'} for an agent"
    if document["is_empty"]:
        summary = "nothing to check: beats are skipped (empty_checklist)"
    status = "warn" if document["findings"] else "ok"
    return Group(*lines, Text.assemble(screen.status(status), f" {summary}"))
