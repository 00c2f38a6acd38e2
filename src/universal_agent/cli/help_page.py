"""Help pages: one for the whole command, each group and each command.

Entries stand under the heading that they were registered with (`rich_help_panel`), in the order
in which they were registered; short, and without boxes.
"""

import os
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from universal_agent.cli.failure import ExitCode

#: The settings of every context of `ua`.
CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "color": False if os.environ.get("NO_COLOR") else None,
}

_WIDEST_NAME = 34


class _Page:
    """Writes the page of a command or a group."""

    def format_help(self: Any, ctx: Any, formatter: Any) -> None:
        self.format_help_text(ctx, formatter)
        _write_heading(formatter, "Usage")
        with formatter.indentation():
            formatter.write_text(f"{ctx.command_path} {_usage(self)}")
        for heading, entries in _sections(self, ctx).items():
            _write_heading(formatter, heading)
            with formatter.indentation():
                formatter.write_dl(entries, col_max=_WIDEST_NAME)
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(self.epilog)


class CommandPage(_Page, TyperCommand):
    """A command."""


class GroupPage(_Page, TyperGroup):
    """A group of commands; naming none of them shows the page."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args:
            typer.echo(ctx.get_help(), color=ctx.color)
            raise typer.Exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)


class ListingPage(GroupPage):
    """A group that lists, with the options of its `list`, when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def group(name: str, about: str, *, heading: str) -> typer.Typer:
    """An empty group of commands, listed under `heading`."""
    return typer.Typer(
        name=name,
        help=about,
        cls=GroupPage,
        rich_help_panel=heading,
        rich_markup_mode=None,
    )


def epilog(sections: dict[str, Iterable[tuple[str, str]]]) -> str:
    """The end of a page: lines under headings, as they are."""
    text = []
    for heading, lines in sections.items():
        text.append(_heading(heading))
        text += [f"  {typer.style(left, fg='cyan')}{right}" for left, right in lines]
        text.append("")
    return "\n".join(text)


def _sections(page: Any, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """The entries of a page under their headings."""
    sections: dict[str, list[tuple[str, str]]] = {}
    if isinstance(page, TyperGroup):
        for name in page.list_commands(ctx):
            entry: Any = page.get_command(ctx, name)
            heading = entry.rich_help_panel or "Commands"
            about = entry.get_short_help_str(limit=100)
            sections.setdefault(heading, []).append((typer.style(name, fg="cyan"), about))
    for parameter in page.get_params(ctx):
        if parameter.hidden:
            continue
        is_argument = parameter.param_type_name == "argument"
        heading = parameter.rich_help_panel or ("Arguments" if is_argument else "Options")
        names = parameter.metavar if is_argument else _option_names(parameter)
        about = parameter.help or ""
        if not is_argument and not parameter.is_flag and parameter.default is not None:
            about += f" [default: {parameter.default:g}]"
        sections.setdefault(heading, []).append((typer.style(names, fg="cyan"), about))
    return sections


def _usage(page: Any) -> str:
    arguments = [p.metavar for p in page.params if p.param_type_name == "argument"]
    rest = [page.subcommand_metavar] if isinstance(page, TyperGroup) else arguments
    return " ".join(["[OPTIONS]", *rest])


def _option_names(option: Any) -> str:
    """How an option is written: "-y, --yes", "--limit N", "--on / --off"."""
    names = ", ".join(sorted(option.opts, key=len))
    if option.secondary_opts:
        names += " / " + ", ".join(option.secondary_opts)
    return names if option.is_flag else f"{names} {option.metavar or 'VALUE'}"


def _write_heading(formatter: Any, heading: str) -> None:
    formatter.write_paragraph()
    formatter.write(_heading(heading) + "\n")


def _heading(text: str) -> str:
    return typer.style(text, bold=True)
