"""`ua job change`: a change of a job asked for in words."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.confirm import Yes, confirm
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Ua
from universal_agent.cli.jobs import app
from universal_agent.cli.slots import slot_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen


@command(app, "change")
def change(
    ua: Ua,
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job, or a slot's event id")],
    words: Annotated[
        list[str],
        typer.Argument(metavar="WORDS...", help="'skip next', 'every weekday at 8am', 'pause'"),
    ],
    *,
    slot: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="The slot that is meant. [default: the next one]"),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="How times are read. [default: the job's]")
    ] = None,
    yes: Yes = False,
) -> None:
    """Change a job in words, after a look at what was understood.

    Nothing changes before it is confirmed.
    """
    event_id = slot_of(ua, job, slot)
    path = f"/api/v1/ops/calendar/events/{quote(event_id, safe='')}/change-request"
    body: Document = {"instruction": " ".join(words)}
    if timezone is not None:
        body["timezone"] = timezone
    proposal = ua.gateway.post(path, body)["proposal"]
    answer = {"proposal_id": proposal["proposal_id"]}
    if not yes:
        ua.screen.print(_view(ua.screen, proposal))
    try:
        confirm("Make this change?", yes=yes)
    except (CommandFailed, typer.Abort):
        ua.gateway.post(f"{path}/confirm", {**answer, "approve": False})
        raise
    done = ua.gateway.post(f"{path}/confirm", {**answer, "approve": True})
    ua.show(done, lambda screen, found: screen.text(f"{found['status']}: {proposal['summary']}"))
    if done["status"] != "applied":
        raise typer.Exit(ExitCode.NO)


def _view(screen: "Screen", proposal: Document) -> "RenderableType":
    facts = [("change", screen.text(proposal["summary"], "bold"))]
    if rephrased := proposal.get("rephrased_as"):
        facts.append(("read as", screen.text(rephrased)))
    coming = (proposal.get("after") or {}).get("next") or []
    facts += [("next", screen.when(slot["local"])) for slot in coming[:3]]
    facts.append(("confidence", screen.text(proposal["confidence"])))
    facts += [("warning", screen.text(warning, "yellow")) for warning in proposal["warnings"]]
    return screen.facts(facts)
