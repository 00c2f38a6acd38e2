"""`ua token`: the operator's token, kept in the data directory."""

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.help_page import group
from universal_agent.cli.invocation import Document, Invocation, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen
    from universal_agent.settings import Settings

app = group("token", "Make or show the operator's token.", heading="Gateway")

_BYTES = 32


@command(app, "new")
def new(
    ua: Ua,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the token that there is.")
    ] = False,
) -> None:
    """Make a token, for a gateway that runs and for those that start later.

    A gateway that runs follows the file: within seconds it asks for the new token alone, ends open
    streams and signs browsers out.
    """
    path = _token_file(ua)
    if path.exists() and not force:
        raise CommandFailed(f"{path} has a token already; --force replaces it.", ExitCode.CONFLICT)
    token = secrets.token_urlsafe(_BYTES)
    try:
        _write(path, token)
    except OSError as error:
        raise CommandFailed(f"cannot write {path}: {error.strerror}", ExitCode.USAGE) from error
    ua.show(
        {"token": token, "path": str(path)},
        lambda screen, document: screen.facts(
            [("token", screen.text(document["token"])), ("path", screen.text(document["path"]))]
        ),
    )
    if os.environ.get("UA_OPS_TOKEN"):
        ua.note(
            "UA_OPS_TOKEN is set and goes before the token in the file: a gateway that was started "
            "with it stays with it until it is restarted without"
        )
        return
    ua.note(
        "a gateway that runs here asks for it within seconds, ends open streams and signs browsers "
        "out; one that was started with UA_OPS_TOKEN stays with that"
    )


@command(app, "show")
def show(ua: Ua) -> None:
    """Print the token in force, from UA_OPS_TOKEN or the data directory."""
    settings = _settings(ua)
    if not settings.ops_token:
        raise CommandFailed("There is no token. Make one with `ua token new`.", ExitCode.CONFLICT)
    ua.show({"token": settings.ops_token}, lambda screen, document: screen.text(document["token"]))


@command(app, "path")
def path(ua: Ua) -> None:
    """Print where the token is kept."""
    ua.show({"path": str(_token_file(ua))}, lambda screen, document: screen.text(document["path"]))


feed = group("feed", "Make, list or revoke tokens for calendar programs.", heading="Gateway")
app.add_typer(feed)

_FEEDS = "/api/v1/auth/feed-tokens"
Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - and _.")]


@command(feed, "create")
def create_feed(ua: Ua, name: Name) -> None:
    """Make a token that reads calendar.ics and nothing else.

    It is printed once, as the address that a calendar program subscribes to.
    """
    made = ua.gateway.put(f"{_FEEDS}/{quote(name, safe='')}", {})
    document = {**made, "url": ua.gateway.url + made["path"]}
    ua.show(document, lambda screen, found: screen.text(found["url"]))


@command(feed, "list")
def list_feeds(ua: Ua) -> None:
    """List the tokens for calendar programs."""

    def view(screen: "Screen", document: Document) -> "RenderableType":
        tokens = document["feed_tokens"]
        if not tokens:
            return screen.text("No feed tokens.")
        return screen.facts(
            [
                (token["name"], screen.text(f"{token['created_at']}, {token['created_by']}"))
                for token in tokens
            ]
        )

    ua.show(ua.gateway.get(_FEEDS), view)


@command(feed, "revoke")
def revoke_feed(ua: Ua, name: Name) -> None:
    """Revoke a token for calendar programs; its address is refused from now on."""
    document = ua.gateway.delete(f"{_FEEDS}/{quote(name, safe='')}")
    ua.show(document, lambda screen, found: screen.text(f"revoked {found['name']}"))


def _settings(ua: Invocation, *, with_token_file: bool = True) -> "Settings":
    from universal_agent.settings import LOOPBACK_ONLY

    # A token may be made before an address that asks for one is used.
    return ua.load_settings(with_token_file=with_token_file, **LOOPBACK_ONLY)


def _token_file(ua: Invocation) -> Path:
    # The present content of the file may be invalid: it is about to be replaced.
    settings = _settings(ua, with_token_file=False)
    return settings.data_dir.absolute() / "ops_token"


def _write(path: Path, token: str) -> None:
    """Write the token in one step, readable only by its owner from the start."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
    draft.replace(path)
