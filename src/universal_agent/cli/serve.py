"""`ua serve`: the gateway in the foreground, and the banner it begins with."""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_agent import __version__
from universal_agent.cli.command import command
from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document, Ua

if TYPE_CHECKING:
    from rich.console import RenderableType

    from universal_agent.cli.screen import Screen
    from universal_agent.settings import Settings

app = typer.Typer()


@command(app, "serve", rich_help_panel="Gateway")
def serve(
    ua: Ua,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to listen, for UA_GATEWAY_HOST.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, metavar="N", help="For UA_GATEWAY_PORT; 0 takes any free port."
        ),
    ] = None,
) -> None:
    """Start the gateway; Ctrl-C stops it.

    What was missed while it was down is found first, and waits for your decision.
    """
    bind: dict[str, Any] = {
        name: value
        for name, value in {"gateway_host": host, "gateway_port": port}.items()
        if value is not None
    }
    serve_until_stopped(ua, ua.load_settings(**bind))


def serve_until_stopped(ua: Ua, settings: "Settings") -> None:
    """Run the gateway, and print the banner once it is ready."""
    from universal_agent.api.server import run_gateway
    from universal_agent.cli.unknown_settings import unknown_settings

    unknown = dict(unknown_settings(os.environ, settings.child_env))

    def ready(url: str, summary: Mapping[str, Any]) -> None:
        url = _reachable(url)
        _leave_address(settings.data_dir, url)
        document = {**_banner(settings, url, summary), "unknown_settings": unknown}
        if ua.json:
            ua.show_line(document)
        else:
            ua.screen.print(_banner_view(ua.screen, document))

    try:
        run_gateway(settings, on_ready=ready)
    except OSError as error:
        raise CommandFailed(
            f"cannot use {error.filename or settings.data_dir}: {error.strerror}", ExitCode.USAGE
        ) from error
    if not ua.json:
        ua.note("stopped")


def _reachable(url: str) -> str:
    """The URL with a host that a client can connect to."""
    from urllib.parse import urlsplit

    from universal_agent.cli.client import address

    parts = urlsplit(url)
    return address(parts.hostname or "127.0.0.1", parts.port or 80)


def _leave_address(data_dir: Path, url: str) -> None:
    """Write the address into the data directory, for commands that are given only that."""
    from universal_agent.cli.client import ADDRESS_FILE

    (data_dir / ADDRESS_FILE).write_text(url + "\n", encoding="ascii")


#: The flags in the banner, with their names there.
_FLAGS = {
    "sched_event_projection_enabled": "projection",
    "sched_push_enabled": "push",
    "sched_projection_shadow": "shadow",
    "enable_cron": "cron",
    "enable_heartbeat": "heartbeat",
    "cron_mock_response": "mock responses",
}


def _banner(settings: "Settings", url: str, summary: Mapping[str, Any]) -> Document:
    from universal_agent.runners.agent import agent_state
    from universal_agent.settings import variable_name

    agent, agent_problem = agent_state(settings)
    return {
        "url": url,
        "version": __version__,
        "data_dir": str(settings.data_dir.absolute()),
        "database": str(settings.database_path.absolute()),
        "flags": {variable_name(flag): getattr(settings, flag) for flag in _FLAGS},
        "auth_required": bool(settings.ops_token),
        "jobs": summary["cron"],
        "missed": summary["approvals"]["pending"],
        "agent": agent,
        "agent_problem": agent_problem,
        "first_job": _first_job(settings, url),
    }


def _first_job(settings: "Settings", url: str) -> Document:
    """Two ways to add a job, to be pasted into a shell in this directory."""
    ua = "ua" if shutil.which("ua") or not Path("ua").is_file() else "./ua"
    where = ""
    if str(settings.data_dir) != str(type(settings).model_fields["data_dir"].default):
        where = f" --data-dir {shlex.quote(str(settings.data_dir))}"
    header = ""
    if settings.ops_token:
        token = f"$({ua} token show{where})"
        if not (settings.data_dir / "ops_token").exists():
            token = "$UA_OPS_TOKEN"  # noqa: S105 - the name of a variable
        header = f' -H "Authorization: Bearer {token}"'
    # Where an agent is set up, the command would be a prompt.
    option, field = (" --runner shell", ', "runner": "shell"') if settings.has_agent else ("", "")
    body = f'{{"schedule": "every 10s", "command": "date >> dates.txt"{field}}}'
    return {
        "ua": f"{ua} job add{where}{option} 'every 10s' 'date >> dates.txt'",
        "curl": f"curl -s {url}/api/v1/cron/jobs -H 'Content-Type: application/json'{header}"
        f" -d '{body}'",
    }


def _banner_view(screen: "Screen", document: Document) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    from universal_agent.cli.unknown_settings import sentence

    on, off = ("on", "green"), ("off", "yellow")
    flags = Text(", ").join(
        Text.assemble(name, " ", on if value else off)
        for name, value in zip(_FLAGS.values(), document["flags"].values(), strict=True)
    )
    auth = (
        "a token is needed; `ua` finds it in the data directory or in UA_OPS_TOKEN"
        if document["auth_required"]
        else "no token is needed on this machine, and proxies are refused; `ua token new` makes one"
    )
    facts: list[tuple[str, RenderableType | None]] = [
        ("dashboard", Text(document["url"], style="bold cyan underline")),
        ("data", screen.text(document["data_dir"])),
        ("database", screen.text(document["database"])),
        ("flags", flags),
        ("access", Text(auth)),
    ]
    if document["flags"]["UA_CRON_MOCK_RESPONSE"]:
        facts.append(("note", Text("nothing is run: every run answers CRON_OK", "bold yellow")))
    if problem := document["agent_problem"]:
        facts.append(("agent", screen.text(problem, "bold yellow")))
    elif document["agent"] != "none":
        facts.append(("agent", Text(f"{document['agent']}; jobs are prompts unless --runner says")))
    for name, nearest in document["unknown_settings"].items():
        facts.append(("setting", screen.text(sentence(name, nearest), "bold yellow")))
    jobs, missed = document["jobs"], document["missed"]
    if jobs["total"]:
        facts.append(("jobs", Text(f"{jobs['total']}, {jobs['enabled']} of them enabled")))
    if missed:
        what = f"{missed} {'group' if missed == 1 else 'groups'} of slots"
        facts.append(("missed", Text(f"{what}, to be decided: `ua stasis list`", "bold yellow")))
    first_job = (
        Text("Add a first job, with either of these:", style="dim"),
        Text("  " + document["first_job"]["ua"]),
        Text("  " + document["first_job"]["curl"]),
        Text(),
    )
    return Group(
        Text.assemble(
            ("universal-agent ", "bold"), f"{document['version']} ", ("is ready", "bold green")
        ),
        Text(),
        screen.facts(facts),
        Text(),
        *(() if jobs["total"] else first_job),
    )
