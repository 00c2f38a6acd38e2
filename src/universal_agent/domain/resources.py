"""The resources that a job uses: services and accounts whose outage is not the job's failure.

A job names them; by default it uses the agent's endpoint or program, its URL's origin, or its
command's first word. The names are labels: jobs that name the same one share its outages.
"""

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from universal_agent.errors import InvalidInput

if TYPE_CHECKING:
    from universal_agent.domain.job import JobSpec

#: The longest name, and how many a job may have.
RESOURCE_CHARS = 200
MOST_RESOURCES = 20

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


def resources_of(spec: "JobSpec", agent: Sequence[str] = ()) -> tuple[str, ...]:
    """What the runs of a job use; `agent` is what the configured agent is."""
    if spec.resources is not None:
        return spec.resources
    match spec.runner:
        case "agent" | "heartbeat":
            return tuple(agent)
        case "http":
            return origin_of(spec.command)
        case "shell":
            return first_word(spec.command)
    return ()


def origin_of(url: str) -> tuple[str, ...]:
    """Scheme, host and port of a URL; empty for what is none."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ()
    if not parts.scheme or not parts.hostname:
        return ()
    scheme, host = parts.scheme.lower(), parts.hostname.lower()
    host = f"[{host}]" if ":" in host else host
    is_default = port is None or (scheme, port) in (("http", 80), ("https", 443))
    return (f"{scheme}://{host}" + ("" if is_default else f":{port}"),)


def first_word(command: str) -> tuple[str, ...]:
    """The first word of a command, after assignments of variables; empty when there is none."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    word = next((word for word in words if not _ASSIGNMENT.fullmatch(word)), "")
    word = word.rstrip(";")[:RESOURCE_CHARS]
    return (word,) if word.isprintable() and word else ()


def read_resources(value: Sequence[str] | None) -> tuple[str, ...] | None:
    """The names as a person gave them; None for the default. Raises InvalidInput."""
    if value is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in value))
    if len(names) > MOST_RESOURCES:
        raise InvalidInput(
            f"expected at most {MOST_RESOURCES} resources, got {len(names)}", field="resources"
        )
    for name in names:
        if not name or len(name) > RESOURCE_CHARS or not name.isprintable():
            raise InvalidInput(
                f"expected names of 1 to {RESOURCE_CHARS} printable characters, got {name[:80]!r}",
                field="resources",
            )
    return names
