"""`ua heartbeat`: the regular checks of sessions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

_LAST = "/api/v1/heartbeat/last"

app = typer.Typer()
beats = group("heartbeat", "The regular checks of sessions.", heading="Sessions and heartbeats")
app.add_typer(beats, rich_help_panel="Sessions and heartbeats")


Session = Annotated[
    str, typer.Argument(metavar="SESSION", help="Its id or part of it, or its folder's name.")
]


@command(beats, "status")
def status(ua: Ua) -> None:
    """List the heartbeats of all sessions, and what they said last."""
    from universal_agent.cli.heartbeat_view import list_view

    ua.show(ua.reader.get(_LAST), list_view)


@command(beats, "last")
def last(ua: Ua, session: Session) -> None:
    """Show a session's heartbeat, with what it said last and who was told."""
    from universal_agent.cli.find import find_beating_session
    from universal_agent.cli.heartbeat_view import show_view

    session_id = find_beating_session(ua.reader, session)
    ua.show(ua.reader.get(_LAST, session_id=session_id), show_view)


@command(beats, "wake")
def wake(
    ua: Ua,
    session: Annotated[
        str | None, typer.Argument(metavar="[SESSION]", help="Its id or part of it; else all.")
    ] = None,
    *,
    next_beat: Annotated[
        bool, typer.Option("--next", help="With the next beat that is due, not now.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="A reason that is passed to the beat.")
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, max=3600, metavar="SECONDS", help="Wait for its end, this long."),
    ] = 0.0,
) -> None:
    """Ask for a session's beat as soon as it is free, at any hour.

    With --wait, fails with 1 when the beat fails or has not ended in time.
    """
    from universal_agent.cli.find import find_beating_session
    from universal_agent.cli.heartbeat_view import woken_view

    session_id = None if session is None else find_beating_session(ua.gateway, session)
    body = {"session_id": session_id, "reason": reason, "mode": "next" if next_beat else "now"}
    document = ua.gateway.post("/api/v1/heartbeat/wake", body)
    ua.show(document, woken_view)
    if wait and document.get("run_id"):
        from universal_agent.cli.run_log import wait_for_end

        with ua.waiting("waiting for the beat"):
            ended = wait_for_end(ua, document["run_id"], seconds=wait)
        if ended["status"] not in ("success", "skipped"):
            ua.note(f"the beat is {ended['status']}: {ended['error'] or 'it goes on'}")
            raise typer.Exit(ExitCode.NO)


@command(beats, "pause")
def pause(ua: Ua, session: Session) -> None:
    """Expect no beats of a session, and deliver no reports."""
    _switch(ua, session, "pause")


@command(beats, "resume")
def resume(ua: Ua, session: Session) -> None:
    """Expect a session's beats again, from now on."""
    _switch(ua, session, "resume")


def _switch(ua: Ua, session: str, action: str) -> None:
    from universal_agent.cli.find import find_beating_session
    from universal_agent.cli.heartbeat_view import show_view

    session_id = find_beating_session(ua.gateway, session)
    # The action applies to all beats of the session, so any slot of it can be named.
    event_id = quote(f"heartbeat|{session_id}|0", safe="")
    ua.gateway.post(f"/api/v1/ops/calendar/events/{event_id}/action", {"action": action})
    ua.show(ua.gateway.get(_LAST, session_id=session_id), show_view)


@command(beats, "suppressed")
def suppressed(
    ua: Ua,
    session: Annotated[
        str | None, typer.Option(metavar="SESSION", help="Only of this session.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, metavar="N", help="How many.")] = 20,
) -> None:
    """List reports that were not delivered, newest first, with the reason."""
    from universal_agent.cli.find import find_beating_session
    from universal_agent.cli.heartbeat_view import suppressed_view

    session_id = None if session is None else find_beating_session(ua.reader, session)
    found = ua.reader.get("/api/v1/heartbeat/suppressed", session_id=session_id, limit=limit)
    ua.show(found, suppressed_view)


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
