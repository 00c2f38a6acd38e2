"""Commands made from functions.

Typer reads a command's options from the signature of its function. Here one parameter may stand
for many options: a parameter annotated `Annotated[T, Provided(make)]` takes the options of `make`,
and the function gets what `make` returns for them. So options that commands share are written once.
"""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import wraps
from typing import Any

import typer

from universal_agent.cli.help_page import CommandPage

Function = Callable[..., None]


class Provided:
    """Marks a parameter whose value `make` builds from options of its own."""

    def __init__(self, make: Callable[..., object]) -> None:
        self.make = make
        self.options = inspect.signature(make).parameters


def command(app: typer.Typer, name: str, **settings: Any) -> Callable[[Function], Function]:
    """Register a function as a command of `app`; `settings` are those of `typer.Typer.command`."""

    def register(function: Function) -> Function:
        app.command(name, cls=CommandPage, **settings)(expanded(function))
        return function

    return register


def expanded(function: Function) -> Function:
    """The function, with all options in its signature that its provided parameters stand for.

    What is provided is entered when it is a context manager, and left when the command ends.
    """
    parameters = inspect.signature(function).parameters.values()
    provided = {p.name: mark for p in parameters if (mark := _mark(p)) is not None}
    options = [p for p in parameters if p.name not in provided]
    # The invocation is the first parameter, and its options are last on a help page.
    for mark in reversed(provided.values()):
        options += mark.options.values()

    @wraps(function)
    def call(**given: Any) -> None:
        with ExitStack() as stack:
            made = {}
            for name, mark in provided.items():
                value = mark.make(**{option: given.pop(option) for option in mark.options})
                if isinstance(value, AbstractContextManager):
                    stack.enter_context(value)
                made[name] = value
            function(**given, **made)

    keyword_only = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in options]
    call.__signature__ = inspect.Signature(keyword_only)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in options}
    del call.__wrapped__
    return call


def _mark(parameter: inspect.Parameter) -> Provided | None:
    marks = getattr(parameter.annotation, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Provided)), None)
