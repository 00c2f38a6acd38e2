"""`ua session`: the commands for sessions, and turns in them."""

from typing import Annotated
from uuid import uuid4

import typer

from universal_agent.cli.command import command
from universal_agent.cli.confirm import Yes, confirm
from universal_agent.cli.failure import ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Ua
from universal_agent.cli.safe_text import clean

SESSIONS = "/api/v1/ops/sessions"

app = group("session", "Make, list and delete sessions; take turns in them.", heading="Sessions")

Name = Annotated[
    str, typer.Argument(metavar="SESSION", help="Its id or part of it, or its folder's name.")
]


@command(app, "list")
def list_sessions(
    ua: Ua,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="Only those: running, active or idle.")
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="ID", help="Only this owner's.")] = None,
    source: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only those made by it, such as cli.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many.")] = 200,
) -> None:
    """List sessions, oldest first."""
    from universal_agent.cli.session_view import sessions_view

    document = ua.gateway.get(SESSIONS, limit=limit, status=status, owner=owner, source=source)
    ua.show(document, sessions_view)
    if document["next_cursor"] is not None:
        ua.note(f"these are the first {limit}; --limit shows more")


@command(app, "show")
def show(ua: Ua, session: Name) -> None:
    """Show a session with its latest turns and beats."""
    from universal_agent.cli.find import find_session
    from universal_agent.cli.session_view import session_view

    ua.show(ua.gateway.get(f"{SESSIONS}/{find_session(ua.gateway, session)}"), session_view)


@command(app, "new")
def new(
    ua: Ua,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Whose it is.")] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="DIR", help="A folder under the workspaces folder.")
    ] = None,
) -> None:
    """Make a session; naming the workspace of one of yours finds that one."""
    from universal_agent.cli.session_view import session_view

    fields = {"source": "cli", "user_id": user, "workspace_dir": workspace}
    given = {name: value for name, value in fields.items() if value is not None}
    ua.show(ua.gateway.post("/api/v1/sessions", given), session_view)


@command(app, "rm")
def remove(
    ua: Ua,
    session: Name,
    yes: Yes = False,
) -> None:
    """Delete a session; its workspace and its history stay."""
    from universal_agent.cli.find import find_session

    session_id = find_session(ua.gateway, session)
    confirm(f"Delete the session {session_id}?", yes=yes)
    document = ua.gateway.delete(f"/api/v1/sessions/{session_id}")
    ua.show(document, lambda screen, _: screen.text(f"deleted {session_id}"))


@command(app, "send")
def send(
    ua: Ua,
    session: Name,
    words: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What to say.")],
    turn_id: Annotated[
        str | None,
        typer.Option("--turn-id", metavar="ID", help="The same id takes the turn once."),
    ] = None,
) -> None:
    """Take a turn in a session, and print the reply as it comes.

    Fails with 1 when the turn does, and with 5 while another one is under way.
    """
    from universal_agent.cli.find import find_session
    from universal_agent.cli.turn import take_turn

    session_id = find_session(ua.gateway, session)
    said = []

    def on_text(text: str) -> None:
        said.append(text)
        if not ua.json:
            ua.write(clean(text))

    done = take_turn(
        ua.gateway.url,
        ua.settings.ops_token,
        session_id,
        " ".join(words),
        client_turn_id=turn_id or uuid4().hex,
        on_text=on_text,
    )
    if ua.json:
        ua.show(done, lambda screen, _: screen.text(""))
    elif not said:
        ua.write(clean(done["text"]) + "\n")
    else:
        ua.write("\n")
    if done["status"] != "success":
        ua.note(f"the turn ended as {done['status']}: {done['error'] or 'no reason given'}")
        raise typer.Exit(ExitCode.NO)
