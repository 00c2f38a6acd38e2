"""`ua pool`: how many runs may be in execution at the same time."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = group("pool", "Bound how many runs are in execution.", heading="Operation")

_PATH = "/api/v1/ops/pools"

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name, such as browser")]


@command(app, "list")
def list_pools(ua: Ua) -> None:
    """List the pools with the runs in them."""
    ua.show(ua.gateway.get(_PATH), _view)


@command(app, "set")
def set_pool(
    ua: Ua,
    name: Name,
    size: Annotated[int, typer.Argument(metavar="SIZE", help="Runs at the same time, at most")],
) -> None:
    """Make a pool, or change its size."""
    document = ua.gateway.put(f"{_PATH}/{quote(name, safe='')}", {"size": size})
    ua.show(document, _set)


@command(app, "remove")
def remove(ua: Ua, name: Name) -> None:
    """Remove a pool that no job names."""
    ua.show(ua.gateway.delete(f"{_PATH}/{quote(name, safe='')}"), _removed)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    table = screen.table("POOL", "SIZE", "RUNNING", "WAITING", "OLDEST WAIT", "SET BY")
    for one in document["pools"]:
        wait, light = one["oldest_wait_seconds"], one["light_workers"]
        table.add_row(
            screen.text(one["name"], "cyan"),
            screen.text(f"{one['size']} + {light} light" if light else str(one["size"])),
            screen.text(str(one["running"])),
            screen.text(str(one["waiting"]), "yellow" if one["waiting"] else ""),
            screen.text("-" if wait is None else f"{wait:.0f} s"),
            screen.text("settings" if one["origin"] == "settings" else "an operator"),
        )
    return table


def _set(screen: "Screen", document: Document) -> "RenderableType":
    pool = document["pool"]
    runs = "1 run" if pool["size"] == 1 else f"{pool['size']} runs"
    return screen.text(f"The pool {pool['name']} executes up to {runs} at the same time.")


def _removed(screen: "Screen", document: Document) -> "RenderableType":
    return screen.text(f"The pool {document['name']} is removed.")
