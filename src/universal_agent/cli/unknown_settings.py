"""Environment variables that look like settings and are none."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from pydantic import AliasChoices

from universal_agent.settings import Settings

_PREFIXES = ("UA_", "NEXT_PUBLIC_UA_")

#: What a run finds in its environment (docs/runners.md); `ua` may be called from a run.
_OF_A_RUN = frozenset(
    {
        "UA_JOB_ID",
        "UA_RUN_ID",
        "UA_EVENT_ID",
        "UA_SCHEDULED_AT",
        "UA_ATTEMPT",
        "UA_TRIGGER",
        "UA_LATE_SECONDS",
        "UA_APPROVED_BY",
        "UA_OUTCOME_FILE",
    }
)


def setting_names() -> frozenset[str]:
    """Every variable that a setting is read from."""
    names: set[str] = set()
    for field, about in Settings.model_fields.items():
        alias = about.validation_alias
        if isinstance(alias, AliasChoices):
            names |= {str(choice) for choice in alias.choices}
        else:
            names.add(f"UA_{field.upper()}")
    return frozenset(names)


def unknown_settings(environ: Iterable[str], child_env: Iterable[str] = ()) -> Mapping[str, str]:
    """Variables with a prefix of ours that nothing reads, each with the nearest name or "".

    Those that `UA_CHILD_ENV` hands on to runs are not among them.
    """
    names = setting_names()
    known = names | _OF_A_RUN | {name.upper() for name in child_env}
    unknown = [
        name
        for name in sorted(environ)
        if name.upper().startswith(_PREFIXES) and name.upper() not in known
    ]
    return {
        name: next(iter(get_close_matches(name.upper(), names, n=1, cutoff=0.7)), "")
        for name in unknown
    }


def sentence(name: str, nearest: str) -> str:
    """What to say about one of them."""
    return f"{name} is no setting" + (f"; did you mean {nearest}?" if nearest else "")
