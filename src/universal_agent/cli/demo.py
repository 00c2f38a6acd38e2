"""`ua demo`: a gateway with a week behind it, for trying out."""

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Ua
from universal_agent.cli.serve import serve_until_stopped

if TYPE_CHECKING:
    from universal_agent.settings import Settings

app = typer.Typer()


@command(app, "demo", rich_help_panel="Gateway")
def demo(
    ua: Ua,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", help="For UA_GATEWAY_PORT; 0 takes any free port."
        ),
    ] = None,
) -> None:
    """Start a gateway with a lively week behind it; Ctrl-C stops it.

    It lives in a directory of its own that is removed at the end, and goes on with commands that
    only print. With --data-dir it lives in that one, which must be empty, and stays.
    """
    # Settings of the environment that lead outside the directory are overridden.
    inside: dict[str, Any] = {"workspaces_dir": None, "database_url": ""}
    if port is not None:
        inside["gateway_port"] = port
    if ua.data_dir is not None:
        _live_in(ua, ua.load_settings(**inside))
        return
    with tempfile.TemporaryDirectory(prefix="ua-demo-") as folder:
        _live_in(ua, ua.load_settings(data_dir=Path(folder), **inside))


def _live_in(ua: Ua, settings: "Settings") -> None:
    from universal_agent.api.logs import configure_logging
    from universal_agent.clock import SystemClock
    from universal_agent.demo import live

    if settings.database_path.exists():
        raise CommandFailed(
            f"expected an empty directory, but {settings.database_path} is there already; "
            "`ua serve` serves it.",
            ExitCode.CONFLICT,
        )
    configure_logging("error")
    with ua.waiting("living a week"):
        asyncio.run(live(settings, now=SystemClock().now().replace(microsecond=0)))
    serve_until_stopped(ua, settings)
