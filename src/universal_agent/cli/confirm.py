"""Confirmation of commands that delete."""

import sys
from typing import Annotated

import typer

from universal_agent.cli.failure import CommandFailed, ExitCode

#: The option that answers the question in advance.
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return if the answer is yes. Raises CommandFailed without a terminal, typer.Abort on a no.

    Standard input that is not a terminal is not read: what a pipe holds is no answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(
            f"{question} Standard input is not a terminal, so nothing was done. "
            "Repeat the command with --yes.",
            ExitCode.USAGE,
        )
    typer.confirm(question, abort=True, err=True)
