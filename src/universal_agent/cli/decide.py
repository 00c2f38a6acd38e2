"""`ua stasis decide`: one decision for many missed slots."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from universal_agent.cli.command import command
from universal_agent.cli.confirm import Yes, confirm
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Invocation, Ua
from universal_agent.cli.stasis import Note, advice, find_item, group

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

_STASIS = "/api/v1/ops/stasis"

#: What the wire calls the actions.
_ACTIONS = {
    "approve": "approve_backfill_run",
    "reschedule": "reschedule",
    "delete": "delete_missed",
    "recommended": "recommended",
}

#: How many refused items are listed; --json has them all.
_LISTED = 20


@command(group, "decide")
def decide(
    ua: Ua,
    action: Annotated[
        Literal["approve", "reschedule", "delete", "recommended"],
        typer.Argument(metavar="ACTION", help="approve, reschedule, delete or recommended"),
    ],
    items: Annotated[
        list[str] | None, typer.Argument(metavar="[ITEM]...", help="Event ids or jobs' names")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits.")] = False,
    outage: Annotated[
        str | None, typer.Option(metavar="ID", help="Everything that one outage left.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="For reschedule: when to run. [default: in an hour]"),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="How --at is read. [default: each job's]")
    ] = None,
    note: Note = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only say what would be decided.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Decide many items of stasis: those named, those of an outage, or --all.

    For each job and outage, approve runs the latest slot and closes the others. Recommended decides
    each item as `ua stasis list` recommends. It says what it will do and asks first; delete asks
    too. Fails with 1 when an item was refused; the others are decided all the same.
    """
    if sum((bool(items), everything, outage is not None)) != 1:
        raise CommandFailed("expected items, --outage ID or --all, and only one", ExitCode.USAGE)
    if at is not None and action != "reschedule":
        raise CommandFailed("--at goes with reschedule only", ExitCode.USAGE)
    body = {"action": _ACTIONS[action], "note": note, "run_at": at, "timezone": timezone}
    body = {name: value for name, value in body.items() if value is not None}
    targets = _targets(ua, items or [], everything=everything, outage=outage)
    count = sum(number for _, number in targets)
    if action == "delete" and count:
        confirm(f"Close {_slots(count)} without a run?", yes=yes)
    if preview:
        ua.show(_sent(ua, {**body, "preview": True}, targets), _preview)
        return
    if action == "recommended" and count and not yes:
        foreseen = _sent(ua, {**body, "preview": True}, targets)["results"]
        for result in foreseen[:_LISTED]:
            ua.note(f"{result['event_id']}: {_would(result)}")
        if len(foreseen) > _LISTED:
            ua.note(f"and {len(foreseen) - _LISTED:,} more; --preview lists all of them")
        confirm(f"Decide {_slots(count)} so?", yes=yes)
    done = _sent(ua, body, targets)
    ua.show(done, _view)
    if done["refused"]:
        raise typer.Exit(ExitCode.NO)


def _sent(ua: Invocation, body: Document, targets: list[tuple[Document, int]]) -> Document:
    """What became of the targets, all together."""
    done: Document = {"results": [], "done": 0, "refused": 0}
    for target, _ in targets:
        answer = ua.gateway.post(f"{_STASIS}/bulk", {**body, **target}, patience=60)
        done = {
            "results": done["results"] + answer["results"],
            "done": done["done"] + answer["done"],
            "refused": done["refused"] + answer["refused"],
        }
    return done


def _targets(
    ua: Invocation, names: list[str], *, everything: bool, outage: str | None
) -> list[tuple[Document, int]]:
    """What to send, each with how many slots it is about."""
    if names:
        ids = [find_item(ua, name) for name in names]
        return [({"event_ids": ids}, len(ids))]
    queue = ua.gateway.get(_STASIS)
    if not everything:
        outage_id = _outage(queue["stasis_queue"], outage or "")
        found = [entry for entry in queue["stasis_queue"] if entry["outage_id"] == outage_id]
        return [({"outage": outage_id}, sum(entry["group"]["count"] for entry in found))]
    waiting = queue["stasis_queue"]
    if queue["total"] > len(waiting):
        ua.note(f"these are {len(waiting):,} of {queue['total']:,} items; repeat it for the rest")
    ids = [entry["event_id"] for entry in waiting]
    return [({"event_ids": ids}, sum(entry["group"]["count"] for entry in waiting))] if ids else []


def _outage(queue: list[Document], name: str) -> str:
    """The id of the outage that `name` means: itself, or the beginning or end of it."""
    from universal_agent.cli.find import is_part

    ids = {str(entry["outage_id"]) for entry in queue}
    found = [name] if name in ids else sorted(one for one in ids if is_part(name, one))
    if len(found) != 1:
        listed = ", ".join(found[:5]) or "none"
        raise CommandFailed(
            f"expected the id of one outage, got {name!r}, which means {listed}; "
            "`ua stasis list` has them",
            ExitCode.CONFLICT,
        )
    return found[0]


def _slots(count: int) -> str:
    return "1 missed slot" if count == 1 else f"{count:,} missed slots"


def _preview(screen: "Screen", done: Document) -> "RenderableType":
    table = screen.table("item", "decision", wide=("decision",))
    for result in done["results"]:
        table.add_row(screen.text(result["event_id"]), screen.text(_would(result)))
    return table


def _would(result: Document) -> str:
    """What would be decided about an item."""
    if result["status"] == "refused":
        return f"refused: {result['detail']}"
    return advice(result["recommended"]) if "recommended" in result else "as asked for"


def _view(screen: "Screen", done: Document) -> "RenderableType":
    from rich.console import Group

    refused = [result for result in done["results"] if result["status"] == "refused"]
    lines = [
        screen.text(f"  {result['event_id']}: {result['detail']}") for result in refused[:_LISTED]
    ]
    if len(refused) > _LISTED:
        lines.append(screen.text(f"  and {len(refused) - _LISTED:,} more", "dim"))
    return Group(screen.text(f"decided {done['done']:,}, refused {done['refused']:,}"), *lines)
