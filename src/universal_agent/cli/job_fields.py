"""The options that describe a job: the wire's fields for `ua job add` and `ua job edit`."""

import json
import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from universal_agent.cli.failure import CommandFailed, ExitCode
from universal_agent.cli.invocation import Document

_WHEN_LATE = "When something is late or fails"

#: What stands for "no value" in an option.
NONE = "none"


def job_fields(
    *,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone",
            metavar="ZONE",
            help="Zone of its times: Europe/Berlin. [default: UA_TIMEZONE, else the host's]",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="What to call it.")] = None,
    runner: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What runs it: shell, agent, http or a plug-in.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="The agent's model.")] = None,
    session: Annotated[
        str | None, typer.Option(metavar="ID", help="The session that it belongs to.")
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(metavar="LEVEL", help="critical, normal or low."),
    ] = None,
    workspace: Annotated[
        str | None, typer.Option(metavar="DIR", help="Its folder, under the workspaces folder.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="ID", help="Its owner.")] = None,
    metadata: Annotated[
        str | None, typer.Option(metavar="JSON", help="An object that is kept with it.")
    ] = None,
    delete_after_run: Annotated[
        bool | None,
        typer.Option(
            "--delete-after-run/--keep-after-run", help="Whether a one-shot goes when it has run."
        ),
    ] = None,
    overlap: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="When it still runs: skip, queue_one, allow or cancel_previous.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    on_miss: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help="When slots were missed: ask, run_latest, run_all or skip. [default: by cadence]",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    side_effects: Annotated[
        bool | None,
        typer.Option(
            "--side-effects/--no-side-effects",
            help="Whether a late run may do harm: its missed slots wait for you by default.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    grace: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Up to this late it just runs.", rich_help_panel=_WHEN_LATE
        ),
    ] = None,
    useful_for: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="A missed slot expires after this; none: never.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="A run is stopped after this.", rich_help_panel=_WHEN_LATE
        ),
    ] = None,
    idle_timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="A run without a sign of life for this long is stopped; none: never.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Further attempts after an error.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    retry_interrupted: Annotated[
        bool | None,
        typer.Option(
            "--retry-interrupted/--no-retry-interrupted",
            help="Whether a run that a crash cut off may be run again without asking: twice.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    interrupted_retries: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="The same, up to so many times for a slot (0 to 10).",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    auto_pause_after: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Skip its slots after so many failed ones in a row; 0: never.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            "--fail-on",
            metavar="RULES",
            help="What counts as a failure: claude, codex, gemini, opencode, JSON rules, or none.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    resources: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="The services that it uses, separated by commas, or default.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The pool that bounds its runs, or none.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    light: Annotated[
        bool | None,
        typer.Option(
            "--light/--no-light",
            help="Whether its runs are short enough for the workers in reserve.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
    jitter: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Shift its starts by a fixed part of this.",
            rich_help_panel=_WHEN_LATE,
        ),
    ] = None,
) -> Document:
    """The fields that were given, under their wire names. Raises CommandFailed or InvalidInput."""
    given: Document = {
        "timezone": timezone,
        "title": title,
        "runner": runner,
        "model": model,
        "workspace_dir": workspace,
        "user_id": user,
        "delete_after_run": delete_after_run,
        "overlap": overlap,
        "on_miss": on_miss,
        "side_effects": side_effects,
        "retries": retries,
        "retry_interrupted": retry_interrupted,
        "auto_pause_after": auto_pause_after,
        "light": light,
    }
    if interrupted_retries is not None:
        if retry_interrupted is not None:
            raise CommandFailed(
                "expected --retry-interrupted or --interrupted-retries, not both", ExitCode.USAGE
            )
        given["retry_interrupted"] = interrupted_retries
    fields = {name: value for name, value in given.items() if value is not None}
    lengths = {
        "misfire_grace_seconds": ("--grace", grace),
        "useful_for_seconds": ("--useful-for", useful_for),
        "timeout_seconds": ("--timeout", timeout),
        "idle_timeout_seconds": ("--idle-timeout", idle_timeout),
        "jitter_seconds": ("--jitter", jitter),
    }
    for name, (option, text) in lengths.items():
        if text is not None:
            fields[name] = seconds(text, option)
    if fail_on is not None:
        fields["fail_on"] = _fail_on(fail_on)
    if resources is not None:
        fields["resources"] = None if resources == "default" else _listed(resources)
    if pool is not None:
        fields["pool"] = None if pool == NONE else pool
    facts = {"session_id": session, "priority": priority}
    facts = {name: value for name, value in facts.items() if value is not None}
    if metadata is not None or facts:
        fields["metadata"] = {**_object(metadata), **facts}
    return fields


def seconds(text: str, option: str) -> int | None:
    """Whole seconds of a length of time such as "90", "90s" or "1h30m"; None for "none"."""
    if text == NONE:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    from universal_agent.domain.phrases import parse_duration

    return int(parse_duration(text, field=option).total_seconds())


def command_line(words: Sequence[str], runner: str | None) -> str:
    """What to run: one word as it is (a shell line, a prompt), several as the shell had them."""
    if len(words) == 1:
        return words[0]
    return " ".join(words) if runner == "agent" else shlex.join(words)


def _listed(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _fail_on(text: str) -> Any:
    """JSON rules, the name of a preset, or None to take the rules back."""
    if text.lstrip().startswith("{"):
        return _object(text, "--fail-on")
    return None if text == NONE else text


def _object(text: str | None, option: str = "--metadata") -> dict[str, Any]:
    if text is None:
        return {}
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandFailed(f"{option}: expected JSON, got {error}", ExitCode.USAGE) from None
    if not isinstance(value, dict):
        raise CommandFailed(f"{option}: expected a JSON object, got {text[:60]!r}", ExitCode.USAGE)
    return value
