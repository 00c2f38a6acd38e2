"""`ua stasis`: decisions about missed slots. `ua explain`: the story of a slot."""

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import CONTEXT, ListingPage
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.invocation import Invocation
    from universal_agent.cli.screen import Screen

_PANEL = "Every slot accounted for"

app = typer.Typer()
group = typer.Typer(
    name="stasis",
    cls=ListingPage,
    context_settings=CONTEXT,
    help="Missed slots wait here until you decide: approve, reschedule or delete.",
)
app.add_typer(group, rich_help_panel=_PANEL)


Item = Annotated[
    str, typer.Argument(metavar="ITEM", help="An event id, or the beginning of a job's title or id")
]
Note = Annotated[str | None, typer.Option(metavar="TEXT", help="Kept with the decision.")]
OnlySlot = Annotated[
    bool, typer.Option("--slot", help="Only the slot that is named, not its whole group.")
]


@command(group, "list")
def list_items(ua: Ua) -> None:
    """List what waits, what can still be saved first, with what is recommended."""
    ua.show(ua.reader.get("/api/v1/ops/stasis"), _view)


@command(group, "expired")
def list_expired(
    ua: Ua,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many.")] = 50,
) -> None:
    """List what expired without a decision, the latest first."""
    document = ua.reader.get("/api/v1/ops/stasis/expired", limit=limit)
    ua.show(document, _expired_view)
    if document["next_cursor"] is not None:
        ua.note(f"these are the latest {limit}; --limit shows more")


@command(group, "approve")
def approve(ua: Ua, item: Item, *, note: Note = None, slot: OnlySlot = False) -> None:
    """Run the latest missed slot now, with its original time; close the others."""
    _decide(ua, item, {"action": "approve_backfill_run", "note": note}, slot=slot)


@command(group, "reschedule")
def reschedule(
    ua: Ua,
    item: Item,
    when: Annotated[str, typer.Argument(metavar="WHEN", help="When it is to run instead")],
    *,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="How WHEN is read. [default: the job's]")
    ] = None,
    note: Note = None,
    slot: OnlySlot = False,
) -> None:
    """Run the latest missed slot later, as a one-shot job; close the others."""
    body = {"action": "reschedule", "run_at": when, "timezone": timezone, "note": note}
    _decide(ua, item, body, slot=slot)


@command(group, "delete")
def delete(ua: Ua, item: Item, *, note: Note = None, slot: OnlySlot = False) -> None:
    """Close missed slots without a run; `undo` takes it back within a minute."""
    _decide(ua, item, {"action": "delete_missed", "note": note}, slot=slot)


@command(group, "undo")
def undo(
    ua: Ua, event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="What was deleted")]
) -> None:
    """Take back a deletion, within a minute."""
    document = ua.gateway.post(f"/api/v1/ops/stasis/{quote(event_id, safe='')}/undo", {})
    ua.show(document, lambda screen, done: screen.text(f"{done['event_id']} waits again"))


def _decide(ua: "Invocation", item: str, body: Document, *, slot: bool) -> None:
    event_id = find_item(ua, item)
    content = {name: value for name, value in body.items() if value is not None}
    content["scope"] = "slot" if slot else "group"
    path = f"/api/v1/ops/calendar/events/{quote(event_id, safe='')}/action"
    ua.show(ua.gateway.post(path, content), _decided)


def find_item(ua: "Invocation", item: str) -> str:
    """The event id that `item` means: itself, or that of the only waiting item of a job."""
    if item.count("|") == 2:
        return item
    queue = ua.gateway.get("/api/v1/ops/stasis")["stasis_queue"]
    exact = [entry for entry in queue if item in _names_of(entry)]
    begun = [
        entry
        for entry in queue
        if any(name.startswith(item) for name in _names_of(entry))
        or entry["event"]["source_ref"].endswith(item)
    ]
    found = [entry["event_id"] for entry in exact or begun]
    if len(found) != 1:
        listed = ", ".join(found[:5]) or "nothing"
        raise CommandFailed(
            f"expected the name of one item that waits, got {item!r}, which means {listed}",
            ExitCode.CONFLICT,
        )
    return str(found[0])


