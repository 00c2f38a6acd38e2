"""`ua accept-loss`: start without data that were acknowledged and are gone."""

from typing import TYPE_CHECKING

import typer

from universal_agent.cli.command import command
from universal_agent.cli.confirm import Yes, confirm
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen

app = typer.Typer()


@command(app, "accept-loss", rich_help_panel="Gateway")
def accept_loss(
    ua: Ua,
    yes: Yes = False,
) -> None:
    """Let the gateway start without data that are gone from its directory.

    A gateway does not start where its database was removed, or where the database does not have
    everything that was acknowledged. Put the missing files back if you can. This command makes the
    next start go on with what there is; what is missing stays lost.
    """
    from universal_agent.store.databases.accept_loss import accept_loss as accept
    from universal_agent.store.databases.accept_loss import find_loss

    settings = ua.settings
    database = settings.database_path.absolute()
    loss = find_loss(database, settings.state_dir)
    if loss is not None:
        confirm(f"{loss} Go on without it?", yes=yes)
        accept(database, settings.state_dir)
    ua.show({"database": str(database), "accepted": loss}, _view)


def _view(screen: "Screen", document: Document) -> "RenderableType":
    if document["accepted"] is None:
        return screen.text(f"nothing is missing from {document['database']}")
    return screen.text("accepted; the next start goes on with what there is")
