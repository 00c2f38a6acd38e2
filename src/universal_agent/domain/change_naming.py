"""Change requests about names, commands and zones, whose words are not those of the grammar."""

import re

from universal_agent.domain.change_rules import Rule
from universal_agent.domain.change_terms import Asked, Operation, Understood, edit
from universal_agent.domain.job_draft import JobDraft
from universal_agent.domain.local_time import load_zone
from universal_agent.domain.said_zone import NOT_ONE_ZONE
from universal_agent.domain.schedule import CronSchedule
from universal_agent.errors import InvalidSchedule

_REGIONS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


def rename(asked: Asked, match: re.Match[str]) -> Understood:
    groups = match.groupdict()
    quoted = groups.get("title")
    title = (quoted or groups.get("named") or "").strip()
    if quoted is None and re.search(
        r"(?:,|\band\b|\bthen\b) (?:then )?(?:pause|resume|run|skip|move|stop|disable|delete|change"
        r"|set|start)\b",
        title,
        re.IGNORECASE,
    ):
        raise asked.not_understood(
            "One request is about one thing; a title with such words is to be in quotes, as in "
            f"'rename to \"{title.partition(',')[0].partition(' and ')[0]}\"'."
        )
    summary = f"Rename the job from “{asked.spec.display_title}” to “{title}”."
    return edit(Operation.RENAME, JobDraft(title=title), summary)


def set_command(asked: Asked, match: re.Match[str]) -> Understood:
    command = match["command"].strip()
    if command[:1] in "`\"'" and command[:1] == command[-1:] and len(command) > 2:
        command = command[1:-1]
    summary = f"Change the command to: {command}"
    return edit(Operation.SET_COMMAND, JobDraft(command=command), summary)


def other_command(asked: Asked, match: re.Match[str]) -> Understood:
    """ "run ./backup.sh instead" may be about this run or about the job."""
    raise asked.not_understood(
        f"For all runs to come, say 'change the command to {match['command']}'."
    )


def set_zone(asked: Asked, match: re.Match[str]) -> Understood | None:
    said = next(text for text in match.groupdict().values() if text is not None)
    if zones := NOT_ONE_ZONE.get(said.lower()):
        forms = " or ".join(f"'change the timezone to {zone}'" for zone in zones)
        raise asked.refused(f"{said} is not the name of one zone: say {forms}")
    zone = said if "/" in said or said == "UTC" else _zone_of_city(said)
    if zone is None:
        return None
    try:
        load_zone(zone)
    except InvalidSchedule as error:
        raise asked.refused(error.message) from None
    if not isinstance(asked.spec.schedule, CronSchedule):
        raise asked.refused("the job counts from an instant, so that another zone changes nothing")
    summary = f"Read the times of the schedule in {zone} instead of {asked.spec.timezone}."
    return edit(Operation.SET_TIMEZONE, JobDraft(timezone=zone), summary)


def _zone_of_city(city: str) -> str | None:
    """The one zone that is named after a city; None when there is none, or several."""
    name = "_".join(word.capitalize() for word in city.split())
    found = [zone for region in _REGIONS if _is_zone(zone := f"{region}/{name}")]
    return found[0] if len(found) == 1 else None


def _is_zone(name: str) -> bool:
    try:
        load_zone(name)
    except InvalidSchedule:
        return False
    return True


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_THIS = r"(?:it|this|that|this one|that one)"
_QUOTED = r"[\"'“‘`](?P<title>[^\"“”]+)[\"'”’`]"
_OWN = r"(?:the|its|this job's|the job's)"
_ZONE = rf"(?P<zone>[A-Z]\w+/\w[\w/+-]*|UTC|{'|'.join(NOT_ONE_ZONE)})"

#: Names, commands and zones, where words are not those of this grammar.
NAMING: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (
        _pattern(rf"(?:rename|retitle|call|name)(?: {_THIS}| the job)?(?: to| as)? {_QUOTED}"),
        rename,
    ),
    (
        _pattern(
            r"(?:rename|retitle)(?: (?:it|this|that|(?:this|the|that) job|this one))? "
            r"(?:to|as) (?P<named>.+)"
        ),
        rename,
    ),
    (_pattern(r"(?:rename|retitle) (?:it|this job|the job) (?!off$)(?P<named>.+)"), rename),
    (
        _pattern(rf"(?:(?:change|set) )?{_OWN} (?:name|title)(?: to| should be|:) (?P<named>.+)"),
        rename,
    ),
    (
        _pattern(
            rf"(?:(?:change|set|update) )?(?:{_OWN} )?(?:command|prompt)(?: to|:) (?P<command>.+)"
        ),
        set_command,
    ),
    (_pattern(r"run (?P<command>`[^`]+`|\"[^\"]+\")(?: instead)?"), set_command),
    (_pattern(r"run (?P<command>[.~]?/\S.*?)(?: instead)?"), other_command),
    (
        _pattern(
            rf"(?:change|set|switch|use|move)(?: (?:the|its))?(?: time ?zone| zone)?(?: to)? "
            rf"{_ZONE}(?: time)?|(?:(?:run|read)(?: it)? )?in "
            r"(?P<where>[A-Z]\w+/\w[\w/+-]*|UTC)(?: time)?"
            r"|(?:(?:run|read)(?: it)? in|use|switch to|in) (?P<city>[a-z]+(?: [a-z]+)?) time"
            r"|(?:change|set|switch)(?: (?:the|its))? time ?zone to (?P<place>[a-z]+(?: [a-z]+)??)"
            r"(?: time)?"
        ),
        set_zone,
    ),
)