def _names_of(entry: Document) -> tuple[str, str]:
    return entry["event"]["title"], entry["event"]["source_ref"]


def _decided(screen: "Screen", done: Document) -> "RenderableType":
    facts: list[tuple[str, Any]] = [
        ("item", screen.text(done["event_id"])),
        ("decision", screen.text(done["resolution"])),
    ]
    if "run" in done:
        facts.append(("run", screen.id(done["run"]["run_id"])))
    if "job" in done:
        job = done["job"]
        facts.append(("job", screen.text(f"{job['job_id']}: {job['description']}")))
    return screen.facts(facts)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    queue = document["stasis_queue"]
    if not queue:
        return screen.text("Nothing was missed that waits for a decision.")
    table = screen.table(
        "missed",
        "latest",
        "job",
        "why",
        "useful until",
        "outage",
        "item",
        "recommended",
        wide=("job", "recommended"),
    )
    for entry in queue:
        group_ = entry["group"]
        table.add_row(
            screen.text(f"{group_['count']:,}"),
            screen.when(group_["last_scheduled_at_utc"]),
            screen.cell(entry["event"]["title"]),
            screen.text(entry["cause"]),
            screen.when(entry["useful_until_utc"]),
            screen.id(entry["outage_id"]),
            screen.text(entry["event_id"]),
            screen.text(advice(entry["recommended"])),
        )
    return table


def advice(recommended: Document) -> str:
    """A recommended decision and its reason: "approve: no later slot does its work"."""
    return f"{recommended['decision']}: {recommended['reason']}"


def _expired_view(screen: "Screen", document: Document) -> "RenderableType":
    expired = document["expired"]
    if not expired:
        return screen.text("Nothing has expired without a decision.")
    table = screen.table("expired", "missed", "latest", "job", "why", "item", wide=("job",))
    for entry in expired:
        group_ = entry["group"]
        table.add_row(
            screen.when(entry["expired_at_utc"]),
            screen.text(f"{group_['count']:,}"),
            screen.when(group_["last_scheduled_at_utc"]),
            screen.cell(entry["title"]),
            screen.text(entry["cause"]),
            screen.text(entry["event_id"]),
        )
    return table


@command(app, "explain", rich_help_panel=_PANEL)
def explain(
    ua: Ua,
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job, an event id or a run's id")],
    when: Annotated[
        str | None,
        typer.Argument(
            metavar="[WHEN]", help="The slot's time, in the job's zone; without it the latest slot"
        ),
    ] = None,
) -> None:
    """Say why a slot ran, did not run, or ran late.

    Without a time: the job's latest slot that waits for a decision, else that of its latest run.
    """
    from universal_agent.cli.find import find_job_history, latest_slot

    if when is None:
        event_id = latest_slot(ua.reader, job)
    else:
        found = find_job_history(ua.reader, job)
        event_id = f"cron|{found['job_id']}|{_epoch(ua, when, found['timezone'])}"
    document = ua.reader.get("/api/v1/ops/scheduling/explain", event_id=event_id)
    ua.show(document, _explanation)


def _epoch(ua: "Invocation", when: str, timezone: str) -> int:
    """The second that WHEN names; "9am" is today's, "monday 9am" the last one."""
    from universal_agent.domain.phrases import parse_instant

    now = ua.clock.now().astimezone(UTC)
    at = parse_instant(when, now=now, timezone=timezone, field="WHEN", past=True)
    return int(at.timestamp())


def _explanation(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group

    lines = [screen.text(sentence) for sentence in document["sentences"]]
    events = [
        screen.text(f"  {event['seq']:>8}  {event['timestamp']}  {event['type']}", style="dim")
        for event in document["events"]
    ]
    return Group(screen.status(document["outcome"].partition(":")[0]), *lines, *events)
