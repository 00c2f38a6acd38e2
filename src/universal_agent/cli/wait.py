"""`ua wait`: return when the gateway answers."""

from typing import Annotated

import typer

from universal_agent.cli.answers import decode
from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Ua

app = typer.Typer()

#: Seconds between two attempts.
_PACE = 0.2

#: Seconds after which a line says what is waited for.
_QUIET = 1.0


@command(app, "wait", rich_help_panel="Gateway")
def wait(
    ua: Ua,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, max=3600, metavar="N", help="How long at most.")
    ] = 120.0,
) -> None:
    """Return when the gateway is up and healthy.

    For scripts that start it: `ua serve & ua wait`. The command fails with 3 when no gateway
    answers in time, and with 6 when the one that answers is unhealthy.
    """
    began, told = ua.clock.monotonic(), False
    while True:
        try:
            health = _health(ua)
        except CommandFailed as failed:
            if failed.code is not ExitCode.UNREACHABLE:
                raise
            problem = failed
        else:
            if health["status"] == "healthy":
                ua.show(health, lambda screen, found: screen.text(f"ready at {found['url']}"))
                return
            reasons = "; ".join(health["reasons"]) or "it gives no reason"
            problem = CommandFailed(
                f"The gateway at {health['url']} is unhealthy: {reasons}", ExitCode.UNAVAILABLE
            )
        waited = ua.clock.monotonic() - began
        if waited >= seconds:
            raise problem
        if waited >= _QUIET and not told:
            ua.note("waiting for the gateway...")
            told = True
        ua.pause(_PACE)


def _health(ua: Ua) -> Document:
    """What health says, with the `url` that it was asked at. Raises CommandFailed."""
    with ua.find_gateway(own=True) as gateway:
        response = gateway.send("GET", "/api/v1/health")
        health = decode(response.content, url=gateway.url)
    if health is None or "status" not in health or "reasons" not in health:
        raise CommandFailed(
            f"What answers at {gateway.url} is not a gateway.", ExitCode.UNREACHABLE
        )
    health["url"] = gateway.url
    return health
