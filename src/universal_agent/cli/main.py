"""The `ua` command: all its commands, and the exit codes of their failures."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from universal_agent import __version__
from universal_agent.api.garbage import look_seldom
from universal_agent.cli import (
    accept_loss,
    changes,
    coming,
    decide,
    demo,
    doctor,
    drain,
    events,
    flags,
    heartbeats,
    jobs,
    ledger,
    notifications,
    notify,
    pools,
    projection,
    resources,
    runs,
    serve,
    sessions,
    slots,
    stasis,
    token,
    wait,
)
from universal_agent.cli.failure import EXIT_CODES, CommandFailed, ExitCode
from universal_agent.cli.help_page import CONTEXT, GroupPage, epilog
from universal_agent.errors import UniversalAgentError
from universal_agent.masking import without_user

#: One module for each group of commands, in the order of the help page.
GROUPS = (
    serve,
    wait,
    drain,
    demo,
    doctor,
    accept_loss,
    token,
    jobs,
    runs,
    coming,
    slots,
    stasis,
    ledger,
    events,
    projection,
    sessions,
    heartbeats,
    notifications,
    notify,
    pools,
    resources,
    flags,
)

#: Modules that add commands to the group of another one.
EXTENSIONS = (changes, decide)

_EXAMPLES = (
    "ua serve",
    "ua job add 'every weekday at 9am' './backup.sh /srv' --timezone Europe/Berlin",
    "ua job add 'tomorrow 9:15am' 'Summarise my inbox' --runner agent",
    "ua job run './backup.sh /srv' --wait 60 && echo fine",
    "ua ledger --json | jq .unaccounted",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"universal-agent {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version),
    ] = False,
) -> None:
    """The scheduling runtime for always-on AI agents.

    Every expected slot ends in exactly one recorded outcome; what was missed waits for you.
    """


def application() -> typer.Typer:
    """The whole command."""
    app = typer.Typer(
        add_completion=False,
        cls=GroupPage,
        context_settings=CONTEXT,
        epilog=epilog(
            {
                "Examples": [(example, "") for example in _EXAMPLES],
                "Exit codes": [(f"{code:d}", f"  {text}") for code, text in EXIT_CODES.items()],
            }
        ),
        rich_markup_mode=None,
    )
    app.callback()(_root)
    for group in GROUPS:
        app.add_typer(group.app, rich_help_panel=group.app.rich_help_panel)
    return app


def run(arguments: Sequence[str]) -> int:
    """Run the command that the arguments name, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal without Unicode shows a question mark instead of failing.
            stream.reconfigure(errors="replace")
    command = get_command(application())
    try:
        for argument in arguments:
            argument.encode()  # bytes that are no text are lone surrogates here
        code = command.main(args=list(arguments), prog_name="ua", standalone_mode=False)
    except CommandFailed as error:
        return _fail(error.message, error.code)
    except UniversalAgentError as error:
        return _fail(_sentence(error), ExitCode.USAGE)
    except typer.TyperException as error:
        return _fail(_with_hint(error), ExitCode.USAGE)
    except UnicodeEncodeError as error:
        wrong = error.object[max(0, error.start - 20) : error.start + 20].encode(
            "utf-8", "backslashreplace"
        )
        return _fail(
            f"expected text in UTF-8, got other bytes in '{wrong.decode()}'", ExitCode.USAGE
        )
    except typer.Abort:
        return _fail("nothing was done", ExitCode.NO)
    return code if isinstance(code, int) else ExitCode.OK


def _sentence(error: UniversalAgentError) -> str:
    field = error.field
    return f"{field}: {error.message}" if field and field not in error.message else error.message


def _with_hint(error: typer.TyperException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if not message or context is None:
        return message
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} See `{context.command_path} --help`."


def _fail(message: str, code: ExitCode) -> int:
    if message:
        typer.echo(f"ua: {without_user(message)}", err=True)
    return code


def main() -> None:
    """Run `ua` with the arguments of this process."""
    look_seldom()
    sys.exit(run(sys.argv[1:]))
